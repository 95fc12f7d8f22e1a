#include "speaker/io/dataplane/mirror.hpp"

#include <algorithm>
#include <chrono>
#include <iterator>
#include <utility>

namespace steelyard::dataplane {
namespace {

using proxy::Object;
using proxy::Op;
using proxy::VirtualServerKey;

// Operations that are encoded and under way together: bounds memory, and fills several sends.
constexpr std::size_t kSlice = 2000;
// More servers than this that are not as known are read in one go.
constexpr std::size_t kMostSingleReadings = 100;
constexpr int kPasses = 3;

Instant clock_now() {
    return std::chrono::steady_clock::now();
}

template <class... Fs>
struct Overloaded : Fs... {
    using Fs::operator()...;
};
template <class... Fs>
Overloaded(Fs...) -> Overloaded<Fs...>;

std::string kind_of(const Object& object) {
    return std::visit(
        Overloaded{
            [](const VirtualServerKey&) { return "virtual_server"; },
            [](const net::IpAddress&) { return "address"; },
            [](const proxy::SetElement&) { return "set_entry"; },
        },
        object
    );
}

// The server whose UDP flows an operation may have led astray: it has a real server less, or is
// new, and before there was another way. Marked servers do not say what they carry.
std::optional<VirtualServerKey> server_to_purge(const Op& op) {
    std::optional<VirtualServerKey> key;
    if (const auto* added = std::get_if<proxy::AddVirtualServer>(&op)) {
        key = added->key;
    } else if (const auto* removed = std::get_if<proxy::RemoveVirtualServer>(&op)) {
        key = removed->key;
    } else if (const auto* real_server = std::get_if<proxy::RemoveRealServer>(&op)) {
        key = real_server->key;
    } else if (const auto* unmarked = std::get_if<proxy::RemoveSetEntry>(&op)) {
        // With the mark goes the way to the real servers behind it.
        if (proxy::has_marks(unmarked->set.name)) {
            key = VirtualServerKey{
                unmarked->entry.protocol, {unmarked->entry.ip, unmarked->entry.port}, 0};
        }
    }
    if (key && key->mark == 0 && key->protocol != net::Protocol::Udp) {
        key.reset();
    }
    return key;
}

class Reader final : public Observer {
public:
    explicit Reader(proxy::Ledger& ledger) : ledger_(ledger) {}

