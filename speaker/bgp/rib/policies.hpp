#pragma once

#include "speaker/bgp/rib/interner.hpp"
#include "speaker/bgp/rib/route.hpp"

#include <compare>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

// The distinct attribute sets, sets of peers and path lists in use, each once. A route refers to a
// path list by its number; for a peer that resolves to an attribute set. Peers are slots, small
// numbers used again after a peer went.
namespace steelyard::bgp_rib {

inline constexpr std::uint32_t kNothing = 0;    // as attributes: the peer does not get the route
inline constexpr std::uint32_t kWithdrawn = 0;  // as path list: of a route that was removed

class Policies {
public:
    void add_peer(std::uint32_t slot, const std::string& name);
    void remove_peer(std::uint32_t slot);

    // The number of this path list, with one reference for the caller; order and repetition within
    // sets are put right first.
    std::uint32_t add(const std::vector<Path>& paths);
    void retain(std::uint32_t list);
    void release(std::uint32_t list);
    void retain_attributes(std::uint32_t attributes) { attributes_.retain(attributes); }
    void release_attributes(std::uint32_t attributes) { (void)attributes_.release(attributes); }

    [[nodiscard]] std::uint32_t attributes_for(std::uint32_t list, std::uint32_t slot) const;
    [[nodiscard]] const Attributes& attributes(std::uint32_t id) const { return attributes_[id]; }
    [[nodiscard]] std::size_t attribute_sets() const { return attributes_.size(); }

private:
    struct Choice {
        std::uint32_t peers = 0;
        std::uint32_t attributes = 0;
        friend auto operator<=>(const Choice&, const Choice&) = default;
    };
    struct Members {
        std::vector<std::uint64_t> words;  // a bit for each slot
        void assign(std::uint32_t slot, bool member);
        [[nodiscard]] bool contains(std::uint32_t slot) const;
    };

    std::uint32_t add_peers(std::vector<std::string> names);

    Interner<Attributes> attributes_;
    Interner<std::vector<std::string>> peers_;
    Interner<std::vector<Choice>> lists_;
    std::vector<Members> members_;  // by number of a set of peers, from 1
    std::vector<std::vector<Choice>>
        open_;                        // by number of a path list: a copy that is quick to reach
    std::vector<std::string> names_;  // by slot; empty: no peer
};

}  // namespace steelyard::bgp_rib
