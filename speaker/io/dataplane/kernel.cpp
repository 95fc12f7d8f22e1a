#include "speaker/io/dataplane/kernel.hpp"

#include "speaker/io/netlink/sysctl.hpp"
#include "speaker/netlink/ipset.hpp"
#include "speaker/netlink/ipvs.hpp"
#include "speaker/netlink/link_table.hpp"

#include <boost/asio/post.hpp>

#include <linux/netlink.h>
#include <linux/rtnetlink.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <utility>

namespace steelyard::dataplane {
namespace {

namespace ipset = netlink::ipset;
namespace ipvs = netlink::ipvs;
using net::Family;
using netlink::Bytes;
using netlink::Reply;
using proxy::KernelTables;
using proxy::Op;
using proxy::VirtualServerKey;

constexpr std::size_t kDumpsPerTurn = 200;

template <class... Fs>
struct Overloaded : Fs... {
    using Fs::operator()...;
};
template <class... Fs>
Overloaded(Fs...) -> Overloaded<Fs...>;

bool is_errno(const Error& error, int number) {
    return error.code == boost::system::error_code(number, boost::system::system_category());
}

std::vector<netlink::Sysctl> settings() {
    return {
        {"net/ipv4/vs/conntrack", "1"},
        // A connection to a real server that is gone ends at its next packet instead of vanishing.
        {"net/ipv4/vs/expire_nodest_conn", "1"},
        {"net/ipv4/vs/expire_quiescent_template", "1"},
        {"net/ipv4/ip_forward", "1"},
        {"net/ipv6/conf/all/forwarding", "1", true},
        // Virtual addresses are announced by the speaker that owns them, never by the kernel.
        {"net/ipv4/conf/all/arp_ignore", "1"},
        {"net/ipv4/conf/all/arp_announce", "2"},
    };
}

// Whether an error leaves the kernel as the operation wanted it.
bool is_done(const Op& op, int error) {
    return std::visit(
        Overloaded{
            [error](const proxy::AddAddress&) { return error == EEXIST; },
            [error](const proxy::RemoveAddress&) { return error == EADDRNOTAVAIL; },
            [error](const proxy::RemoveVirtualServer&) { return error == ESRCH; },
            [error](const proxy::RemoveRealServer&) { return error == ENOENT || error == ESRCH; },
            [](const auto&) { return false; },
        },
        op
    );
}

}  // namespace

Kernel::Kernel(
    const asio::any_io_executor& executor,
    const proxy::ProxyConfig& config,
    const proxy::Names& names
)
    : executor_(executor), config_(config), names_(names) {}

awaitable<Result<>> Kernel::prepare() {
    if (auto opened = co_await open_sockets(); !opened) {
        co_return opened.error();
    }
    if (auto found = co_await find_ipvs(); !found) {
        co_return found.error();
    }
    for (const netlink::Sysctl& setting : settings()) {
        if (auto written = netlink::ensure(setting); !written) {
            co_return written.error();
        }
    }
    if (auto probed = co_await probe_scheduler(); !probed) {
        co_return probed.error();
    }
    if (auto sets = co_await ensure_sets(); !sets) {
        co_return sets.error();
    }
    co_return co_await ensure_link();
}

awaitable<Result<>> Kernel::open_sockets() {
    auto ipvs_socket = netlink::RequestSocket::open(executor_, NETLINK_GENERIC);
    auto ipset_socket = netlink::RequestSocket::open(executor_, NETLINK_NETFILTER);
    auto route_socket = netlink::RequestSocket::open(executor_, NETLINK_ROUTE);
    for (const auto* socket : {&ipvs_socket, &ipset_socket, &route_socket}) {
        if (!*socket) {
            co_return socket->error();
        }
    }
    ipvs_ = std::move(*ipvs_socket);
    ipset_ = std::move(*ipset_socket);
    route_ = std::move(*route_socket);
    co_return Result<>();
}

awaitable<Result<>> Kernel::find_ipvs() {
    auto replies = co_await ipvs_->exchange(ipvs::get_family());
    if (!replies && is_errno(replies.error(), ENOENT)) {
        co_return make_error(
            Errc::Unsupported, "the kernel has no IPVS: load the module ip_vs (modprobe ip_vs)"
        );
    }
    if (!replies) {
        co_return replies.error();
    }
    for (const Reply& reply : *replies) {
        if (const auto family = ipvs::decode_family(reply.payload)) {
            ipvs_family_ = *family;
            co_return Result<>();
        }
    }
    co_return make_error(Errc::Internal, "the kernel did not say which netlink family IPVS has");
}

// The only way to learn whether a scheduler's module is there is to use it: a virtual server on a
// documentation address (RFC 5737) comes and goes, as kube-proxy does it.
awaitable<Result<>> Kernel::probe_scheduler() {
    VirtualServerKey key;
    key.endpoint.address = net::IpAddress::v4(0xc6336400);  // 198.51.100.0
    key.endpoint.port = 20000;
    proxy::Scheduling scheduling;
    scheduling.scheduler = config_.scheduler;
    std::vector<Bytes> messages;
    messages.push_back(ipvs::new_service(ipvs_family_, key, scheduling));
    messages.push_back(ipvs::del_service(ipvs_family_, key));
    const auto seconds = std::chrono::seconds::zero();
    if (config_.tcp_timeout != seconds || config_.tcp_fin_timeout != seconds ||
        config_.udp_timeout != seconds) {
        messages.push_back(ipvs::set_timeouts(
            ipvs_family_, config_.tcp_timeout, config_.tcp_fin_timeout, config_.udp_timeout
        ));
    }
    auto result = co_await ipvs_->batch(std::move(messages));
    if (!result) {
        co_return result.error();
    }
    const int error = result->errors.front();
    if (error == ENOENT) {
        co_return make_error(
            Errc::Unsupported,
            "the kernel has no IPVS scheduler " + config_.scheduler + ": load the module ip_vs_" +
                config_.scheduler
        );
    }
    if (error != 0 && error != EEXIST) {
        co_return errno_error(error, "IPVS refuses a virtual server (is CAP_NET_ADMIN granted?)");
    }
    co_return Result<>();
}

awaitable<Result<>> Kernel::ensure_sets() {
    std::vector<Bytes> messages;
    std::vector<std::string> names;
    for (const Family family : {Family::V4, Family::V6}) {
        for (const proxy::SetName name : proxy::all_set_names()) {
            proxy::SetId set;
            set.name = name;
            set.family = family;
            const std::string type(proxy::to_string(proxy::set_type(name)));
            auto replies = co_await ipset_->exchange(ipset::get_type(set));
            if (!replies || replies->empty()) {
                const int error = replies ? ENOENT : replies.error().code.value();
                co_return make_error(
                    Errc::Unsupported,
                    "the kernel has no ipset type " + type + ": " + ipset::describe_error(error)
                );
            }
            const auto revision = ipset::decode_revision(replies->front().payload);
            names.push_back(proxy::set_name(set, names_.prefix));
            messages.push_back(ipset::create(names.back(), set, revision.value_or(0)));
        }
    }
    auto result = co_await ipset_->batch(std::move(messages));
    if (!result) {
        co_return result.error();
    }
    for (std::size_t i = 0; i < result->errors.size(); ++i) {
        const int error = result->errors[i];
        // A set that exists with other dimensions (kube-proxy's maxelem) is used as it is.
        if (error != 0 && error != EEXIST) {
            co_return make_error(
                Errc::Unsupported, "ipset " + names[i] + ": " + ipset::describe_error(error)
            );
        }
    }
    co_return Result<>();
}

awaitable<Result<>> Kernel::ensure_link() {
    std::vector<Bytes> messages;
    messages.push_back(netlink::new_dummy_link(names_.link));
    auto created = co_await route_->batch(std::move(messages));
    if (!created) {
        co_return created.error();
    }
    const int error = created->errors.front();
    if (error == EOPNOTSUPP) {
        co_return make_error(
            Errc::Unsupported, "the kernel has no dummy links: load the module dummy"
        );
    }
    if (error != 0 && error != EEXIST) {
        co_return errno_error(error, "dummy link " + names_.link);
    }
    auto links = co_await route_->exchange(netlink::dump_links());
    if (!links) {
        co_return links.error();
    }
    for (const Reply& reply : *links) {
        const auto link = netlink::decode_link(reply.payload);
        if (link && link->name == names_.link) {
            link_index_ = link->index;
            co_return Result<>();
        }
    }
    co_return make_error(Errc::Internal, "dummy link " + names_.link + " vanished");
}

awaitable<Result<KernelTables>> Kernel::read() {
    KernelTables tables;
    if (auto linked = co_await ensure_link(); !linked) {  // somebody may have deleted it
        co_return linked.error();
    }
    if (auto done = co_await ensure_sets(); !done) {
        co_return done.error();
    }
    if (auto done = co_await read_addresses(tables); !done) {
        co_return done.error();
    }
    if (auto done = co_await read_sets(tables); !done) {
        co_return done.error();
    }
    if (auto done = co_await read_servers(tables); !done) {
        co_return done.error();
    }
    co_return tables;
}

awaitable<Result<>> Kernel::read_addresses(KernelTables& tables) {
    auto replies = co_await route_->exchange(netlink::dump_addresses());
    if (!replies) {
        co_return replies.error();
    }
    for (const Reply& reply : *replies) {
        const auto found = netlink::decode_address(reply.payload);
        if (reply.type == RTM_NEWADDR && found && found->index == link_index_ &&
            !found->address.ip.is_link_local()) {
            tables.addresses.insert(found->address.ip);
        }
    }
    co_return Result<>();
}

awaitable<Result<>> Kernel::read_sets(KernelTables& tables) {
    for (const Family family : {Family::V4, Family::V6}) {
        for (const proxy::SetName name : proxy::all_set_names()) {
            proxy::SetId set;
            set.name = name;
            set.family = family;
            const std::string set_name = proxy::set_name(set, names_.prefix);
            auto replies = co_await ipset_->exchange(ipset::list(set_name));
            if (!replies) {
                co_return make_error(
                    replies.error().code,
                    "ipset " + set_name + ": " + ipset::describe_error(replies.error().code.value())
                );
            }
            for (const Reply& reply : *replies) {
                for (proxy::SetEntry& entry : ipset::decode_members(reply.payload, set)) {
                    tables.sets[set][entry] = 0;
                }
            }
        }
    }
    co_return Result<>();
}

awaitable<Result<>> Kernel::read_servers(KernelTables& tables) {
    auto services = co_await ipvs_->exchange(ipvs::dump_services(ipvs_family_));
    if (!services) {
        co_return services.error();
    }
    std::size_t dumps = 0;
    for (const Reply& reply : *services) {
        if (++dumps % kDumpsPerTurn == 0) {  // answers are there at once: let others run
            co_await asio::post(executor_, kAwait);
        }
        const auto service = ipvs::decode_service(reply.payload);
        if (!service || !owns(service->key, tables)) {
            continue;
        }
        auto dests = co_await ipvs_->exchange(ipvs::dump_dests(ipvs_family_, service->key));
        if (!dests && is_errno(dests.error(), ESRCH)) {
            continue;  // deleted meanwhile
        }
        if (!dests) {
            co_return dests.error();
        }
        proxy::VirtualServer& server = tables.virtual_servers[service->key];
        server.scheduling = service->scheduling;
        for (const Reply& dest : *dests) {
            const auto found =
                ipvs::decode_dest(dest.payload, service->key.endpoint.address.family());
            if (found) {
                server.real_servers.insert(*found);
            }
        }
    }
    co_return Result<>();
}

bool Kernel::owns(const VirtualServerKey& key, const KernelTables& tables) const {
    const net::IpAddress& address = key.endpoint.address;
    if (config_.mode != proxy::Mode::Full) {
        return tables.addresses.contains(address);
    }
    return std::none_of(
        config_.exclude_cidrs.begin(),
        config_.exclude_cidrs.end(),
        [&](const net::Prefix& excluded) { return excluded.contains(address); }
    );
}

Kernel::Subsystem Kernel::subsystem_of(const Op& op) {
    return std::visit(
        Overloaded{
            [](const proxy::AddSetEntry&) { return Subsystem::Ipset; },
            [](const proxy::RemoveSetEntry&) { return Subsystem::Ipset; },
            [](const proxy::AddAddress&) { return Subsystem::Route; },
            [](const proxy::RemoveAddress&) { return Subsystem::Route; },
            [](const auto&) { return Subsystem::Ipvs; },
        },
        op
    );
}

netlink::RequestSocket& Kernel::socket_of(Subsystem subsystem) {
    switch (subsystem) {
        case Subsystem::Ipvs:
            return *ipvs_;
        case Subsystem::Ipset:
            return *ipset_;
        case Subsystem::Route:
            break;
    }
    return *route_;
}

Bytes Kernel::encode(const Op& op) const {
    return std::visit(
        Overloaded{
            [&](const proxy::AddSetEntry& o) {
                return ipset::add(proxy::set_name(o.set, names_.prefix), o.set, o.entry);
            },
            [&](const proxy::RemoveSetEntry& o) {
                return ipset::del(proxy::set_name(o.set, names_.prefix), o.set, o.entry);
            },
            [&](const proxy::AddAddress& o) {
                return netlink::new_address(link_index_, o.address);
            },
            [&](const proxy::RemoveAddress& o) {
                return netlink::del_address(link_index_, o.address);
            },
            [&](const proxy::AddVirtualServer& o) {
                return ipvs::new_service(ipvs_family_, o.key, o.scheduling);
            },
            [&](const proxy::SetVirtualServer& o) {
                return ipvs::set_service(ipvs_family_, o.key, o.scheduling);
            },
            [&](const proxy::RemoveVirtualServer& o) {
                return ipvs::del_service(ipvs_family_, o.key);
            },
            [&](const proxy::AddRealServer& o) {
                return ipvs::new_dest(ipvs_family_, o.key, o.endpoint, o.weight);
            },
            [&](const proxy::SetRealServer& o) {
                return ipvs::set_dest(ipvs_family_, o.key, o.endpoint, o.weight);
            },
            [&](const proxy::RemoveRealServer& o) {
                return ipvs::del_dest(ipvs_family_, o.key, o.endpoint);
            },
        },
        op
    );
}

awaitable<Result<Outcome>> Kernel::execute(const std::vector<Op>& ops) {
    Outcome outcome;
    outcome.failures.resize(ops.size());
    for (std::size_t first = 0; first < ops.size();) {
        const Subsystem subsystem = subsystem_of(ops[first]);
        std::size_t last = first;
        std::vector<Bytes> messages;
        while (last < ops.size() && subsystem_of(ops[last]) == subsystem) {
            messages.push_back(encode(ops[last++]));
        }
        auto result = co_await socket_of(subsystem).batch(std::move(messages));
        if (!result) {
            co_return result.error();
        }
        outcome.sends += result->sends;
        for (std::size_t i = first; i < last; ++i) {
            const int error = result->errors[i - first];
            if (error != 0 && !is_done(ops[i], error)) {
                outcome.drifted =
                    outcome.drifted || error == EEXIST || error == ENOENT || error == ESRCH;
                outcome.failures[i] = to_string(ops[i]) + ": " + ipset::describe_error(error);
            }
        }
        first = last;
    }
    co_return outcome;
}

awaitable<Result<>> Kernel::remove() {
    std::vector<Bytes> links;
    links.push_back(netlink::del_link(link_index_));
    auto removed = co_await route_->batch(std::move(links));
    if (!removed) {
        co_return removed.error();
    }
    std::vector<Bytes> sets;
    for (const Family family : {Family::V4, Family::V6}) {
        for (const proxy::SetName name : proxy::all_set_names()) {
            proxy::SetId set;
            set.name = name;
            set.family = family;
            sets.push_back(ipset::destroy(proxy::set_name(set, names_.prefix)));
        }
    }
    auto destroyed = co_await ipset_->batch(std::move(sets));
    if (!destroyed) {
        co_return destroyed.error();
    }
    for (const int error : destroyed->errors) {
        if (error != 0 && error != ENOENT) {
            co_return make_error(Errc::Unavailable, "ipset: " + ipset::describe_error(error));
        }
    }
    co_return Result<>();
}

}  // namespace steelyard::dataplane
