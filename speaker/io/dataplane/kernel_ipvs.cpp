#include "speaker/io/dataplane/kernel_ipvs.hpp"

#include "speaker/io/dataplane/netlink_error.hpp"

#include <boost/asio/post.hpp>

#include <linux/netlink.h>

#include <cerrno>
#include <utility>
#include <vector>

namespace steelyard::dataplane {
namespace {

namespace ipvs = netlink::ipvs;
using netlink::Bytes;
using netlink::Message;
using netlink::Reply;
using netlink::RequestSocket;
using proxy::VirtualServerKey;

constexpr std::size_t kServersPerTurn = 200;  // some 5 ms where system calls are slow

std::uint32_t weight_of(const ipvs::Dest& dest) {
    return dest.masquerading ? dest.weight : proxy::kForwardsOtherwise;
}

}  // namespace

IpvsTables::IpvsTables(const asio::any_io_executor& executor, std::unique_ptr<RequestSocket> socket)
    : executor_(executor), socket_(std::move(socket)) {}

Result<std::unique_ptr<IpvsTables>> IpvsTables::open(const asio::any_io_executor& executor) {
    auto socket = RequestSocket::open(executor, NETLINK_GENERIC);
    if (!socket) {
        return socket.error();
    }
    return std::unique_ptr<IpvsTables>(new IpvsTables(executor, std::move(*socket)));
}

awaitable<Result<>> IpvsTables::find() {
    auto replies = co_await socket_->exchange(ipvs::get_family());
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
            family_ = *family;
            co_return Result<>();
        }
    }
    co_return make_error(Errc::Internal, "the kernel did not say which netlink family IPVS has");
}

awaitable<Result<>> IpvsTables::prepare(const proxy::ProxyConfig& config) {
    if (auto probed = co_await probe_scheduler(config.scheduler); !probed) {
        co_return probed.error();
    }
    co_return co_await write_timeouts(config);
}

// The only way to learn whether a scheduler's module is there is to use it: a virtual server on a
// documentation address (RFC 5737) comes and goes, as kube-proxy does it.
awaitable<Result<>> IpvsTables::probe_scheduler(const std::string& scheduler) {
    VirtualServerKey key;
    key.endpoint.address = net::IpAddress::v4(0xc6336400);  // 198.51.100.0
    key.endpoint.port = 20000;
    proxy::Scheduling scheduling;
    scheduling.scheduler = scheduler;
    std::vector<Bytes> messages;
    messages.push_back(ipvs::new_service(family_, key, scheduling));
    messages.push_back(ipvs::del_service(family_, key));
    const auto result = co_await socket_->batch(std::move(messages));
    const int error = result.errors.front();
    if (error == ENOENT) {
        co_return make_error(
            Errc::Unsupported,
            "the kernel has no IPVS scheduler " + scheduler + ": load the module ip_vs_" + scheduler
        );
    }
    if (error != 0 && error != EEXIST) {
        co_return refusal(error, "IPVS refuses a virtual server (is CAP_NET_ADMIN granted?)");
    }
    co_return Result<>();
}

awaitable<Result<>> IpvsTables::write_timeouts(const proxy::ProxyConfig& config) {
    ipvs::Timeouts wanted;
    wanted.tcp = config.tcp_timeout;
    wanted.tcp_fin = config.tcp_fin_timeout;
    wanted.udp = config.udp_timeout;
    const auto replies = co_await socket_->exchange(ipvs::get_timeouts(family_));
    if (!replies) {
        co_return replies.error();
    }
    const auto present =
        replies->empty() ? std::nullopt : ipvs::decode_timeouts(replies->front().payload);
    const auto keeps = [](std::chrono::seconds chosen, std::chrono::seconds found) {
        return chosen.count() == 0 || chosen == found;
    };
    if (present && keeps(wanted.tcp, present->tcp) && keeps(wanted.tcp_fin, present->tcp_fin) &&
        keeps(wanted.udp, present->udp)) {
        co_return Result<>();
    }
    std::vector<Bytes> messages;
    messages.push_back(ipvs::set_timeouts(family_, wanted));
    const auto result = co_await socket_->batch(std::move(messages));
    if (result.errors.front() != 0) {
        co_return refusal(result.errors.front(), "IPVS timeouts");
    }
    co_return Result<>();
}

