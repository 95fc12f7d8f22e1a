#include "speaker/elect/bounded.hpp"

#include "common/base/check.hpp"
#include "speaker/elect/order.hpp"

#include <algorithm>
#include <optional>
#include <tuple>

namespace steelyard::elect {
namespace {

// How much an address and a node want each other.
struct Bond {
    std::uint64_t score = 0;
    std::uint32_t choice = 0;  // of equal scores the later choice wins
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
        std::span<const std::uint64_t> node_seeds,
        std::size_t limit
    )
        : addresses_(addresses), nodes_(node_seeds), limit_(limit), held_(node_seeds.size()) {
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
    // The inner loop of an election: every pair of address and node passes here once.
    [[nodiscard]] Bond best(std::uint32_t address) const {
        const std::uint64_t seed = seeds_[address];
        Bond best;
        for (std::uint32_t i = 0; i < nodes_.size(); ++i) {
            const std::uint64_t value = score(nodes_[i], seed);
            if (value >= best.score) {
                best = {value, i};
            }
        }
        return best;
    }

    // Where an address asks after the node of `ceiling` refused it.
    [[nodiscard]] Bond best_below(std::uint32_t address, const Bond& ceiling) const {
        const std::uint64_t seed = seeds_[address];
        std::optional<Bond> best;
        for (std::uint32_t i = 0; i < nodes_.size(); ++i) {
            const Bond offer{score(nodes_[i], seed), i};
            if (offer < ceiling && (!best || *best < offer)) {
                best = offer;
            }
        }
        SY_CHECK(best.has_value(), "limit * nodes holds every address");
        return *best;
    }

    void place(std::uint32_t address) {
        // A heap with the weakest bond on top; equal bonds are told apart by the address.
        const auto stronger = [this](const Held& a, const Held& b) {
            return std::tie(a.bond, addresses_[a.address]) >
                   std::tie(b.bond, addresses_[b.address]);
        };
        Bond bond = best(address);
        for (;;) {
            std::vector<Held>& held = held_[bond.choice];
            held.push_back({bond, address});
            std::push_heap(held.begin(), held.end(), stronger);
            placed_[address] = bond.choice;
            if (held.size() <= limit_) {
                return;
            }
            std::pop_heap(held.begin(), held.end(), stronger);
            address = held.back().address;
            bond = best_below(address, held.back().bond);
            held.pop_back();
        }
    }

    std::span<const net::IpAddress> addresses_;
    std::span<const std::uint64_t> nodes_;
    std::size_t limit_;
    std::vector<std::vector<Held>> held_;  // by node
    std::vector<std::uint64_t> seeds_;     // by address
    std::vector<std::uint32_t> placed_;    // by address
};

}  // namespace

std::vector<std::uint32_t> place_bounded(
    std::span<const net::IpAddress> addresses,
    std::span<const std::uint64_t> node_seeds,
    std::size_t limit
) {
    return Placement(addresses, node_seeds, limit).run();
}

}  // namespace steelyard::elect
