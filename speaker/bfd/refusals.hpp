#pragma once

#include "speaker/bfd/demultiplexer.hpp"

#include <optional>
#include <string>

// Why a configured peer is not heard although its packets arrive. A drop counter tells nobody which
// peer or what to change; this is one session's memory of what was refused since a packet of it
// was last taken, and the line that says what to do about it.
namespace steelyard::bfd {

class Refusals {
public:
    void note(Drop reason, const Arrival& arrival, Instant now);
    void clear() { last_.reset(); }
    // "" while nothing was refused, or not for long: a peer that restarts errs for a moment.
    [[nodiscard]] std::string text(const SessionConfig& config) const;

private:
    struct Last {
        Drop reason{};
        net::IpAddress from;
        net::IpAddress to;
        std::string vrf;
        bool multihop = false;
        unsigned ttl = 0;  // the lowest
        Instant first;
        Instant latest;
    };

    static std::string misplaced(const Last& last, const SessionConfig& config);

    std::optional<Last> last_;
};

}  // namespace steelyard::bfd