Result<bool> IpvsTables::read_dests_at_once(
    const VirtualServerKey& key, proxy::RealServers& real_servers
) {
    const auto family = key.endpoint.address.family();
    const RequestSocket::OnMessage collect = [family, &real_servers](const Message& message) {
        if (const auto dest = ipvs::decode_dest(message.payload, family)) {
            real_servers.emplace(dest->endpoint, weight_of(*dest));
        }
    };
    Bytes request = ipvs::dump_dests(family_, key);
    auto done = socket_->dump_at_once(request, collect);
    if (!done && is_errno(done.error(), ESRCH)) {
        return true;  // deleted meanwhile
    }
    return done;
}

awaitable<Result<>> IpvsTables::read_dests(
    const VirtualServerKey& key, proxy::RealServers& real_servers
) {
    const auto family = key.endpoint.address.family();
    const RequestSocket::OnMessage collect = [family, &real_servers](const Message& message) {
        if (const auto dest = ipvs::decode_dest(message.payload, family)) {
            real_servers.emplace(dest->endpoint, weight_of(*dest));
        }
    };
    const RequestSocket::OnRestart forget = [&real_servers] {
        real_servers = proxy::RealServers();
    };
    auto done = co_await socket_->dump(ipvs::dump_dests(family_, key), collect, forget);
    if (!done && is_errno(done.error(), ESRCH)) {
        co_return Result<>();
    }
    co_return done;
}

awaitable<Result<>> IpvsTables::read(const Owns& owns, Observer& observer) {
    if (family_ == 0) {
        co_return Result<>();
    }
    std::vector<ipvs::Service> services;
    const RequestSocket::OnMessage collect = [&](const Message& message) {
        auto service = ipvs::decode_service(message.payload);
        if (service && owns(service->key)) {
            services.push_back(std::move(*service));
        }
    };
    const RequestSocket::OnRestart forget = [&services] {
        services.clear();
    };
    auto listed = co_await socket_->dump(ipvs::dump_services(family_), collect, forget);
    if (!listed) {
        co_return listed;
    }
    std::size_t read = 0;
    for (const ipvs::Service& service : services) {
        if (++read % kServersPerTurn == 0) {  // answers are there at once: let others run
            co_await asio::post(executor_, kAwait);
        }
        proxy::RealServers real_servers;
        const auto complete = read_dests_at_once(service.key, real_servers);
        if (!complete) {
            co_return complete.error();
        }
        if (!*complete) {
            real_servers = proxy::RealServers();
            if (auto done = co_await read_dests(service.key, real_servers); !done) {
                co_return done;
            }
        }
        observer.virtual_server(service.key, service.scheduling, real_servers);
    }
    co_return Result<>();
}

awaitable<Result<std::optional<proxy::VirtualServer>>> IpvsTables::read_server(
    const VirtualServerKey& key
) {
    std::optional<proxy::VirtualServer> server;
    if (family_ == 0) {
        co_return server;
    }
    const auto replies = co_await socket_->exchange(ipvs::get_service(family_, key));
    if (!replies && is_errno(replies.error(), ESRCH)) {
        co_return server;
    }
    if (!replies) {
        co_return replies.error();
    }
    const auto service =
        replies->empty() ? std::nullopt : ipvs::decode_service(replies->front().payload);
    if (!service) {
        co_return make_error(Errc::Internal, "IPVS shows " + to_string(key) + " unreadably");
    }
    server.emplace();
    server->scheduling = service->scheduling;
    if (auto done = co_await read_dests(key, server->real_servers); !done) {
        co_return done.error();
    }
    co_return server;
}

awaitable<Result<bool>> IpvsTables::has(const VirtualServerKey& key) {
    if (family_ == 0) {
        co_return false;
    }
    const auto replies = co_await socket_->exchange(ipvs::get_service(family_, key));
    if (!replies && is_errno(replies.error(), ESRCH)) {
        co_return false;
    }
    if (!replies) {
        co_return replies.error();
    }
    co_return true;
}

}  // namespace steelyard::dataplane
