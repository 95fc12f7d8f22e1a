#pragma once

#include "common/base/error.hpp"
#include "common/base/time.hpp"
#include "common/net/ip.hpp"
#include "common/rt/asio.hpp"
#include "speaker/proxy/plan.hpp"

#include <cstddef>
#include <functional>
#include <memory>
#include <set>
#include <string>
#include <vector>

// The node's data plane as the speaker sees it: hand it tables, get back what the kernel now
// serves. Nothing above this header knows IPVS, ipset or iptables. Every call runs on the executor
// given at construction and waits for its turn, so calls may overlap; none blocks the loop for
// longer than one batch. The owner joins every task that uses it before it dies.
namespace steelyard::dataplane {

struct Report {
    std::size_t ops = 0;                // operations the kernel acknowledged
    std::size_t sends = 0;              // system calls that carried them
    std::vector<std::string> failures;  // one line each; retried by the next apply or audit
    // Addresses with a programmed virtual server that has somewhere to send traffic: what this node
    // may announce.
    std::set<net::IpAddress> servable;
};

class Dataplane {
public:
    using OnReport = std::function<void(const Result<Report>&)>;

    Dataplane() = default;
    Dataplane(const Dataplane&) = delete;
    Dataplane& operator=(const Dataplane&) = delete;
    virtual ~Dataplane() = default;

    // Prepares the node: settings, sets, rules, dummy link. An error names the module or program
    // that is missing. Call once, before anything else.
    virtual awaitable<Result<>> start() = 0;
    // Makes the kernel equal to `tables`. The first call adopts what it finds; later ones write
    // only what changed. Failed operations are listed, the rest is done.
    virtual awaitable<Result<Report>> apply(std::shared_ptr<const proxy::Tables> tables) = 0;
    // Reads the whole kernel state again and repairs what somebody else changed. Before the first
    // apply() it only reports what a former run left serving: with the API server away at start,
    // that is what keeps being announced.
    virtual awaitable<Result<Report>> audit() = 0;
    // Ends expired drains and audits every `audit_interval`, reporting each, until cancelled.
    virtual awaitable<void> maintain(Duration audit_interval, OnReport on_report) = 0;
    // Takes everything out again: for uninstalling, never for a restart.
    virtual awaitable<Result<>> cleanup() = 0;
};

// IPVS, ipset and iptables; in announce-only mode it programs nothing and reports nothing servable.
[[nodiscard]] std::unique_ptr<Dataplane> make_ipvs_dataplane(
    const asio::any_io_executor& executor, const proxy::ProxyConfig& config
);

}  // namespace steelyard::dataplane
