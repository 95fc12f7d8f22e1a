#include "speaker/io/bgp/tcp_options.hpp"

#include <netinet/in.h>
#include <netinet/ip.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

namespace steelyard::io {
namespace {

constexpr int kInternetworkControl = IPTOS_CLASS_CS6;  // RFC 4271 appendix E
constexpr int kIpv6MinHopCount = 73;                   // IPV6_MINHOPCOUNT of linux/in6.h
constexpr int kMaxTtl = 255;

Result<> set(int fd, int level, int option, int value, const char* name) {
    if (::setsockopt(fd, level, option, &value, sizeof value) != 0) {
        return errno_error(errno, std::string("setting ") + name + " of a BGP connection");
    }
    return {};
}

Result<> set_ttl(int fd, net::Family family, int ttl) {
    return family == net::Family::V4
               ? set(fd, IPPROTO_IP, IP_TTL, ttl, "the TTL")
               : set(fd, IPPROTO_IPV6, IPV6_UNICAST_HOPS, ttl, "the hop limit");
}

Result<> set_precedence(int fd, net::Family family) {
    return family == net::Family::V4
               ? set(fd, IPPROTO_IP, IP_TOS, kInternetworkControl, "the precedence")
               : set(fd, IPPROTO_IPV6, IPV6_TCLASS, kInternetworkControl, "the precedence");
}

Result<> bind_to_vrf(int fd, const std::string& vrf) {
    if (vrf.empty()) {
        return {};
    }
    const auto size = static_cast<socklen_t>(vrf.size() + 1);
    if (::setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, vrf.c_str(), size) != 0) {
        return errno_error(errno, "using VRF " + vrf);
    }
    return {};
}

int milliseconds(Duration duration) {
    return static_cast<int>(std::chrono::duration_cast<std::chrono::milliseconds>(duration).count()
    );
}

}  // namespace

Result<> set_minimum_ttl(int fd, net::Family family, std::uint8_t ttl) {
    return family == net::Family::V4
               ? set(fd, IPPROTO_IP, IP_MINTTL, ttl, "the minimum TTL")
               : set(fd, IPPROTO_IPV6, kIpv6MinHopCount, ttl, "the minimum hop limit");
}

Result<> set_password(int fd, const net::IpAddress& peer, const std::string& password) {
    if (password.size() > kMaxPassword) {
        return make_error(
            Errc::Invalid,
            "password of peer " + to_string(peer) + " has " + std::to_string(password.size()) +
                " bytes: TCP MD5 takes at most " + std::to_string(kMaxPassword)
        );
    }
    tcp_md5sig request{};
    const asio::ip::tcp::endpoint address = to_asio(net::Endpoint{peer, 0});
    std::memcpy(&request.tcpm_addr, address.data(), address.size());
    request.tcpm_keylen = static_cast<std::uint16_t>(password.size());
    std::copy(password.begin(), password.end(), std::begin(request.tcpm_key));
    if (::setsockopt(fd, IPPROTO_TCP, TCP_MD5SIG, &request, sizeof request) == 0) {
        return {};
    }
    if (errno == ENOENT && password.empty()) {
        return {};
    }
    return errno_error(errno, "setting the TCP MD5 password of peer " + to_string(peer));
}

Result<> set_accepted_options(int fd, net::Family family, const TcpOptions& options) {
    if (auto done = set(fd, IPPROTO_TCP, TCP_NODELAY, 1, "TCP_NODELAY"); !done) {
        return done;
    }
    if (auto done = set_precedence(fd, family); !done) {
        return done;
    }
    if (options.send_ttl) {
        if (auto done = set_ttl(fd, family, *options.send_ttl); !done) {
            return done;
        }
    }
    if (options.minimum_ttl) {
        if (auto done = set_minimum_ttl(fd, family, *options.minimum_ttl); !done) {
            return done;
        }
    }
    if (const int limit = milliseconds(options.user_timeout); limit > 0) {
        if (auto done = set(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, limit, "TCP_USER_TIMEOUT"); !done) {
            return done;
        }
    }
    if (options.send_buffer > 0) {
        return set(fd, SOL_SOCKET, SO_SNDBUF, options.send_buffer, "SO_SNDBUF");
    }
    return {};
}

Result<> set_dial_options(int fd, const net::IpAddress& peer, const TcpOptions& options) {
    if (auto done = bind_to_vrf(fd, options.vrf); !done) {
        return done;
    }
    if (!options.password.empty()) {
        if (auto done = set_password(fd, peer, options.password); !done) {
            return done;
        }
    }
    return set_accepted_options(fd, peer.family(), options);
}

Result<> set_listen_options(int fd, net::Family family, const std::string& vrf) {
    if (auto done = set(fd, SOL_SOCKET, SO_REUSEADDR, 1, "SO_REUSEADDR"); !done) {
        return done;
    }
    if (family == net::Family::V6) {
        if (auto done = set(fd, IPPROTO_IPV6, IPV6_V6ONLY, 1, "IPV6_V6ONLY"); !done) {
            return done;
        }
    }
    if (auto done = set_ttl(fd, family, kMaxTtl); !done) {
        return done;
    }
    if (auto done = set_precedence(fd, family); !done) {
        return done;
    }
    return bind_to_vrf(fd, vrf);
}

void bind_late(int fd) {
    const int on = 1;
    (void)::setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof on);
}

asio::ip::tcp::endpoint to_asio(const net::Endpoint& endpoint, std::uint32_t scope) {
    const net::IpAddress& address = endpoint.address;
    if (address.is_v4()) {
        return {asio::ip::address_v4(address.v4_host_order()), endpoint.port};
    }
    asio::ip::address_v6::bytes_type bytes;
    const auto from = address.bytes();
    std::copy(from.begin(), from.end(), bytes.begin());
    return {asio::ip::address_v6(bytes, scope), endpoint.port};
}

net::Endpoint from_asio(const asio::ip::tcp::endpoint& endpoint) {
    const asio::ip::address address = endpoint.address();
    if (address.is_v4()) {
        return {net::IpAddress::v4(address.to_v4().to_uint()), endpoint.port()};
    }
    return {net::IpAddress::v6(address.to_v6().to_bytes()), endpoint.port()};
}

}  // namespace steelyard::io
