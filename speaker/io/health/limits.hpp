#pragma once

#include "common/http/server/server.hpp"
#include "common/net/ip.hpp"

#include <chrono>

// Private to io/health: how much of us one client of a health port may have. Anybody who reaches
// the node may connect, so a client that says nothing is dropped soon and a body is hardly read.
namespace steelyard::io_health {

inline http_server::ServerConfig limited(const net::Endpoint& endpoint) {
    http_server::ServerConfig config;
    config.listen_address = to_string(endpoint.address);
    config.port = endpoint.port;
    config.request_timeout = std::chrono::seconds(5);
    config.idle_timeout = std::chrono::seconds(60);
    config.write_timeout = std::chrono::seconds(10);
    config.body_limit = 4096;
    config.connection_limit = 256;
    return config;
}

}  // namespace steelyard::io_health
