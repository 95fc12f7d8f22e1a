#include "speaker/netlink/route_address.hpp"

#include <sys/socket.h>

#include <array>
#include <cstring>

namespace steelyard::netlink {

std::optional<net::IpAddress> read_address(
    const Attributes& attributes, unsigned type, unsigned family
) {
    const auto value = attributes.find(type);
    if (family == AF_INET && value && value->size() == 4) {
        return net::IpAddress::v4(*attributes.be32(type));
    }
    std::array<std::uint8_t, 16> bytes{};
    if (family != AF_INET6 || !value || value->size() != bytes.size()) {
        return std::nullopt;
    }
    std::memcpy(bytes.data(), value->data(), bytes.size());
    return net::IpAddress::v6(bytes);
}

}  // namespace steelyard::netlink
