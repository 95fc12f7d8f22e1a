#pragma once

#include "speaker/bfd/action.hpp"
#include "speaker/bfd/config.hpp"

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <variant>
#include <vector>

// Which session a packet belongs to (RFC 5880 6.3 and 6.8.6, RFC 5881 3): by our discriminator in
// it, and before the peer knows that one, by its address and where the packet came in. What names
// our discriminator must come from that session's peer as well: a guess from elsewhere is dropped.
namespace steelyard::bfd {

// Where a packet came from, as its socket tells.
struct Arrival {
    net::IpAddress from;
    net::IpAddress to;
    unsigned interface = 0;  // index
    std::string_view vrf;
    bool multihop = false;  // the port it was sent to
    unsigned ttl = 0;       // or hop limit
};

class Demultiplexer {
public:
    void add(SessionId id, const SessionConfig& config);
    // Index of the interface that the config names; without it such a session hears nothing.
    void set_interface(SessionId id, std::optional<unsigned> index);
    void remove(SessionId id);

    [[nodiscard]] std::variant<SessionId, Drop> find(
        const ControlPacket& packet, const Arrival& arrival
    ) const;
    // Whose packet it was meant to be, though it is refused: for people, who are to be told.
    [[nodiscard]] std::optional<SessionId> nearest(
        std::uint32_t your_discriminator, const Arrival& arrival
    ) const;

private:
    struct Place {
        net::IpAddress remote;
        std::optional<net::IpAddress> local;
        std::string vrf;
        bool multihop = false;
        bool any_interface = true;
        unsigned interface = 0;
    };

    static bool fits(const Place& place, const Arrival& arrival);
    [[nodiscard]] std::variant<SessionId, Drop> by_address(const Arrival& arrival) const;

    std::unordered_map<std::uint32_t, Place> by_discriminator_;
    std::map<net::IpAddress, std::vector<SessionId>> by_remote_;
};

}  // namespace steelyard::bfd
