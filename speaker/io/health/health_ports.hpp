#pragma once

#include "common/base/time.hpp"
#include "common/http/server/server.hpp"
#include "common/net/ip.hpp"
#include "common/rt/task_group.hpp"
#include "speaker/health/service_health.hpp"

#include <chrono>
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

    // How long a port that cannot be had rests: `first`, then twice that, up to `most`.
    struct Pace {
        Duration first = std::chrono::seconds(1);
        Duration most = std::chrono::minutes(1);
    };

    HealthPorts(const asio::any_io_executor& executor, Callbacks callbacks);
    HealthPorts(const asio::any_io_executor& executor, Callbacks callbacks, Pace pace);
    HealthPorts(const HealthPorts&) = delete;
    HealthPorts& operator=(const HealthPorts&) = delete;
    ~HealthPorts() = default;

    // Where to listen from now on: these addresses (nodePortAddresses), or every address of the
    // node, which is where it begins. An empty list listens nowhere.
    void set_addresses(std::optional<std::vector<net::IpAddress>> addresses);
    // Opens, closes and updates so that exactly these answer; cheap when they are the same again. A
    // port wanted by several Services goes to the one that has it already, else to the first by
    // name; the others are in trouble.
    void sync(const std::vector<health::ServiceHealth>& services);
    // Services whose port does not answer on every address, as last tried.
    [[nodiscard]] const std::map<kube::ObjectKey, Trouble>& troubles() const { return troubles_; }
    // Listeners there are: one for each port and address.
    [[nodiscard]] std::size_t open() const { return listeners_.size(); }
    // Closes every port; clients under way are answered. Call once, last.
    awaitable<void> close();

private:
    struct Key {
        std::uint16_t port = 0;
        net::IpAddress address;
        friend auto operator<=>(const Key&, const Key&) = default;
    };
    struct Refusal {
        std::string reason;
        Duration delay{};
        Instant next{};
    };
    using ServerRef = std::shared_ptr<http_server::Server>;
    // Shared with the listeners of its port, which may outlive the Service by a moment.
    using HealthRef = std::shared_ptr<health::ServiceHealth>;

    void share_ports(const std::vector<health::ServiceHealth>& services);
    void reconcile();
    void close_unwanted();
    void try_to_open(const Key& key, const HealthRef& health);
    [[nodiscard]] Result<ServerRef> listen(const Key& key, const HealthRef& health);
    [[nodiscard]] std::vector<net::IpAddress> addresses() const;
    void tell();
    awaitable<http_server::Response> answer(HealthRef health);
    awaitable<void> serve(ServerRef server);
    awaitable<void> end_gently(ServerRef server);
    awaitable<void> retry();

    asio::any_io_executor executor_;
    Callbacks callbacks_;
    Pace pace_;
    std::optional<std::vector<net::IpAddress>> addresses_;
    std::vector<health::ServiceHealth> services_;   // as last given
    std::map<std::uint16_t, HealthRef> ports_;      // wanted, each with the Service that has it
    std::map<kube::ObjectKey, Trouble> conflicts_;  // Services that got no port
    std::map<Key, ServerRef> listeners_;
    std::map<Key, Refusal> refusals_;
    std::map<kube::ObjectKey, Trouble> troubles_;  // as told
    bool retrying_ = false;
    bool closed_ = false;
    rt::TaskGroup retries_;
    rt::TaskGroup servers_;
};

}  // namespace steelyard::io_health
