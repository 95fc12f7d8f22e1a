#include "speaker/io/dataplane/leftovers.hpp"

#include "speaker/io/dataplane/netlink_error.hpp"
#include "speaker/io/netlink/socket.hpp"
#include "speaker/netlink/ipset.hpp"
#include "speaker/proxy/rules/rules.hpp"
#include "speaker/proxy/tables.hpp"

#include <linux/netlink.h>

#include <cerrno>

namespace steelyard::dataplane {
namespace {

using netlink::RequestSocket;
using proxy::SetName;

// kube-proxy has no set of these names.
bool is_only_ours(proxy::Mode mode, SetName name) {
    return mode == proxy::Mode::LoadBalancer || name == SetName::InternalMark ||
           name == SetName::AffinityMark || name == SetName::NoLocal ||
           name == SetName::ServiceCidr;
}

}  // namespace

Leftovers leftovers_among(const std::set<std::string>& ipsets) {
    Leftovers found;
    for (const proxy::Mode mode : {proxy::Mode::Full, proxy::Mode::LoadBalancer}) {
        for (const SetName name : proxy::all_set_names()) {
            for (const net::Family family : {net::Family::V4, net::Family::V6}) {
                std::string text = proxy::set_name({name, family}, proxy::names_for(mode).prefix);
                if (is_only_ours(mode, name) && ipsets.contains(text)) {
                    found.emplace(mode, std::move(text));
                }
            }
        }
    }
    return found;
}

awaitable<Result<Leftovers>> find_leftovers(asio::any_io_executor executor) {
    auto socket = RequestSocket::open(executor, NETLINK_NETFILTER);
    if (!socket) {
        co_return socket.error();
    }
    std::set<std::string> names;
    const RequestSocket::OnMessage collect = [&names](const netlink::Message& message) {
        if (auto header = netlink::ipset::decode_header(message.payload)) {
            names.insert(std::move(header->name));
        }
    };
    const RequestSocket::OnRestart forget = [&names] {
        names.clear();
    };
    const auto done = co_await (*socket)->dump(netlink::ipset::dump_headers(), collect, forget);
    // A kernel without ipset calls the request an invalid message.
    if (!done && !is_errno(done.error(), EINVAL)) {
        co_return make_error(done.error().code, "ipset list: " + describe(done.error()));
    }
    co_return leftovers_among(names);
}

}  // namespace steelyard::dataplane
