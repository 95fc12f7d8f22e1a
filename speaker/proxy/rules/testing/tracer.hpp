#pragma once

#include "speaker/proxy/rules/rules.hpp"
#include "speaker/proxy/tables.hpp"

#include <cstdint>
#include <functional>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

// Walks the first packet of a connection through generated rules, sets and virtual servers, in the
// order of Linux' hooks: PREROUTING, INPUT, IPVS, and after translation OUTPUT and POSTROUTING; for
// the node's own packets OUTPUT, IPVS, OUTPUT once more, POSTROUTING. Understands exactly the
// options our rules use and fails on any other. Tests only.
namespace steelyard::proxy::oracle {

struct Packet {
    net::Protocol protocol = net::Protocol::Tcp;
    net::Endpoint source;
    net::Endpoint destination;
    std::string in;   // interface; "" for the node's own
    std::string out;  // "" until it leaves; before, what a socket of the node is bound to
    std::uint32_t mark = 0;
};

// A node: its own addresses, what the proxy has bound and written, the rules.
struct Host {
    net::Family family = net::Family::V4;
    std::set<net::IpAddress> addresses;
    KernelTables tables;
};

enum class Verdict {
    Sent,     // to a real server
    Refused,  // an ICMP error, or IPVS without a real server
    Dropped,
    Delivered,  // to a process of the host
    Forwarded,  // on its way untouched
};

// One way to end: IPVS may choose any real server with a weight.
struct Ending {
    Verdict verdict = Verdict::Dropped;
    VirtualServerKey server;  // that sent it
    net::Endpoint real_server;
    net::IpAddress source;
    bool masqueraded = false;
    std::uint32_t mark = 0;  // of the packet when it left
    std::string log;         // the rules that matched
};

struct Walk;

class Tracer {
public:
    Tracer(const std::vector<RuleTable>& rules, net::Family family, std::string_view set_prefix);

    // `connection_is_new`: false walks a packet of a connection that conntrack knows.
    [[nodiscard]] std::vector<Ending> trace(
        const Host& host, const Packet& packet, bool connection_is_new = true
    ) const;

private:
    using Match = std::function<bool(const Walk&)>;
    struct Rule {
        std::string text;
        std::vector<Match> matches;
        std::string target;
        std::vector<std::string> options;
    };
    using Chains = std::map<std::string, std::vector<Rule>, std::less<>>;

    [[nodiscard]] Rule parse(const std::string& text) const;
    [[nodiscard]] Match set_match(const std::string& name, const std::string& dimensions) const;
    // False: the packet ends here, and walk.ending says how.
    bool hook(Walk& walk, std::string_view table, std::string_view name) const;
    enum class Step { Continue, Accept, Stop };
    Step run(Walk& walk, const Chains& chains, std::string_view chain) const;
    Step apply(Walk& walk, const Chains& chains, const Rule& rule) const;

    void from_outside(Walk walk, std::vector<Ending>& endings) const;
    void from_node(Walk walk, std::vector<Ending>& endings) const;
    // False when no virtual server takes the packet.
    bool ipvs(const Walk& walk, std::vector<Ending>& endings) const;
    void leave(Walk walk, std::vector<Ending>& endings) const;

    net::Family family_;
    std::map<std::string, SetId, std::less<>> sets_;
    std::map<std::string, Chains, std::less<>> tables_;
};

}  // namespace steelyard::proxy::oracle
