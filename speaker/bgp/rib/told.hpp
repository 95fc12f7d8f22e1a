#pragma once

#include "speaker/bgp/rib/policies.hpp"

#include <cstddef>
#include <cstdint>
#include <vector>

// For routes that changed while peers have not heard of it: what those peers were told last. Each
// route has a chain of records, one for each set of attributes told and 64 slots of peers, so a
// table that changes as a whole under a blocked peer costs 24 bytes a route, however many peers
// lag. In sync there is none.
namespace steelyard::bgp_rib {

class Told {
public:
    explicit Told(Policies& policies) : policies_(policies) {}

    // The attributes this slot was told; kNothing when the chain does not have it.
    [[nodiscard]] std::uint32_t find(std::uint32_t chain, std::uint32_t slot) const;
    void add(std::uint32_t& chain, std::uint32_t slot, std::uint32_t attributes);
    // False when the chain does not have it.
    bool remove(std::uint32_t& chain, std::uint32_t slot);
    [[nodiscard]] std::size_t bytes() const { return records_.capacity() * sizeof(Record); }

private:
    struct Record {
        std::uint64_t peers = 0;  // of this group of 64 slots
        std::uint32_t attributes = 0;
        std::uint32_t next = 0;
        std::uint32_t group = 0;
    };

    std::uint32_t take();

    Policies& policies_;
    std::vector<Record> records_;
    std::vector<std::uint32_t> free_;
};

}  // namespace steelyard::bgp_rib
