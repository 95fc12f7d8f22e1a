#pragma once

#include "common/kube/model/meta.hpp"
#include "common/net/ip.hpp"

#include <compare>
#include <cstdint>
#include <map>
#include <set>
#include <string>

// Packet marks of Service ports: numbers with the top bit set that name a virtual server where an
// address and port would not do. Pure. A mark is a hash of what it stands for, so that a restart
// finds the marks of before; where two hash to one, the later takes the next that is free.
namespace steelyard::proxy {

inline constexpr std::uint32_t kMarkBase = 0x80000000U;
inline constexpr std::uint32_t kMarkMask = 0x80000000U;  // tells our marks from others

// Which list of endpoints a mark leads to.
enum class MarkKind : std::uint8_t {
    ClusterWide,  // all endpoints
    NodeLocal,    // those of this node
};

class MarkAllocator {
public:
    // Never used in a mark: the bits of kube-proxy's and the kubelet's own marks, and
    // 1 << masquerade_bit.
    explicit MarkAllocator(unsigned masquerade_bit);
    // With these bits free to choose from, beside the base.
    static MarkAllocator with_bits(std::uint32_t bits);

    struct Port {
        std::string name;
        net::Protocol protocol = net::Protocol::Tcp;
        MarkKind kind = MarkKind::ClusterWide;
        friend auto operator<=>(const Port&, const Port&) = default;
    };

    // The same for the same until it is released.
    std::uint32_t mark(const kube::ObjectKey& service, const Port& port);
    // Releases the marks of this Service that are not in `used`.
    void keep_only(const kube::ObjectKey& service, const std::set<std::uint32_t>& used);

private:
    struct Bits {
        std::uint32_t value;
    };
    explicit MarkAllocator(Bits bits) : bits_(bits.value) {}

    std::uint32_t bits_;
    std::map<kube::ObjectKey, std::map<Port, std::uint32_t>> marks_;
    std::set<std::uint32_t> taken_;
};

}  // namespace steelyard::proxy
