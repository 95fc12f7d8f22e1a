#include "speaker/bgp/rib/session_view.hpp"

#include <algorithm>
#include <bit>

namespace steelyard::bgp_rib {
namespace {

constexpr std::uint32_t kGracefulShutdown = 0xffff0000U;  // 65535:0, RFC 8326
constexpr float kBytesPerEndpoint = 125'000;              // 1 Mbit/s

template <class T>
void insert_sorted(std::vector<T>& values, const T& value) {
    const auto at = std::lower_bound(values.begin(), values.end(), value);
    if (at == values.end() || *at != value) {
        values.insert(at, value);
    }
}

// RFC 9234 5: towards a customer, a peer or a client of a route server.
bool marks_only_to_customer(const SessionView& session) {
    using bgp_wire::Role;
    return !session.ibgp && (session.role == Role::Provider || session.role == Role::Peer ||
                             session.role == Role::RouteServer);
}

}  // namespace

std::string_view to_string(Unsendable reason) {
    switch (reason) {
        case Unsendable::NotNegotiated:
            return "the peer did not agree to this address family";
        case Unsendable::NoNextHop:
            return "no address of this node on the session can be the next hop";
    }
    return "";
}

std::variant<NextHop, Unsendable> choose_next_hop(const SessionView& session, net::Family family) {
    using bgp_wire::Nlri;
    const bool v4 = family == net::Family::V4;
    if (!(v4 ? session.v4 : session.v6)) {
        return Unsendable::NotNegotiated;
    }
    if (v4 && session.next_hop_v4) {
        return NextHop{*session.next_hop_v4, std::nullopt, Nlri::Classic};
    }
    if (v4 && !session.v4_over_v6) {
        return Unsendable::NoNextHop;
    }
    if (session.next_hop_v6) {
        return NextHop{*session.next_hop_v6, session.next_hop_link_local, Nlri::Multiprotocol};
    }
    // A link has no global address: the link-local one alone, which BIRD, FRR and GoBGP take.
    if (session.next_hop_link_local) {
        return NextHop{*session.next_hop_link_local, std::nullopt, Nlri::Multiprotocol};
    }
    return Unsendable::NoNextHop;
}

bgp_wire::ExtendedCommunity link_bandwidth(std::uint32_t asn, std::uint32_t weight) {
    const std::uint32_t shown = asn > 0xffff ? bgp_wire::kAsTrans : asn;
    const auto bandwidth =
        std::bit_cast<std::uint32_t>(static_cast<float>(weight) * kBytesPerEndpoint);
    const auto octet = [](std::uint32_t value, unsigned shift) {
        return static_cast<std::uint8_t>(value >> shift);
    };
    return {
        {0x40,
         0x04,
         octet(shown, 8),
         octet(shown, 0),
         octet(bandwidth, 24),
         octet(bandwidth, 16),
         octet(bandwidth, 8),
         octet(bandwidth, 0)}};
}

bgp_wire::PathAttributes make_attributes(
    const Attributes& route, const SessionView& session, const NextHop& next_hop, bool shutdown
) {
    bgp_wire::PathAttributes out;
    out.as4 = session.as4;
    out.med = route.med;
    out.communities = route.communities;
    out.large = route.large;
    out.extended = route.extended;
    out.next_hop = next_hop.address;
    out.next_hop_link_local = next_hop.link_local;
    if (session.ibgp) {
        out.local_pref = shutdown ? 0 : route.local_pref.value_or(session.default_local_pref);
    } else {
        out.as_path.assign(std::size_t{1} + route.prepend, session.local_asn);
    }
    if (shutdown) {
        insert_sorted(out.communities, kGracefulShutdown);
    }
    if (route.link_bandwidth_weight) {
        insert_sorted(
            out.extended, link_bandwidth(session.local_asn, *route.link_bandwidth_weight)
        );
    }
    if (marks_only_to_customer(session)) {
        out.only_to_customer = session.local_asn;
    }
    return out;
}

bool same_on(
    const SessionView& session, const Attributes& left, const Attributes& right, bool shutdown
) {
    const auto local_pref = [&](const Attributes& route) {
        return shutdown ? 0 : route.local_pref.value_or(session.default_local_pref);
    };
    const bool special =
        session.ibgp ? local_pref(left) == local_pref(right) : left.prepend == right.prepend;
    return special && left.med == right.med && left.communities == right.communities &&
           left.large == right.large && left.extended == right.extended &&
           left.link_bandwidth_weight == right.link_bandwidth_weight;
}

}  // namespace steelyard::bgp_rib
