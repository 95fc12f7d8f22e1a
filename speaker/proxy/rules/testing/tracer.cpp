#include "speaker/proxy/rules/testing/tracer.hpp"

#include "common/base/check.hpp"

#include <algorithm>
#include <optional>
#include <sstream>
#include <utility>

namespace steelyard::proxy::oracle {

struct Walk {
    const Host* host = nullptr;
    Packet packet;
    bool is_new = true;
    std::uint32_t connection_mark = 0;
    bool masqueraded = false;
    Ending ending;
};

namespace {

using net::IpAddress;

bool is_local(const Host& host, const IpAddress& address) {
    return address.is_loopback() || host.addresses.contains(address) ||
           host.tables.addresses.contains(address) || host.tables.routes.contains(address);
}

std::uint32_t number(std::string_view text) {
    return static_cast<std::uint32_t>(std::stoul(std::string(text), nullptr, 0));
}

// value/mask
std::pair<std::uint32_t, std::uint32_t> masked(const std::string& text) {
    const std::size_t slash = text.find('/');
    return {number(text.substr(0, slash)), number(text.substr(slash + 1))};
}

bool interface_matches(std::string_view wanted, std::string_view actual) {
    return wanted.ends_with('+') ? actual.starts_with(wanted.substr(0, wanted.size() - 1))
                                 : actual == wanted;
}

bool covers(const IpAddress& network, unsigned length, const IpAddress& address) {
    return net::Prefix::parse(net::to_string(network) + "/" + std::to_string(length))
        .value()
        .contains(address);
}

// Whether the set has what `dimensions` (dst,dst,src) pick from the packet; its mark if so.
std::optional<std::uint32_t> look_up(
    const Walk& walk, const SetId& id, const std::vector<std::string>& dimensions
) {
    const auto set = walk.host->tables.sets.find(id);
    if (set == walk.host->tables.sets.end()) {
        return std::nullopt;
    }
    const auto end_at = [&](std::size_t index) -> const net::Endpoint& {
        return dimensions.at(index) == "src" ? walk.packet.source : walk.packet.destination;
    };
    const auto find = [&](const auto& accepts) -> std::optional<std::uint32_t> {
        for (const auto& [entry, mark] : set->second) {
            if (accepts(entry)) {
                return mark;
            }
        }
        return std::nullopt;
    };
    const auto same_port = [&](const SetEntry& entry) {
        return entry.ip == end_at(0).address && entry.protocol == walk.packet.protocol &&
               entry.port == end_at(1).port;
    };
    switch (set_type(id.name)) {
        case SetType::HashIp:
            return find([&](const SetEntry& entry) { return entry.ip == end_at(0).address; });
        case SetType::HashNet:
            return find([&](const SetEntry& entry) {
                return covers(entry.ip, entry.prefix_length, end_at(0).address);
            });
        case SetType::HashIpPort:
            return find(same_port);
        case SetType::HashIpPortIp:
            return find([&](const SetEntry& entry) {
                return same_port(entry) && entry.second_ip == end_at(2).address;
            });
        case SetType::HashIpPortNet:
            return find([&](const SetEntry& entry) {
                return same_port(entry) &&
                       covers(*entry.second_ip, entry.prefix_length, end_at(2).address);
            });
        case SetType::BitmapPort:
            return find([&](const SetEntry& entry) { return entry.port == end_at(0).port; });
    }
    return std::nullopt;
}

std::vector<std::string> split(const std::string& text, char separator) {
    std::vector<std::string> parts;
    std::istringstream stream(text);
    for (std::string part; std::getline(stream, part, separator);) {
        parts.push_back(part);
    }
    return parts;
}

std::string lower(std::string_view text) {
    std::string result(text);
    std::transform(result.begin(), result.end(), result.begin(), [](char c) {
        return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
    });
    return result;
}

}  // namespace

Tracer::Tracer(const std::vector<RuleTable>& rules, net::Family family, std::string_view set_prefix)
    : family_(family) {
    for (const SetName name : all_set_names()) {
        sets_.emplace(set_name({name, family}, set_prefix), SetId{name, family});
    }
    for (const RuleTable& table : rules) {
        Chains& chains = tables_[table.name];
        for (const Chain& chain : table.chains) {
            std::vector<Rule>& parsed = chains[chain.name];
            for (const std::string& text : chain.rules) {
                parsed.push_back(parse(text));
            }
        }
        for (const Jump& jump : table.jumps) {
            chains[jump.hook].push_back(parse("-j " + jump.target));
        }
    }
}

Tracer::Match Tracer::set_match(const std::string& name, const std::string& dimensions) const {
    const auto id = sets_.find(name);
    SY_CHECK(id != sets_.end(), name);
    return [set = id->second, picks = split(dimensions, ',')](const Walk& walk) {
        return look_up(walk, set, picks).has_value();
    };
}

Tracer::Rule Tracer::parse(const std::string& text) const {
    Rule rule;
    rule.text = text;
    const std::vector<std::string> words = split(text, ' ');
    bool negated = false;
    for (std::size_t at = 0; at < words.size(); ++at) {
        const std::string& word = words[at];
        const auto next = [&]() -> const std::string& {
            return words.at(++at);
        };
        const auto add = [&](Match match) {
            if (std::exchange(negated, false)) {
                match = [plain = std::move(match)](const Walk& walk) {
                    return !plain(walk);
                };
            }
            rule.matches.push_back(std::move(match));
        };
        if (word == "!") {
            negated = true;
        } else if (word == "-m") {
            next();  // the module says nothing that its options don't
        } else if (word == "-s") {
            add([prefix = net::Prefix::parse(next()).value()](const Walk& walk) {
                return prefix.contains(walk.packet.source.address);
            });
        } else if (word == "-i") {
            add([name = next()](const Walk& walk) {
                return interface_matches(name, walk.packet.in);
            });
        } else if (word == "-o") {
            add([name = next()](const Walk& walk) {
                return interface_matches(name, walk.packet.out);
            });
        } else if (word == "-p") {
            add([name = next()](const Walk& walk) {
                return lower(net::to_string(walk.packet.protocol)) == name;
            });
        } else if (word == "--icmp-type" || word == "--icmpv6-type") {
            next();  // -p has said no
        } else if (word == "--match-set") {
            const std::string& name = next();
            add(set_match(name, next()));
        } else if (word == "--mark") {
            const bool connection = words.at(at - 1 - (words[at - 1] == "!" ? 1 : 0)) == "connmark";
            add([connection, want = masked(next())](const Walk& walk) {
                const std::uint32_t mark = connection ? walk.connection_mark : walk.packet.mark;
                return (mark & want.second) == want.first;
            });
        } else if (word == "--ctstate") {
            add([states = split(next(), ',')](const Walk& walk) {
                const std::string_view state = walk.is_new ? "NEW" : "ESTABLISHED";
                return std::find(states.begin(), states.end(), state) != states.end();
            });
        } else if (word == "--src-type" || word == "--dst-type") {
            SY_CHECK(next() == "LOCAL", text);
            add([source = word == "--src-type"](const Walk& walk) {
                const net::Endpoint& end = source ? walk.packet.source : walk.packet.destination;
                return is_local(*walk.host, end.address);
            });
        } else if (word == "-j") {
            rule.target = next();
            while (at + 1 < words.size()) {
                rule.options.push_back(next());
            }
        } else {
            SY_CHECK(false, word);
        }
    }
    return rule;
}

Tracer::Step Tracer::apply(Walk& walk, const Chains& chains, const Rule& rule) const {
    walk.ending.log += "  " + rule.text + "\n";
    const std::string& target = rule.target;
    if (chains.contains(target)) {
        return run(walk, chains, target);
    }
    if (target == "ACCEPT") {
        return Step::Accept;
    }
    if (target == "DROP" || target == "REJECT") {
        walk.ending.verdict = target == "DROP" ? Verdict::Dropped : Verdict::Refused;
        return Step::Stop;
    }
    if (target == "MASQUERADE") {
        walk.masqueraded = true;
        return Step::Accept;
    }
    if (target == "MARK" || target == "CONNMARK") {
        SY_CHECK(rule.options.at(0) == "--set-xmark", rule.text);
        const auto [value, mask] = masked(rule.options.at(1));
        std::uint32_t& mark = target == "MARK" ? walk.packet.mark : walk.connection_mark;
        mark = (mark & ~mask) ^ value;
        return Step::Continue;
    }
    SY_CHECK(target == "SET" && rule.options.at(0) == "--map-set", rule.text);
    SY_CHECK(rule.options.at(3) == "--map-mark", rule.text);
    const SetId& set = sets_.at(rule.options.at(1));
    SY_CHECK(has_marks(set.name), rule.text);
    if (const auto mark = look_up(walk, set, split(rule.options.at(2), ','))) {
        walk.packet.mark = *mark;
    }
    return Step::Continue;
}

Tracer::Step Tracer::run(Walk& walk, const Chains& chains, std::string_view chain) const {
    const auto found = chains.find(chain);
    if (found == chains.end()) {
        return Step::Continue;
    }
    for (const Rule& rule : found->second) {
        const bool hit = std::all_of(rule.matches.begin(), rule.matches.end(), [&](const auto& m) {
            return m(walk);
        });
        if (!hit) {
            continue;
        }
        if (rule.target == "RETURN") {
            walk.ending.log += "  " + rule.text + "\n";
            return Step::Continue;
        }
        const Step step = apply(walk, chains, rule);
        if (step != Step::Continue) {
            return step;
        }
    }
    return Step::Continue;
}

bool Tracer::hook(Walk& walk, std::string_view table, std::string_view name) const {
    walk.ending.log += std::string(table) + " " + std::string(name) + "\n";
    return run(walk, tables_.at(std::string(table)), name) != Step::Stop;
}

void Tracer::leave(Walk walk, std::vector<Ending>& endings) const {
    // nat sees the first packet of a connection only.
    if (walk.is_new && !hook(walk, "nat", "POSTROUTING")) {
        endings.push_back(walk.ending);
        return;
    }
    walk.ending.masqueraded = walk.masqueraded;
    walk.ending.source = walk.packet.source.address;
    walk.ending.mark = walk.packet.mark;
    endings.push_back(walk.ending);
}

bool Tracer::ipvs(const Walk& walk, std::vector<Ending>& endings) const {
    const auto& servers = walk.host->tables.virtual_servers;
    auto server = servers.end();
    if (walk.packet.mark != 0) {
        server = servers.find(by_mark(walk.packet.mark, family_));
    }
    if (server == servers.end()) {
        server = servers.find(VirtualServerKey{walk.packet.protocol, walk.packet.destination});
    }
    if (server == servers.end()) {
        return false;
    }
    bool any = false;
    for (const auto& [real_server, weight] : server->second.real_servers) {
        if (weight == 0) {
            continue;
        }
        any = true;
        Walk translated = walk;
        translated.packet.destination = real_server;
        // A persistent server of a mark cannot translate ports.
        if (server->first.mark != 0 && server->second.scheduling.persistence != 0) {
            translated.packet.destination.port = walk.packet.destination.port;
        }
        translated.ending.verdict = Verdict::Sent;
        translated.ending.server = server->first;
        translated.ending.real_server = translated.packet.destination;
        if (walk.host->addresses.contains(real_server.address)) {
            // To the host itself: from where it is to the socket, or by way of lo.
            translated.ending.source = walk.packet.source.address;
            translated.ending.mark = walk.packet.mark;
            endings.push_back(translated.ending);
            continue;
        }
        translated.packet.out = "eth0";
        // nat OUTPUT does nothing: the connection's destination has been decided.
        if (!hook(translated, "mangle", "OUTPUT") || !hook(translated, "filter", "OUTPUT")) {
            endings.push_back(translated.ending);
            continue;
        }
        leave(std::move(translated), endings);
    }
    if (!any) {
        Ending refused = walk.ending;
        refused.verdict = Verdict::Refused;
        endings.push_back(std::move(refused));
    }
    return true;
}

void Tracer::from_outside(Walk walk, std::vector<Ending>& endings) const {
    const auto ended = [&] {
        endings.push_back(walk.ending);
    };
    if (!hook(walk, "mangle", "PREROUTING") || (walk.is_new && !hook(walk, "nat", "PREROUTING"))) {
        return ended();
    }
    if (!is_local(*walk.host, walk.packet.destination.address)) {
        walk.packet.out = "eth0";
        if (!hook(walk, "filter", "FORWARD")) {
            return ended();
        }
        walk.ending.verdict = Verdict::Forwarded;
        return leave(std::move(walk), endings);
    }
    if (!hook(walk, "filter", "INPUT")) {
        return ended();
    }
    if (!ipvs(walk, endings)) {
        walk.ending.verdict = Verdict::Delivered;
        walk.ending.source = walk.packet.source.address;
        ended();
    }
}

void Tracer::from_node(Walk walk, std::vector<Ending>& endings) const {
    if (walk.packet.out.empty()) {
        walk.packet.out = is_local(*walk.host, walk.packet.destination.address) ? "lo" : "eth0";
    }
    if (!hook(walk, "mangle", "OUTPUT") || (walk.is_new && !hook(walk, "nat", "OUTPUT"))) {
        endings.push_back(walk.ending);
        return;
    }
    if (ipvs(walk, endings)) {
        return;
    }
    if (!hook(walk, "filter", "OUTPUT")) {
        endings.push_back(walk.ending);
        return;
    }
    if (walk.packet.out != "lo") {
        walk.ending.verdict = Verdict::Forwarded;
        return leave(std::move(walk), endings);
    }
    // Round by lo. nat has seen the connection's two ends by then.
    if (walk.is_new && !hook(walk, "nat", "POSTROUTING")) {
        endings.push_back(walk.ending);
        return;
    }
    walk.packet.in = "lo";
    walk.packet.out.clear();
    const bool arrives = hook(walk, "mangle", "PREROUTING") && hook(walk, "filter", "INPUT");
    if (arrives) {
        walk.ending.verdict = Verdict::Delivered;
    }
    walk.ending.source = walk.packet.source.address;
    endings.push_back(walk.ending);
}

std::vector<Ending> Tracer::trace(const Host& host, const Packet& packet, bool connection_is_new)
    const {
    Walk walk;
    walk.host = &host;
    walk.packet = packet;
    walk.is_new = connection_is_new;
    std::vector<Ending> endings;
    if (packet.in.empty()) {
        from_node(std::move(walk), endings);
    } else {
        from_outside(std::move(walk), endings);
    }
    return endings;
}

}  // namespace steelyard::proxy::oracle
