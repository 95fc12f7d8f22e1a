#include "speaker/proxy/marks.hpp"

#include "common/base/check.hpp"

#include <bit>
#include <string_view>

namespace steelyard::proxy {
namespace {

// KUBE-MARK-MASQ and KUBE-MARK-DROP.
constexpr std::uint32_t kReserved = kMarkMask | 0x4000U | 0x8000U;

// FNV-1a.
class Hash {
public:
    void add(std::string_view text) {
        for (const char c : text) {
            value_ = (value_ ^ static_cast<unsigned char>(c)) * 0x100000001b3U;
        }
        value_ *= 0x100000001b3U;  // as a byte 0 would: "ab", "c" is not "a", "bc"
    }
    [[nodiscard]] std::uint32_t fold() const {
        return static_cast<std::uint32_t>(value_ ^ (value_ >> 32U));
    }

private:
    std::uint64_t value_ = 0xcbf29ce484222325U;
};

// The low bits of `number`, spread over the bits of `mask` from the lowest up.
std::uint32_t spread(std::uint32_t number, std::uint32_t mask) {
    std::uint32_t result = 0;
    for (; mask != 0; mask &= mask - 1, number >>= 1U) {
        if ((number & 1U) != 0) {
            result |= mask & (~mask + 1);
        }
    }
    return result;
}

}  // namespace

MarkAllocator::MarkAllocator(unsigned masquerade_bit)
    : bits_(~(kReserved | (masquerade_bit < 32 ? 1U << masquerade_bit : 0U))) {}

MarkAllocator MarkAllocator::with_bits(std::uint32_t bits) {
    return MarkAllocator(Bits{bits & ~kMarkMask});
}

std::uint32_t MarkAllocator::mark(const kube::ObjectKey& service, const Port& port) {
    auto& own = marks_[service];
    if (const auto found = own.find(port); found != own.end()) {
        return found->second;
    }
    SY_CHECK(
        taken_.size() < std::uint64_t{1} << static_cast<unsigned>(std::popcount(bits_)),
        "there are more marks than Service ports"
    );
    Hash hash;
    hash.add(service.ns);
    hash.add(service.name);
    hash.add(port.name);
    hash.add(net::to_string(port.protocol));
    hash.add(port.kind == MarkKind::ClusterWide ? "cluster" : "local");
    std::uint32_t number = hash.fold();
    while (!taken_.insert(kMarkBase | spread(number, bits_)).second) {
        ++number;
    }
    return own.emplace(port, kMarkBase | spread(number, bits_)).first->second;
}

void MarkAllocator::keep_only(const kube::ObjectKey& service, const std::set<std::uint32_t>& used) {
    const auto own = marks_.find(service);
    if (own == marks_.end()) {
        return;
    }
    std::erase_if(own->second, [&](const auto& entry) {
        const bool released = !used.contains(entry.second);
        if (released) {
            taken_.erase(entry.second);
        }
        return released;
    });
    if (own->second.empty()) {
        marks_.erase(own);
    }
}

}  // namespace steelyard::proxy
