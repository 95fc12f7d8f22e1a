#pragma once

#include "common/base/error.hpp"
#include "common/rt/asio.hpp"
#include "speaker/io/dataplane/observer.hpp"
#include "speaker/io/dataplane/outcome.hpp"
#include "speaker/io/netlink/socket.hpp"
#include "speaker/proxy/config.hpp"
#include "speaker/proxy/conntrack/stale.hpp"
#include "speaker/proxy/diff/op.hpp"
#include "speaker/proxy/rules/rules.hpp"

#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <vector>

// The kernel subsystems the proxy programs (IPVS, ipset, addresses and routes, connection
// tracking), behind "read it all" and "do these operations". Every call gives way to others between
// batches; the owner makes one call at a time. Whatever a call needs it opens itself.
namespace steelyard::dataplane {

class IpvsTables;
class SetTables;
class BoundAddresses;
class FlowPurge;

class Kernel {
public:
    Kernel(
        const asio::any_io_executor& executor,
        const proxy::ProxyConfig& config,
        const proxy::Names& names
    );
    Kernel(const Kernel&) = delete;
    Kernel& operator=(const Kernel&) = delete;
    ~Kernel();

    // Settings, the scheduler, link and sets. An error names the module that is missing.
    awaitable<Result<>> prepare();
    // What the node lacks that can be done without: one line each. Valid after prepare().
    [[nodiscard]] const std::vector<std::string>& warnings() const { return warnings_; }
    // Creates the link and the sets that are missing; enlarges a set that came near its limit and
    // renews one that cannot carry the marks it must, so that rules never see it empty.
    awaitable<Result<>> ensure();

    // Everything of ours, without creating anything: what is absent is empty. Addresses and routes
    // come first, then set members, then virtual servers. In full mode every virtual server outside
    // exclude_cidrs is ours, in load-balancer mode those whose address we bound and our marks; in
    // both also what the observer owns: as values, what our sets name.
    awaitable<Result<>> read(Observer& observer);
    awaitable<Result<proxy::KernelTables>> read();
    // One virtual server; nullopt when there is none.
    awaitable<Result<std::optional<proxy::VirtualServer>>> read_server(
        const proxy::VirtualServerKey& key
    );
    awaitable<Result<bool>> has(const proxy::VirtualServerKey& key);

    // In order; neighbours that go to the same subsystem share a send. One that fails stops none of
    // the others; a set that is full is enlarged.
    awaitable<Outcome> execute(const std::vector<proxy::Op>& ops);

    // Deletes stale UDP flows; how many there were. 0 where the kernel lists no flows.
    awaitable<Result<std::size_t>> purge_flows(const conntrack::Frontends& frontends);

    // Destroys the link, our routes and the sets, and says what. Rules that use the sets must be
    // gone.
    awaitable<Result<std::vector<std::string>>> remove();

private:
    struct Run;

    awaitable<Result<>> open();
    awaitable<void> execute_run(const std::vector<proxy::Op>& ops, Run run, Outcome& outcome);
    awaitable<void> make_room(
        const std::vector<proxy::Op>& ops, std::size_t first, netlink::BatchResult& result
    );

    asio::any_io_executor executor_;
    proxy::ProxyConfig config_;
    proxy::Names names_;
    std::vector<std::string> warnings_;
    std::unique_ptr<IpvsTables> ipvs_;  // all four from open() on
    std::unique_ptr<SetTables> sets_;
    std::unique_ptr<BoundAddresses> bound_;
    std::unique_ptr<FlowPurge> flows_;
};

}  // namespace steelyard::dataplane
