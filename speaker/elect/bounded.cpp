#include "speaker/elect/bounded.hpp"

#include "common/base/check.hpp"
#include "speaker/elect/order.hpp"

#include <algorithm>
#include <limits>
#include <optional>
#include <tuple>

namespace steelyard::elect {
namespace {

// How much an address and a node want each other.
struct Bond {
    std::uint64_t score = 0;
    std::uint32_t rank = 0;
    friend auto operator<=>(const Bond&, const Bond&) = default;
};

struct Held {
    Bond bond;
    std::uint32_t address = 0;
};

class Placement {
public:
    Placement(
        std::span<const net::IpAddress> addresses,
        std::span<const Choice> choices,
        std::size_t limit
    )
        : addresses_(addresses), choices_(choices), limit_(limit), held_(choices.size()) {
        placed_.resize(addresses.size());
        seeds_.reserve(addresses.size());
        for (const net::IpAddress& address : addresses) {
            seeds_.push_back(address_seed(address));
        }
    }

    std::vector<std::uint32_t> run() {
        for (std::uint32_t i = 0; i < addresses_.size(); ++i) {
            place(i);
        }
        return std::move(placed_);
    }

private:
    // The best choice of an address below `ceiling`: where it asks after that one refused it.
    [[nodiscard]] std::uint32_t best_below(
        std::uint32_t address, const std::optional<Bond>& ceiling, Bond& bond
    ) const {
        std::optional<std::uint32_t> best;
        const std::uint64_t seed = seeds_[address];
        for (std::uint32_t i = 0; i < choices_.size(); ++i) {
            const Bond offer{score(choices_[i].seed, seed), choices_[i].rank};
            if ((!ceiling || offer < *ceiling) && (!best || bond < offer)) {
                best = i;
                bond = offer;
            }
        }
        SY_CHECK(best.has_value(), "limit * choices holds every address");
        return *best;
    }

    void place(std::uint32_t address) {
        std::optional<Bond> ceiling;
        for (;;) {
            Bond bond;
            const std::uint32_t node = best_below(address, ceiling, bond);
            std::vector<Held>& held = held_[node];
            // A heap with the weakest bond on top; equal bonds are told apart by the address.
            const auto stronger = [this](const Held& a, const Held& b) {
                return std::tie(a.bond, addresses_[a.address]) >
                       std::tie(b.bond, addresses_[b.address]);
            };
            held.push_back({bond, address});
            std::push_heap(held.begin(), held.end(), stronger);
            placed_[address] = node;
            if (held.size() <= limit_) {
                return;
            }
            std::pop_heap(held.begin(), held.end(), stronger);
            address = held.back().address;
            ceiling = held.back().bond;
            held.pop_back();
        }
    }

    std::span<const net::IpAddress> addresses_;
    std::span<const Choice> choices_;
    std::size_t limit_;
    std::vector<std::vector<Held>> held_;  // by choice
    std::vector<std::uint64_t> seeds_;     // by address
    std::vector<std::uint32_t> placed_;    // by address
};

}  // namespace

std::vector<std::uint32_t> place_bounded(
    std::span<const net::IpAddress> addresses, std::span<const Choice> choices, std::size_t limit
) {
    return Placement(addresses, choices, limit).run();
}

}  // namespace steelyard::elect
