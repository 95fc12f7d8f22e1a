#pragma once

#include "common/base/rng.hpp"
#include "speaker/bgp/wire/open.hpp"
#include "speaker/bgp/wire/testing.hpp"
#include "speaker/bgp/wire/update_pack.hpp"

#include <string>
#include <vector>

// Random valid values of this room, for its property tests.
namespace steelyard::bgp_wire {

inline bool coin(Rng& rng) {
    return rng.below(2) == 0;
}

inline std::uint32_t any_u32(Rng& rng) {
    return static_cast<std::uint32_t>(rng.next());
}

inline net::IpAddress any_v6(Rng& rng) {
    std::array<std::uint8_t, 16> bytes{0x20, 0x01, 0x0d, 0xb8};
    for (std::size_t i = 4; i < bytes.size(); ++i) {
        bytes.at(i) = static_cast<std::uint8_t>(rng.next());
    }
    return net::IpAddress::v6(bytes);
}

inline net::Prefix any_prefix(Rng& rng, net::Family family) {
    if (family == net::Family::V4) {
        return {net::IpAddress::v4(any_u32(rng)), static_cast<unsigned>(rng.below(33))};
    }
    return {any_v6(rng), static_cast<unsigned>(32 + rng.below(97))};
}

inline std::vector<net::Prefix> some_prefixes(Rng& rng, net::Family family, std::size_t most) {
    std::vector<net::Prefix> out;
    for (std::size_t count = 1 + rng.below(most); count > 0; --count) {
        out.push_back(any_prefix(rng, family));
    }
    return out;
}

inline PathAttributes any_attributes(Rng& rng, bool ibgp) {
    PathAttributes out;
    out.origin = static_cast<Origin>(rng.below(3));
    out.as4 = coin(rng);
    for (std::size_t count = rng.below(rng.below(20) == 0 ? 600 : 4); count > 0; --count) {
        out.as_path.push_back(
            1 + static_cast<std::uint32_t>(rng.below(coin(rng) ? 60000 : 1U << 31U))
        );
    }
    if (coin(rng)) {
        out.med = any_u32(rng);
    }
    if (ibgp) {
        out.local_pref = any_u32(rng);
    }
    for (std::size_t count = rng.below(rng.below(10) == 0 ? 100 : 3); count > 0; --count) {
        out.communities.push_back(any_u32(rng));
        out.large.push_back({any_u32(rng), any_u32(rng), any_u32(rng)});
        out.extended.push_back({{0, 2, 1, static_cast<std::uint8_t>(rng.next()), 5, 6, 7, 8}});
    }
    if (coin(rng)) {
        out.only_to_customer = any_u32(rng);
    }
    return out;
}

struct AnyUpdate {
    net::Family family = net::Family::V4;
    Nlri nlri = Nlri::Classic;
    bool ibgp = false;
    PathAttributes attributes;
};

inline AnyUpdate any_update(Rng& rng) {
    AnyUpdate out;
    out.family = coin(rng) ? net::Family::V4 : net::Family::V6;
    out.nlri = out.family == net::Family::V4 && coin(rng) ? Nlri::Classic : Nlri::Multiprotocol;
    out.ibgp = coin(rng);
    out.attributes = any_attributes(rng, out.ibgp);
    out.attributes.next_hop =
        out.nlri == Nlri::Classic ? net::IpAddress::v4(0x0a000001) : any_v6(rng);
    if (out.nlri == Nlri::Multiprotocol && coin(rng)) {
        out.attributes.next_hop_link_local = net::IpAddress::parse("fe80::1").value();
    }
    return out;
}

inline wire::Bytes pack_all(UpdatePacker& packer, const std::vector<net::Prefix>& prefixes) {
    wire::Writer out;
    for (const net::Prefix& prefix : prefixes) {
        if (!packer.add(prefix)) {
            packer.finish(out);
            SY_CHECK(packer.add(prefix), "a prefix fits an empty message");
        }
    }
    if (!packer.empty()) {
        packer.finish(out);
    }
    return out.take();
}

inline Open any_open(Rng& rng) {
    Open out;
    out.hold_seconds = static_cast<std::uint16_t>(coin(rng) ? 0 : 3 + rng.below(65533));
    out.router_id = 1 + static_cast<std::uint32_t>(rng.below(0xffffffff));
    Capabilities& capabilities = out.capabilities;
    capabilities.v4_unicast = coin(rng);
    capabilities.v6_unicast = coin(rng);
    capabilities.multiprotocol = capabilities.v4_unicast || capabilities.v6_unicast;
    capabilities.route_refresh = coin(rng);
    capabilities.enhanced_refresh = coin(rng);
    capabilities.extended_message = coin(rng);
    capabilities.v4_over_v6 = coin(rng);
    if (coin(rng)) {
        capabilities.role = static_cast<Role>(rng.below(5));
    }
    if (coin(rng)) {
        GracefulRestart restart{
            coin(rng), coin(rng), static_cast<std::uint16_t>(rng.below(4096)), {}};
        if (coin(rng)) {
            restart.families.push_back({net::Family::V4, coin(rng)});
        }
        if (coin(rng)) {
            restart.families.push_back({net::Family::V6, coin(rng)});
        }
        capabilities.graceful_restart = restart;
    }
    out.asn = 1 + static_cast<std::uint32_t>(rng.below(kAsTrans - 1));
    if (coin(rng)) {
        out.asn = 1 + static_cast<std::uint32_t>(rng.below(0xffffffff));
        capabilities.as4 = out.asn;
    }
    return out;
}

}  // namespace steelyard::bgp_wire
