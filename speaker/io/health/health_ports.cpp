#include "speaker/io/health/health_ports.hpp"

#include "common/rt/sleep.hpp"
#include "speaker/io/health/limits.hpp"
#include "speaker/io/health/pages.hpp"

#include <boost/asio/error.hpp>

#include <algorithm>
#include <set>
#include <utility>

namespace steelyard::io_health {
namespace {

// Between giving up a port and ending the clients that had connected and asked nothing: so many
// looks, so far apart.
constexpr int kLooks = 20;
constexpr auto kBetweenLooks = std::chrono::milliseconds(25);

void ignore(const std::string&, const std::exception_ptr&) {}

std::string named(std::uint16_t port) {
    return "healthCheckNodePort " + std::to_string(port) + ": ";
}

bool lacks_family(const Error& error) {
    return error.code == asio::error::address_family_not_supported ||
           error.code == boost::system::errc::address_not_available;
}

}  // namespace

HealthPorts::HealthPorts(const asio::any_io_executor& executor, Callbacks callbacks)
    : HealthPorts(executor, std::move(callbacks), Pace()) {}

HealthPorts::HealthPorts(const asio::any_io_executor& executor, Callbacks callbacks, Pace pace)
    : executor_(executor),
      callbacks_(std::move(callbacks)),
      pace_(pace),
      retries_(executor, ignore),
      servers_(executor, ignore) {}

void HealthPorts::set_addresses(std::optional<std::vector<net::IpAddress>> addresses) {
    if (addresses_ != addresses) {
        addresses_ = std::move(addresses);
        reconcile();
    }
}

void HealthPorts::sync(const std::vector<health::ServiceHealth>& services) {
    if (services_ != services) {
        services_ = services;
        share_ports(services);
        reconcile();
    } else if (!refusals_.empty()) {
        reconcile();
    }
}

// Decides whose each port is. A port that goes from one Service to another stays open.
void HealthPorts::share_ports(const std::vector<health::ServiceHealth>& services) {
    std::map<std::uint16_t, std::vector<const health::ServiceHealth*>> wanted;
    for (const health::ServiceHealth& service : services) {
        if (service.port != 0) {
            wanted[service.port].push_back(&service);
        }
    }
    for (auto next = ports_.begin(); next != ports_.end();) {
        const auto current = next++;
        if (!wanted.contains(current->first)) {
            current->second->local_endpoints = 0;  // for who asked before the port closes
            ports_.erase(current);
        }
    }
    conflicts_.clear();
    for (auto& [port, claims] : wanted) {
        HealthRef& holder = ports_[port];
        const auto rank = [&](const health::ServiceHealth* claim) {
            return std::pair(!holder || claim->service != holder->service, claim->service);
        };
        std::sort(claims.begin(), claims.end(), [&](const auto* a, const auto* b) {
            return rank(a) < rank(b);
        });
        for (auto claim = claims.begin() + 1; claim != claims.end(); ++claim) {
            conflicts_[(*claim)->service] = {
                (*claim)->service,
                port,
                named(port) + "Service " + to_string(claims.front()->service) + " has it already"};
        }
        if (holder) {
            *holder = *claims.front();
        } else {
            holder = std::make_shared<health::ServiceHealth>(*claims.front());
        }
    }
}

std::vector<net::IpAddress> HealthPorts::addresses() const {
    if (addresses_) {
        return *addresses_;
    }
    return {net::IpAddress::v4(0), net::IpAddress::v6({})};
}

void HealthPorts::reconcile() {
    if (closed_) {
        return;
    }
    close_unwanted();
    for (const auto& [port, health] : ports_) {
        for (const net::IpAddress& address : addresses()) {
            try_to_open({port, address}, health);
        }
    }
    tell();
    if (!refusals_.empty() && !retrying_) {
        retrying_ = true;
        retries_.spawn("retry", retry());
    }
}

void HealthPorts::close_unwanted() {
    const std::vector<net::IpAddress> wanted = addresses();
    const auto is_wanted = [&](const Key& key) {
        return ports_.contains(key.port) &&
               std::find(wanted.begin(), wanted.end(), key.address) != wanted.end();
    };
    std::erase_if(refusals_, [&](const auto& entry) { return !is_wanted(entry.first); });
    for (auto next = listeners_.begin(); next != listeners_.end();) {
        const auto current = next++;
        if (!is_wanted(current->first)) {
            current->second->drain();
            servers_.spawn("end", end_gently(current->second));
            listeners_.erase(current);
        }
    }
}

void HealthPorts::try_to_open(const Key& key, const HealthRef& health) {
    const Instant now = std::chrono::steady_clock::now();
    const auto refused = refusals_.find(key);
    if (listeners_.contains(key) || (refused != refusals_.end() && now < refused->second.next)) {
        return;
    }
    auto server = listen(key, health);
    if (server) {
        refusals_.erase(key);
        if (*server) {
            listeners_.emplace(key, *server);
            servers_.spawn("serve", serve(*server));
        }
        return;
    }
    Refusal& refusal = refusals_[key];
    refusal.reason = named(key.port) + server.error().context;
    refusal.delay = std::clamp(2 * refusal.delay, pace_.first, pace_.most);
    refusal.next = now + refusal.delay;
}

// Null where the node has no such family and nobody asked for it by address.
Result<HealthPorts::ServerRef> HealthPorts::listen(const Key& key, const HealthRef& health) {
    http_server::ServerConfig config = limited({key.address, key.port});
    config.v6_only = true;
    const auto handler = [this, health](http_server::Request) {
        return answer(health);
    };
    auto server = http_server::Server::listen(executor_, std::move(config), handler);
    if (server) {
        return ServerRef(std::move(*server));
    }
    if (key.address.is_unspecified() && !key.address.is_v4() && lacks_family(server.error())) {
        return ServerRef();
    }
    return server.error();
}

awaitable<http_server::Response> HealthPorts::answer(HealthRef health) {
    co_return to_http(health::respond(*health, callbacks_.proxy_healthy()));
}

void HealthPorts::tell() {
    std::map<kube::ObjectKey, Trouble> troubles = conflicts_;
    for (const auto& [key, refusal] : refusals_) {
        const kube::ObjectKey& service = ports_.at(key.port)->service;
        troubles.try_emplace(service, Trouble{service, key.port, refusal.reason});
    }
    const std::map<kube::ObjectKey, Trouble> before = std::exchange(troubles_, std::move(troubles));
    for (const auto& [service, trouble] : troubles_) {
        const auto known = before.find(service);
        if (known == before.end() || known->second.reason != trouble.reason) {
            callbacks_.on_trouble(trouble);
        }
    }
}

awaitable<void> HealthPorts::serve(ServerRef server) {
    co_await server->run();
}

awaitable<void> HealthPorts::end_gently(ServerRef server) {
    for (int look = 0; look < kLooks; ++look) {
        co_await rt::sleep_for(kBetweenLooks);
        if (server->connections() == 0) {
            break;
        }
    }
    server->stop();
}

awaitable<void> HealthPorts::retry() {
    while (!refusals_.empty()) {
        co_await rt::sleep_for(pace_.first);
        reconcile();
    }
    retrying_ = false;
}

awaitable<void> HealthPorts::close() {
    closed_ = true;
    retries_.cancel();
    co_await retries_.join();
    ports_.clear();  // not their numbers of endpoints: the Services go on
    close_unwanted();
    co_await servers_.join();
}

}  // namespace steelyard::io_health
