#include "speaker/io/dataplane/kernel.hpp"

#include "speaker/io/dataplane/flow_purge.hpp"
#include "speaker/io/dataplane/kernel_bound.hpp"
#include "speaker/io/dataplane/kernel_ipvs.hpp"
#include "speaker/io/dataplane/kernel_ops.hpp"
#include "speaker/io/dataplane/kernel_sets.hpp"
#include "speaker/io/dataplane/kernel_settings.hpp"
#include "speaker/netlink/ipset.hpp"

#include <linux/netfilter/ipset/ip_set_hash.h>

#include <algorithm>
#include <set>
#include <variant>

namespace steelyard::dataplane {
namespace {

using net::IpAddress;
using netlink::RequestSocket;
using proxy::KernelTables;
using proxy::Op;
using proxy::SetId;
using proxy::VirtualServerKey;

constexpr std::uint32_t kOurMarks = 0x80000000;  // set in every mark of ours

bool is_ours(
    const proxy::ProxyConfig& config, const VirtualServerKey& key, const std::set<IpAddress>& bound
) {
    if (key.mark != 0) {
        return (key.mark & kOurMarks) != 0;
    }
    const IpAddress& address = key.endpoint.address;
    if (config.mode != proxy::Mode::Full) {
        return bound.contains(address);
    }
    return std::ranges::none_of(config.exclude_cidrs, [&](const net::Prefix& excluded) {
        return excluded.contains(address);
    });
}

class TablesObserver final : public Observer {
public:
    explicit TablesObserver(KernelTables& tables) : tables_(tables) {}
    void virtual_server(
        const VirtualServerKey& key,
        const proxy::Scheduling& scheduling,
        const proxy::RealServers& real_servers
    ) override {
        proxy::VirtualServer& server = tables_.virtual_servers[key];
        server.scheduling = scheduling;
        server.real_servers = real_servers;
    }
    // Who wants nothing, as a clean-up, goes by what our sets name.
    bool owns(const VirtualServerKey& key) const override {
        proxy::SetEntry frontend;
        frontend.ip = key.endpoint.address;
        frontend.protocol = key.protocol;
        frontend.port = key.endpoint.port;
        return std::ranges::any_of(tables_.sets, [&frontend](const auto& set) {
            return proxy::set_type(set.first.name) == proxy::SetType::HashIpPort &&
                   set.second.contains(frontend);
        });
    }
    void address(const IpAddress& address) override { tables_.addresses.insert(address); }
    void route(const IpAddress& address, const std::optional<IpAddress>& /*source*/) override {
        tables_.routes.insert(address);
    }
    void entry(const SetId& set, const proxy::SetEntry& entry, std::uint32_t mark) override {
        tables_.sets[set][entry] = mark;
    }

private:
    KernelTables& tables_;
};

}  // namespace

// Neighbouring operations of one subsystem.
struct Kernel::Run {
    Subsystem subsystem = Subsystem::Ipvs;
    std::size_t first = 0;
    std::size_t last = 0;  // one past
};

Kernel::Kernel(
    const asio::any_io_executor& executor,
    const proxy::ProxyConfig& config,
    const proxy::Names& names
)
    : executor_(executor), config_(config), names_(names) {}

Kernel::~Kernel() = default;

awaitable<Result<>> Kernel::open() {
    if (flows_) {
        co_return Result<>();
    }
    auto ipvs = IpvsTables::open(executor_);
    auto sets = SetTables::open(executor_, names_.prefix);
    auto bound = BoundAddresses::open(executor_, names_.link);
    auto flows = FlowPurge::open(executor_);
    for (const auto& error :
         {ipvs.has_error() ? std::optional(ipvs.error()) : std::nullopt,
          sets.has_error() ? std::optional(sets.error()) : std::nullopt,
          bound.has_error() ? std::optional(bound.error()) : std::nullopt,
          flows.has_error() ? std::optional(flows.error()) : std::nullopt}) {
        if (error) {
            co_return *error;
        }
    }
    // A kernel without IPVS can still be cleaned of the rest.
    if (auto found = co_await (*ipvs)->find(); !found && !is(found.error(), Errc::Unsupported)) {
        co_return found;
    }
    ipvs_ = std::move(*ipvs);
    sets_ = std::move(*sets);
    bound_ = std::move(*bound);
    flows_ = std::move(*flows);
    co_return Result<>();
}

awaitable<Result<>> Kernel::prepare() {
    if (auto opened = co_await open(); !opened) {
        co_return opened;
    }
    if (auto found = co_await ipvs_->find(); !found) {
        co_return found;
    }
    for (const netlink::Sysctl& setting : proxy_settings(running_kernel())) {
        if (auto written = netlink::ensure(setting); !written) {
            co_return written.error();
        }
    }
    if (auto ready = co_await ipvs_->prepare(config_); !ready) {
        co_return ready;
    }
    warnings_.clear();
    if (!co_await flows_->probe()) {
        warnings_.emplace_back(
            "the kernel lists no tracked flows: UDP clients of a real server that goes away hang "
            "until they pause; load the module nf_conntrack_netlink"
        );
    }
    co_return co_await ensure();
}

awaitable<Result<>> Kernel::ensure() {
    if (auto opened = co_await open(); !opened) {
        co_return opened;
    }
    // Its number is another one when the module was loaded anew.
    if (auto found = co_await ipvs_->find(); !found) {
        co_return found;
    }
    if (auto ready = co_await sets_->ensure(); !ready) {
        co_return ready;
    }
    co_return co_await bound_->ensure();
}

awaitable<Result<>> Kernel::read(Observer& observer) {
    if (auto opened = co_await open(); !opened) {
        co_return opened;
    }
    const auto bound = co_await bound_->read(observer);
    if (!bound) {
        co_return bound.error();
    }
    if (auto done = co_await sets_->read(observer); !done) {
        co_return done;
    }
    const IpvsTables::Owns owns = [&](const VirtualServerKey& key) {
        return is_ours(config_, key, *bound) || observer.owns(key);
    };
    co_return co_await ipvs_->read(owns, observer);
}

awaitable<Result<KernelTables>> Kernel::read() {
    KernelTables tables;
    TablesObserver observer(tables);
    if (auto done = co_await read(observer); !done) {
        co_return done.error();
    }
    co_return tables;
}

awaitable<Result<std::optional<proxy::VirtualServer>>> Kernel::read_server(
    const VirtualServerKey& key
) {
    if (auto opened = co_await open(); !opened) {
        co_return opened.error();
    }
    co_return co_await ipvs_->read_server(key);
}

awaitable<Result<bool>> Kernel::has(const VirtualServerKey& key) {
    if (auto opened = co_await open(); !opened) {
        co_return opened.error();
    }
    co_return co_await ipvs_->has(key);
}

awaitable<Outcome> Kernel::execute(const std::vector<Op>& ops) {
    Outcome outcome;
    Result<> ready = co_await open();
    if (ready && ipvs_->family() == 0) {
        ready = co_await ipvs_->find();
    }
    if (!ready) {
        for (std::size_t i = 0; i < ops.size(); ++i) {
            OpFailure failure{i, Verdict::TryLater, 0, ready.error().context};
            outcome.failures.push_back(std::move(failure));
        }
        co_return outcome;
    }
    for (std::size_t first = 0; first < ops.size();) {
        Run run;
        run.subsystem = subsystem_of(ops[first]);
        run.first = first;
        run.last = first;
        while (run.last < ops.size() && subsystem_of(ops[run.last]) == run.subsystem) {
            ++run.last;
        }
        co_await execute_run(ops, run, outcome);
        first = run.last;
    }
    co_return outcome;
}

awaitable<void> Kernel::execute_run(const std::vector<Op>& ops, Run run, Outcome& outcome) {
    RequestSocket* const socket = run.subsystem == Subsystem::Ipvs    ? &ipvs_->socket()
                                  : run.subsystem == Subsystem::Ipset ? &sets_->socket()
                                                                      : &bound_->socket();
    const Encoding with{ipvs_->family(), bound_->link_index(), names_.prefix};
    const RequestSocket::Encode encode_one = [&](std::size_t index) {
        return encode(ops[run.first + index], with);
    };
    auto result = co_await socket->batch(run.last - run.first, encode_one);
    outcome.sends += result.sends;
    if (run.subsystem == Subsystem::Ipset) {
        co_await make_room(ops, run.first, result);
        outcome.sends += result.sends;
    }
    for (std::size_t i = 0; i < result.errors.size(); ++i) {
        const std::size_t op = run.first + i;
        if (const auto verdict = judge(ops[op], result.errors[i])) {
            OpFailure failure;
            failure.op = op;
            failure.verdict = *verdict;
            failure.error = result.errors[i];
            failure.reason = explain(ops[op], failure.error);
            outcome.failures.push_back(std::move(failure));
        }
    }
}

// Sets that refused a member because they are full are enlarged, and the members offered again.
awaitable<void> Kernel::make_room(
    const std::vector<Op>& ops, std::size_t first, netlink::BatchResult& result
) {
    std::vector<std::size_t> refused;
    std::set<SetId> full;
    for (std::size_t i = 0; i < result.errors.size(); ++i) {
        const auto* const add = std::get_if<proxy::AddSetEntry>(&ops[first + i]);
        if (add != nullptr && result.errors[i] == IPSET_ERR_HASH_FULL) {
            refused.push_back(i);
            full.insert(add->set);
        }
    }
    result.sends = 0;
    for (const SetId& set : full) {
        // Refused as well: the members are refused again below, and said to be.
        (void)co_await sets_->enlarge(set);
    }
    const Encoding with{0, 0, names_.prefix};
    const RequestSocket::Encode encode_one = [&](std::size_t index) {
        return encode(ops[first + refused[index]], with);
    };
    const auto again = co_await sets_->socket().batch(refused.size(), encode_one);
    for (std::size_t i = 0; i < refused.size(); ++i) {
        result.errors[refused[i]] = again.errors[i];
    }
    result.sends = again.sends;
}

awaitable<Result<std::size_t>> Kernel::purge_flows(const conntrack::Frontends& frontends) {
    if (auto opened = co_await open(); !opened) {
        co_return opened.error();
    }
    co_return co_await flows_->purge(frontends);
}

awaitable<Result<std::vector<std::string>>> Kernel::remove() {
    if (auto opened = co_await open(); !opened) {
        co_return opened.error();
    }
    auto removed = co_await bound_->remove();
    if (!removed) {
        co_return removed;
    }
    const auto sets = co_await sets_->remove();
    if (!sets) {
        co_return sets.error();
    }
    for (const std::string& set : *sets) {
        removed->push_back("ipset " + set);
    }
    co_return removed;
}

}  // namespace steelyard::dataplane
