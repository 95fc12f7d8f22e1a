#pragma once

#include "common/base/time.hpp"
#include "common/http/server/server.hpp"
#include "common/net/ip.hpp"
#include "common/rt/task_group.hpp"
#include "speaker/health/service_health.hpp"

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

// The health-check node ports of this node's Services: one HTTP listener for each port and address,
// kept equal to the list it was last given. A port that closes lets clients that are connected
// finish: whoever asked before it closed gets a whole answer. A port that cannot be had is told
// once, and tried again at each sync and by itself, after 1 s, 2 s and so on up to a minute.
// All on one executor; the owner awaits close() before this dies.
namespace steelyard::io_health {

class HealthPorts {
public:
    // A Service whose port does not answer, for the log and the Event
    // FailedToStartServiceHealthcheck.
    struct Trouble {
        kube::ObjectKey service;
        std::uint16_t port = 0;
        std::string reason;  // one line
    };
    struct Callbacks {
        // Whether the node's service proxy keeps up; asked for each answer.
        std::function<bool()> proxy_healthy;
        // Told when the reason is new, not at each attempt.
        std::function<void(const Trouble&)> on_trouble;
    };

    HealthPorts(const asio::any_io_executor& executor, Callbacks callbacks);
    HealthPorts(const HealthPorts&) = delete;
    HealthPorts& operator=(const HealthPorts&) = delete;

    // Where to listen from now on: these addresses, or every address of the node when empty.
    void set_addresses(std::vector<net::IpAddress> addresses);
    // Opens, closes and updates so that exactly these answer. A port wanted by several Services
    // goes to the one that has it already, else to the first by name; the others are in trouble.
    void sync(const std::vector<health::ServiceHealth>& services);
    // Services whose port does not answer on every address, as last tried.
    [[nodiscard]] const std::map<kube::ObjectKey, Trouble>& troubles() const { return troubles_; }
    [[nodiscard]] std::size_t open() const { return listeners_.size(); }
    // Closes every port; clients under way are answered. Call once.
    awaitable<void> close();

private:
    struct Key {
        std::uint16_t port = 0;
        net::IpAddress address;
        friend auto operator<=>(const Key&, const Key&) = default;
    };
    struct Backoff {
        Duration delay{};
        Instant next{};
    };
    using ServerRef = std::shared_ptr<http_server::Server>;

    [[nodiscard]] std::map<std::uint16_t, health::ServiceHealth> share_ports(
        const std::vector<health::ServiceHealth>& services, std::map<kube::ObjectKey, Trouble>& lost
    ) const;
    void reconcile();
    void close_unwanted();
    Result<> open_one(const Key& key);
    void tell(std::map<kube::ObjectKey, Trouble> troubles);
    [[nodiscard]] http_server::Response answer(std::uint16_t port) const;
    [[nodiscard]] bool is_every_address() const { return addresses_.empty(); }
    awaitable<void> serve(ServerRef server);
    awaitable<void> end_gently(ServerRef server);
    awaitable<void> retry();

    asio::any_io_executor executor_;
    Callbacks callbacks_;
    std::vector<net::IpAddress> addresses_;
    std::map<std::uint16_t, health::ServiceHealth> wanted_;
    std::map<std::uint16_t, health::ServiceHealth> told_;  // last known of each port, while it may
                                                           // still be asked
    std::map<kube::ObjectKey, Trouble> conflicts_;
    std::map<kube::ObjectKey, Trouble> troubles_;
    std::map<Key, ServerRef> listeners_;
    std::map<Key, Backoff> backoffs_;
    std::map<Key, std::string> refusals_;
    bool retrying_ = false;
    bool closing_ = false;
    rt::TaskGroup tasks_;
};

}  // namespace steelyard::io_health
