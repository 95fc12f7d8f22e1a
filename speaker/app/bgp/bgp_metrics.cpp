#include "speaker/app/bgp/bgp_metrics.hpp"

#include <string>
#include <utility>

namespace steelyard::speaker {
namespace {

using Samples = std::map<metrics::Labels, double>;

double number(std::uint64_t count) {
    return static_cast<double>(count);
}

metrics::Labels labels_of(const io::BgpPeerStatus& peer) {
    return {{"peer", to_string(peer.remote)}, {"name", peer.name}};
}

// Samples of one family, a peer each.
template <class Value>
Samples by_peer(const io::BgpStatus& peers, const Value& value) {
    Samples samples;
    for (const io::BgpPeerStatus& peer : peers) {
        samples[labels_of(peer)] = value(peer);
    }
    return samples;
}

struct Total {
    const char* name;
    const char* help;
    std::uint64_t (*value)(const bgp::Counters& counters);
};

constexpr Total kTotals[] = {
    {"metallb_bgp_opens_sent",
     "OPENs sent.",
     [](const auto& c) {
         return c.out.opens;
     }},
    {"metallb_bgp_opens_received",
     "OPENs received.",
     [](const auto& c) {
         return c.in.opens;
     }},
    {"metallb_bgp_notifications_sent",
     "NOTIFICATIONs sent.",
     [](const auto& c) {
         return c.out.notifications;
     }},
    {"metallb_bgp_updates_total",
     "UPDATEs sent.",
     [](const auto& c) {
         return c.out.updates;
     }},
    {"metallb_bgp_updates_total_received",
     "UPDATEs received.",
     [](const auto& c) {
         return c.in.updates;
     }},
    {"metallb_bgp_keepalives_sent",
     "KEEPALIVEs sent.",
     [](const auto& c) {
         return c.out.keepalives;
     }},
    {"metallb_bgp_keepalives_received",
     "KEEPALIVEs received.",
     [](const auto& c) {
         return c.in.keepalives;
     }},
    {"metallb_bgp_route_refresh_sent",
     "ROUTE-REFRESHes sent.",
     [](const auto& c) {
         return c.out.route_refreshes;
     }},
    {"metallb_bgp_total_sent",
     "Messages sent.",
     [](const auto& c) {
         return c.out.total();
     }},
    {"metallb_bgp_total_received",
     "Messages received.",
     [](const auto& c) {
         return c.in.total();
     }},
    {"steelyard_bgp_bytes_sent_total",
     "Bytes sent.",
     [](const auto& c) {
         return c.out.bytes;
     }},
    {"steelyard_bgp_sessions_lost_total",
     "Sessions that ended.",
     [](const auto& c) {
         return c.dropped;
     }},
    {"steelyard_bgp_routes_refused_total",
     "Routes the peer sent; none is taken.",
     [](const auto& c) {
         return c.v4.announced + c.v6.announced;
     }},
    {"steelyard_bgp_malformed_updates_total",
     "UPDATEs received with an error.",
     [](const auto& c) {
         return c.attribute_discards + c.treated_as_withdraw + c.families_disabled +
                c.update_resets;
     }},
};

std::string address_of(const io::BgpStatus& peers, const std::string& name) {
    for (const io::BgpPeerStatus& peer : peers) {
        if (peer.name == name) {
            return to_string(peer.remote.address);
        }
    }
    return "";
}

void count_bfd(metrics::Registry& registry, const BgpCounters& counters) {
    Samples up;
    std::map<std::string, std::pair<std::string, Samples>> totals;
    for (const io::BfdSessionStatus& bfd : counters.bfd) {
        const metrics::Labels labels{
            {"peer", address_of(*counters.peers, bfd.key)}, {"name", bfd.key}};
        const bfd::Counters& count = bfd.session.counters;
        up[labels] = bfd.session.state == bfd::State::Up ? 1 : 0;
        const auto add = [&](const char* name, const char* help, std::uint64_t value) {
            auto& family = totals[name];
            family.first = help;
            family.second[labels] = number(value);
        };
        add("metallb_bfd_control_packet_input", "BFD packets received.", count.received);
        add("metallb_bfd_control_packet_output", "BFD packets sent.", count.sent);
        add("metallb_bfd_echo_packet_input", "BFD echoes received.", count.echoes_received);
        add("metallb_bfd_echo_packet_output", "BFD echoes sent.", count.echoes_sent);
        add("metallb_bfd_session_up_events", "Times a BFD session came up.", count.ups);
        add("metallb_bfd_session_down_events", "Times a BFD session failed.", count.downs);
    }
    registry.gauge("metallb_bfd_session_up", "1 while the BFD session is up.").replace(up);
    for (const auto& [name, family] : totals) {
        registry.counter(name, family.first).replace(family.second);
    }
    Samples dropped;
    for (std::size_t i = 0; i < counters.bfd_drops.size(); ++i) {
        const std::string reason(to_string(static_cast<bfd::Drop>(i)));
        dropped[{{"reason", reason}}] = number(counters.bfd_drops[i]);
    }
    registry.counter("steelyard_bfd_dropped_total", "Received BFD packets that led to nothing.")
        .replace(dropped);
}

}  // namespace

void count_bgp(metrics::Registry& registry, const BgpCounters& counters, std::size_t routes) {
    const io::BgpStatus& peers = *counters.peers;
    const auto sent = [](const io::BgpPeerStatus& peer) {
        return static_cast<double>(peer.prefixes_v4 + peer.prefixes_v6);
    };
    registry.gauge("metallb_bgp_session_up", "1 while the session is established.")
        .replace(by_peer(peers, [](const io::BgpPeerStatus& peer) {
            return peer.state == bgp::State::Established ? 1.0 : 0.0;
        }));
    registry.gauge("metallb_bgp_announced_prefixes_total", "Prefixes the peer has from us.")
        .replace(by_peer(peers, sent));
    registry.gauge("metallb_bgp_pending_prefixes_total", "Prefixes it is still to be sent.")
        .replace(by_peer(peers, [&](const io::BgpPeerStatus& peer) {
            const auto planned = static_cast<double>(routes);
            return peer.in_sync || planned < sent(peer) ? 0.0 : planned - sent(peer);
        }));
    for (const Total& total : kTotals) {
        registry.counter(total.name, total.help)
            .replace(by_peer(peers, [&](const io::BgpPeerStatus& peer) {
                return number(total.value(peer.counters));
            }));
    }
    registry
        .counter("steelyard_bgp_unknown_callers_total", "Connections of nobody that is configured.")
        .replace({{metrics::Labels(), number(counters.unknown_callers)}});
    count_bfd(registry, counters);
}

void add_announced(
    const speaker_plan::BgpPlan& plan,
    const std::string& node_name,
    std::map<metrics::Labels, double>& samples
) {
    for (const auto& [key, service] : plan.services) {
        for (const speaker_plan::BgpAddress& address : service->addresses) {
            if (!address.prefixes.empty()) {
                samples.emplace(
                    metrics::Labels{
                        {"service", to_string(key)},
                        {"protocol", "bgp"},
                        {"node", node_name},
                        {"ip", to_string(address.address)}},
                    1.0
                );
            }
        }
    }
}

}  // namespace steelyard::speaker