    bool owns(const VirtualServerKey& key) const override { return ledger_.owns(key); }
    void virtual_server(
        const VirtualServerKey& key,
        const proxy::Scheduling& scheduling,
        const proxy::RealServers& real_servers
    ) override {
        ledger_.see_server(key, scheduling, real_servers);
    }
    void address(const net::IpAddress& address) override { ledger_.see_address(address); }
    void route(const net::IpAddress& address, const std::optional<net::IpAddress>& source)
        override {
        ledger_.see_route(address, source);
    }
    void entry(const proxy::SetId& set, const proxy::SetEntry& entry, std::uint32_t mark) override {
        ledger_.see_entry(set, entry, mark);
    }

private:
    proxy::Ledger& ledger_;
};

}  // namespace

// What came of one round of writing.
struct Mirror::Pass {
    std::map<Object, std::string> refused;     // -> why
    std::map<Object, std::string> unexpected;  // not as known -> what the kernel said
    bool lost_answers = false;
    std::set<VirtualServerKey> purge;
};

Mirror::Mirror(KernelPort& kernel, const proxy::ProxyConfig& config, Counters& counters)
    : kernel_(kernel), counters_(counters), ledger_(config) {}

awaitable<Result<>> Mirror::read() {
    sure_ = false;
    const std::size_t before = ledger_.surprises();
    Reader reader(ledger_);
    ledger_.begin_reading();
    if (auto done = co_await kernel_.read(reader); !done) {
        co_return done.error();
    }
    ledger_.end_reading();
    if (std::exchange(read_once_, true)) {
        counters_.drifts += ledger_.surprises() - before;
    }
    sure_ = true;
    co_return Result<>();
}

awaitable<Result<>> Mirror::write(Report& report) {
    for (int pass = 1;; ++pass) {
        const Next next = co_await write_once(pass == kPasses, report);
        if (next == Next::Done) {
            break;
        }
        if (next == Next::ReadAll) {
            if (auto read_all = co_await read(); !read_all) {
                co_return read_all.error();
            }
        }
    }
    fill(report);
    co_return Result<>();
}

awaitable<Mirror::Next> Mirror::write_once(bool last, Report& report) {
    std::vector<Object> tried;
    for (const auto& [object, trouble] : retries_.troubles()) {
        if (ledger_.is_suspect(object)) {
            tried.push_back(object);
        }
    }
    Pass pass;
    const std::vector<Op> ops = ledger_.diff(clock_now());
    co_await execute(ops, pass, report);
    if (last) {
        pass.refused.merge(pass.unexpected);
        pass.unexpected.clear();
    }
    const Instant now = clock_now();
    for (const Object& object : tried) {
        if (!pass.refused.contains(object) && !pass.unexpected.contains(object)) {
            retries_.done(object);
        }
    }
    for (auto& [object, reason] : pass.refused) {
        retries_.failed(object, std::move(reason), now);
    }
    co_await purge(pass.purge, report);
    std::set<VirtualServerKey> servers;
    for (const auto& [object, reason] : pass.unexpected) {
        ledger_.suspect(object);
        if (const auto* key = std::get_if<VirtualServerKey>(&object)) {
            servers.insert(*key);
        }
    }
    if (pass.lost_answers || servers.size() > kMostSingleReadings) {
        sure_ = false;
        co_return last ? Next::Done : Next::ReadAll;
    }
    if (auto read_again_done = co_await read_again(servers); !read_again_done) {
        co_return last ? Next::Done : Next::ReadAll;
    }
    const bool more = !pass.unexpected.empty() || ledger_.has_suspects();
    co_return more && !last ? Next::Again : Next::Done;
}

awaitable<void> Mirror::execute(const std::vector<Op>& ops, Pass& pass, Report& report) {
    for (std::size_t first = 0; first < ops.size(); first += kSlice) {
        const std::size_t size = std::min(kSlice, ops.size() - first);
        const auto begin = ops.begin() + static_cast<std::ptrdiff_t>(first);
        const std::vector<Op> slice(begin, begin + static_cast<std::ptrdiff_t>(size));
        Outcome outcome = co_await kernel_.execute(slice);
        std::vector<std::size_t> refused;
        for (OpFailure& failure : outcome.failures) {
            refused.push_back(failure.op);
            ++counters_.refusals;
            const Object object = proxy::object_of(slice[failure.op]);
            const bool unexpected =
                failure.verdict == Verdict::Drifted || failure.verdict == Verdict::Unknown;
            // A link or a set that has gone took all of its members along.
            const bool whole = unexpected && !std::holds_alternative<VirtualServerKey>(object);
            pass.lost_answers = pass.lost_answers || whole || failure.verdict == Verdict::Unknown;
            // The real servers of a server that is refused fail too, and say nothing new.
            if (!pass.refused.contains(object)) {
                auto& reasons = unexpected ? pass.unexpected : pass.refused;
                reasons.emplace(object, std::move(failure.reason));
            }
        }
        ledger_.acknowledge(slice, refused, clock_now());
        auto skip = refused.begin();
        for (std::size_t i = 0; i < size; ++i) {
            if (skip != refused.end() && *skip == i) {
                ++skip;
                continue;
            }
            count(slice[i]);
            if (const auto key = server_to_purge(slice[i])) {
                pass.purge.insert(*key);
            }
        }
        report.ops += size - refused.size();
        report.sends += outcome.sends;
    }
}

awaitable<Result<>> Mirror::read_again(const std::set<VirtualServerKey>& servers) {
    for (const VirtualServerKey& key : servers) {
        auto server = co_await kernel_.read_server(key);
        if (!server) {
            sure_ = false;
            co_return server.error();
        }
        ledger_.see_server_alone(key, server->has_value() ? &**server : nullptr);
        ++counters_.drifts;
    }
    co_return Result<>();
}

// A flow that is not found, or not deleted, ends when it idles: nothing is tried again for it.
awaitable<void> Mirror::purge(const std::set<VirtualServerKey>& changed, Report& report) {
    if (changed.empty()) {
        co_return;
    }
    conntrack::Lookup lookup;
    lookup.real_servers = [this](const VirtualServerKey& key) {
        return ledger_.found_real_servers(key);
    };
    lookup.marked = [this](const conntrack::Lookup::OnMember& show) {
        ledger_.for_marked(show);
    };
    for (const net::Family family : {net::Family::V4, net::Family::V6}) {
        std::set<VirtualServerKey> servers;
        std::copy_if(
            changed.begin(),
            changed.end(),
            std::inserter(servers, servers.end()),
            [&](const VirtualServerKey& key) { return key.endpoint.address.family() == family; }
        );
        if (servers.empty()) {
            continue;
        }
        const auto frontends = conntrack::Frontends::of(lookup, servers);
        if (frontends.empty()) {
            continue;
        }
        const Instant begun = clock_now();
        const auto deleted = co_await kernel_.purge_flows(frontends);
        Purge purge;
        purge.family = family;
        purge.took = clock_now() - begun;
        purge.deleted = deleted ? *deleted : 0;
        report.purges.push_back(purge);
        counters_.conntrack_deleted[family == net::Family::V4 ? 0 : 1] += purge.deleted;
    }
}

void Mirror::count(const Op& op) {
    std::visit(
        Overloaded{
            [&](const proxy::AddSetEntry&) { ++counters_.set_entry_writes; },
            [&](const proxy::RemoveSetEntry&) { ++counters_.set_entry_writes; },
            [&](const proxy::AddAddress&) { ++counters_.address_writes; },
            [&](const proxy::RemoveAddress&) { ++counters_.address_writes; },
            [&](const proxy::AddRoute&) { ++counters_.route_writes; },
            [&](const proxy::RemoveRoute&) { ++counters_.route_writes; },
            [&](const proxy::AddVirtualServer&) { ++counters_.virtual_server_writes; },
            [&](const proxy::SetVirtualServer&) { ++counters_.virtual_server_writes; },
            [&](const proxy::RemoveVirtualServer&) { ++counters_.virtual_server_writes; },
            [&](const auto&) { ++counters_.real_server_writes; },
        },
        op
    );
}

void Mirror::prepare_due(Instant now) {
    ledger_.end_drains(now);
    for (const Object& object : retries_.due(now)) {
        ledger_.suspect(object);
    }
}

std::optional<Instant> Mirror::next_due() const {
    const auto drain = ledger_.next_drain();
    const auto retry = retries_.next();
    return drain && retry ? std::min(*drain, *retry) : drain ? drain : retry;
}

awaitable<Result<bool>> Mirror::look() {
    const auto key = ledger_.known_after(looked_at_);
    if (!key) {
        co_return true;
    }
    looked_at_ = *key;
    co_return co_await kernel_.has(*key);
}

void Mirror::fill(Report& report) {
    for (const auto& [object, trouble] : retries_.troubles()) {
        Failure failure;
        failure.kind = kind_of(object);
        failure.object = to_string(object);
        failure.reason = trouble.reason;
        failure.attempts = trouble.attempts;
        report.failures.push_back(std::move(failure));
    }
    report.servable = ledger_.servable();
    report.unservable = ledger_.unservable();
}

}  // namespace steelyard::dataplane
