#pragma once

#include "common/base/error.hpp"
#include "common/base/time.hpp"
#include "common/net/ip.hpp"
#include "common/rt/asio.hpp"

#include <boost/asio/ip/tcp.hpp>

#include <cstdint>
#include <optional>
#include <string>

// What BGP wants of TCP, as plain functions on open sockets: MD5 signatures (RFC 2385), the TTLs of
// the generalised security mechanism (RFC 5082), VRFs, precedence. Linux only. Every failure is one
// line that names the option.
namespace steelyard::io {

inline constexpr std::size_t kMaxPassword = 80;  // TCP_MD5SIG_MAXKEYLEN

struct TcpOptions {
    std::string vrf;       // device of the VRF; empty: the default one
    std::string password;  // empty: no MD5
    std::optional<std::uint8_t> send_ttl;
    std::optional<std::uint8_t> minimum_ttl;  // what arrives with less is dropped by the kernel
    Duration user_timeout{};                  // zero: the kernel's
    int send_buffer = 0;                      // zero: the kernel's
};

// The socket must be open and of the peer's family. Before connect(), or on what was accepted
// (then without VRF and password, which such a socket has from its listener).
Result<> set_dial_options(int fd, const net::IpAddress& peer, const TcpOptions& options);
Result<> set_accepted_options(int fd, net::Family family, const TcpOptions& options);
// Before bind(): what is sent on a handshake passes the peer's minimum TTL, and only one family.
Result<> set_listen_options(int fd, net::Family family, const std::string& vrf);
Result<> set_minimum_ttl(int fd, net::Family family, std::uint8_t ttl);  // 0: any
// An empty password takes the key away.
Result<> set_password(int fd, const net::IpAddress& peer, const std::string& password);
// Lets the kernel choose the port at connect() time, where more are free.
void bind_late(int fd);

// `scope` is the index of the interface of a link-local address, else 0.
[[nodiscard]] asio::ip::tcp::endpoint to_asio(
    const net::Endpoint& endpoint, std::uint32_t scope = 0
);
[[nodiscard]] net::Endpoint from_asio(const asio::ip::tcp::endpoint& endpoint);

}  // namespace steelyard::io
