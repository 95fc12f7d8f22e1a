#include "speaker/io/dataplane/kernel_ops.hpp"

#include "speaker/io/dataplane/netlink_error.hpp"
#include "speaker/io/netlink/socket.hpp"
#include "speaker/netlink/ipset.hpp"
#include "speaker/netlink/ipvs.hpp"
#include "speaker/netlink/link_table.hpp"
#include "speaker/netlink/route.hpp"

#include <cerrno>

namespace steelyard::dataplane {
namespace {

namespace ipset = netlink::ipset;
namespace ipvs = netlink::ipvs;
using netlink::Bytes;
using proxy::Op;

template <class... Fs>
struct Overloaded : Fs... {
    using Fs::operator()...;
};
template <class... Fs>
Overloaded(Fs...) -> Overloaded<Fs...>;

// Whether an error leaves the kernel as the operation wanted it.
bool is_done(const Op& op, int error) {
    return std::visit(
        Overloaded{
            [error](const proxy::AddAddress&) { return error == EEXIST; },
            [error](const proxy::RemoveAddress&) { return error == EADDRNOTAVAIL; },
            [error](const proxy::AddRoute&) { return error == EEXIST; },
            [error](const proxy::RemoveRoute&) { return error == ESRCH; },
            [error](const proxy::RemoveVirtualServer&) { return error == ESRCH; },
            [error](const proxy::RemoveRealServer&) { return error == ENOENT || error == ESRCH; },
            [](const auto&) { return false; },
        },
        op
    );
}

}  // namespace

Subsystem subsystem_of(const Op& op) {
    return std::visit(
        Overloaded{
            [](const proxy::AddSetEntry&) { return Subsystem::Ipset; },
            [](const proxy::RemoveSetEntry&) { return Subsystem::Ipset; },
            [](const proxy::AddAddress&) { return Subsystem::Route; },
            [](const proxy::RemoveAddress&) { return Subsystem::Route; },
            [](const proxy::AddRoute&) { return Subsystem::Route; },
            [](const proxy::RemoveRoute&) { return Subsystem::Route; },
            [](const auto&) { return Subsystem::Ipvs; },
        },
        op
    );
}

Bytes encode(const Op& op, const Encoding& with) {
    return std::visit(
        Overloaded{
            [&](const proxy::AddSetEntry& o) {
                return ipset::add(proxy::set_name(o.set, with.prefix), o.set, o.entry, o.mark);
            },
            [&](const proxy::RemoveSetEntry& o) {
                return ipset::del(proxy::set_name(o.set, with.prefix), o.set, o.entry);
            },
            [&](const proxy::AddAddress& o) {
                return netlink::new_address(with.link_index, o.address);
            },
            [&](const proxy::RemoveAddress& o) {
                return netlink::del_address(with.link_index, o.address);
            },
            [](const proxy::AddRoute& o) {
                return netlink::new_local_route({o.address, o.source});
            },
            [](const proxy::RemoveRoute& o) { return netlink::del_local_route(o.address); },
            [&](const proxy::AddVirtualServer& o) {
                return ipvs::new_service(with.ipvs_family, o.key, o.scheduling);
            },
            [&](const proxy::SetVirtualServer& o) {
                return ipvs::set_service(with.ipvs_family, o.key, o.scheduling);
            },
            [&](const proxy::RemoveVirtualServer& o) {
                return ipvs::del_service(with.ipvs_family, o.key);
            },
            [&](const proxy::AddRealServer& o) {
                return ipvs::new_dest(with.ipvs_family, o.key, o.endpoint, o.weight);
            },
            [&](const proxy::SetRealServer& o) {
                return ipvs::set_dest(with.ipvs_family, o.key, o.endpoint, o.weight);
            },
            [&](const proxy::RemoveRealServer& o) {
                return ipvs::del_dest(with.ipvs_family, o.key, o.endpoint);
            },
        },
        op
    );
}

std::optional<Verdict> judge(const Op& op, int error) {
    if (error == 0 || is_done(op, error)) {
        return std::nullopt;
    }
    switch (error) {
        case netlink::kAnswerLost:
            return Verdict::Unknown;
        case ENOMEM:
        case ENOBUFS:
        case EAGAIN:
        case EBUSY:
        case EINTR:
            return Verdict::TryLater;
        case EEXIST:
        case ENOENT:
        case ESRCH:
        case ENODEV:  // the link
        case EADDRNOTAVAIL:
            return Verdict::Drifted;
        default:
            return Verdict::Refused;
    }
}

std::string explain(const Op& op, int error) {
    const proxy::Object object = proxy::object_of(op);
    const auto* const element = std::get_if<proxy::SetElement>(&object);
    if (element == nullptr || error == netlink::kAnswerLost) {
        return to_string(op) + ": " + describe(error);
    }
    return to_string(op) + ": " + ipset::describe_error(error, proxy::set_type(element->set.name));
}

}  // namespace steelyard::dataplane
