#include "speaker/netlink/conntrack.hpp"
#include "speaker/netlink/ipset.hpp"
#include "speaker/netlink/ipvs.hpp"
#include "speaker/netlink/link_table.hpp"
#include "speaker/netlink/route.hpp"

#include <cstddef>
#include <cstdint>
#include <span>

// Any bytes in place of a kernel datagram: every parser must survive them.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace steelyard;
    netlink::LinkTable table({"kube-ipvs0"});
    for (const netlink::Message& message : netlink::split(std::as_bytes(std::span(data, size)))) {
        (void)netlink::decode_ack(message);
        (void)netlink::ipvs::decode_family(message.payload);
        (void)netlink::ipvs::decode_service(message.payload);
        (void)netlink::ipvs::decode_dest(message.payload, net::Family::V4);
        (void)netlink::ipvs::decode_timeouts(message.payload);
        (void)netlink::ipset::decode_revisions(message.payload);
        (void)netlink::ipset::decode_header(message.payload);
        for (const proxy::SetName name : proxy::all_set_names()) {
            netlink::ipset::decode_members(
                message.payload, {name, net::Family::V4}, [](const auto&, auto) {}
            );
        }
        (void)netlink::decode_local_route(message.payload);
        (void)netlink::conntrack::decode_stats(message.payload);
        if (const auto flow = netlink::conntrack::decode_flow(message.payload)) {
            (void)netlink::conntrack::del(*flow);
        }
        table.apply(message.type, message.payload);
    }
    (void)table.snapshot();
    return 0;
}
