#pragma once

#include "common/base/error.hpp"
#include "common/base/time.hpp"
#include "common/net/ip.hpp"
#include "common/rt/asio.hpp"
#include "speaker/proxy/plan.hpp"

#include <array>
#include <cstddef>
#include <cstdint>
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

using Addresses = std::shared_ptr<const std::set<net::IpAddress>>;

// An object the kernel refuses. It is tried again by itself, ever more rarely; the rest goes on.
struct Failure {
    std::string kind;    // virtual_server, address, set_entry or rules
    std::string object;  // virtual server TCP 10.96.0.1:443
    std::string reason;
    unsigned attempts = 1;
    friend bool operator==(const Failure&, const Failure&) = default;
};

// A search for tracked UDP flows that lead to a real server which is gone.
struct Purge {
    net::Family family = net::Family::V4;
    Duration took{};
    std::size_t deleted = 0;
};

struct Report {
    std::size_t ops = 0;    // operations the kernel acknowledged
    std::size_t sends = 0;  // system calls that carried them
    Duration duration{};    // of comparing and writing
    std::vector<Purge> purges;
    // Everything refused at present, also what was not tried this time.
    std::vector<Failure> failures;
    // Addresses that are bound and have a programmed virtual server with somewhere to send traffic:
    // what this node may announce. The same pointer as in the previous report while nothing about
    // it changed.
    Addresses servable = std::make_shared<const std::set<net::IpAddress>>();
    // Addresses that should serve and, since the kernel refused something, do not.
    std::set<net::IpAddress> unservable;
};

// Totals since construction.
struct Counters {
    std::uint64_t syncs = 0;  // applied changes and audits
    std::uint64_t audits = 0;
    std::uint64_t adopted = 0;  // objects found as wanted by the first apply
    // Writes the kernel acknowledged, by what was written.
    std::uint64_t virtual_server_writes = 0;
    std::uint64_t real_server_writes = 0;
    std::uint64_t address_writes = 0;
    std::uint64_t route_writes = 0;
    std::uint64_t set_entry_writes = 0;
    std::uint64_t refusals = 0;  // writes the kernel refused, retries included
    std::uint64_t drifts = 0;    // objects somebody else had changed
    std::uint64_t alarms = 0;    // audits because a quick look found something missing
    using ByFamily = std::array<std::uint64_t, 2>;  // IPv4, IPv6
    ByFamily rule_restores{};
    ByFamily rule_restore_failures{};
    ByFamily conntrack_deleted{};  // entries of UDP flows that led nowhere
};

class Dataplane {
public:
    using OnReport = std::function<void(const Result<Report>&)>;

    Dataplane() = default;
    Dataplane(const Dataplane&) = delete;
    Dataplane& operator=(const Dataplane&) = delete;
    virtual ~Dataplane() = default;

    // Prepares the node: settings, sets, dummy link; the rules come with the first apply(), when
    // all of the configuration is known. An error names the module or program that is missing.
    // Call once, before anything else.
    virtual awaitable<Result<>> start() = 0;
    // What start() had to say that is no error, a line each.
    [[nodiscard]] virtual std::vector<std::string> warnings() const = 0;
    // What a Node object says after start(): pod CIDRs, for one. Rules are looked at only when they
    // are to be others than before. Mode, binding and names stay as constructed.
    virtual awaitable<Result<>> configure(const proxy::ProxyConfig& config) = 0;
    // Makes the kernel follow `changes`: all tables in the first call, which adopts what it finds,
    // then what became of them since the previous call; none may be left out. Refused objects are
    // listed and tried again by maintain(), after an Error everything is; the rest is done.
    virtual awaitable<Result<Report>> apply(proxy::Changes changes) = 0;
    // Reads the whole kernel state again and repairs what somebody else changed. Before the first
    // apply() it only reports what a former run left serving: with the API server away at start,
    // that is what keeps being announced.
    virtual awaitable<Result<Report>> audit() = 0;
    // Ends expired drains, tries again what was refused, looks every 2 s whether somebody flushed
    // IPVS, and audits every `audit_interval`, reporting each, until cancelled.
    virtual awaitable<void> maintain(Duration audit_interval, OnReport on_report) = 0;
    // Takes everything of ours out again and says what, a line each: for uninstalling, never for a
    // restart. Needs no start().
    virtual awaitable<Result<std::vector<std::string>>> cleanup() = 0;
    [[nodiscard]] virtual const Counters& counters() const = 0;
};

// IPVS, ipset and iptables; in announce-only mode it programs nothing and reports nothing servable.
[[nodiscard]] std::unique_ptr<Dataplane> make_ipvs_dataplane(
    const asio::any_io_executor& executor, const proxy::ProxyConfig& config
);

}  // namespace steelyard::dataplane
