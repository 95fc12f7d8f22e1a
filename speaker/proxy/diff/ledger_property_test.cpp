#include "common/base/rng.hpp"
#include "speaker/proxy/diff/ledger.hpp"
#include "speaker/proxy/diff/retries.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

namespace steelyard::proxy {
namespace {

using net::Endpoint;
using net::Family;
using net::IpAddress;
using net::Protocol;
using namespace std::chrono_literals;

constexpr int kSeeds = 60;
constexpr int kSteps = 30;
constexpr std::uint32_t kMarks = 0x80000000U;
const Instant kStart{1h};

IpAddress address(std::uint32_t base, std::uint64_t offset) {
    return IpAddress::v4(base + static_cast<std::uint32_t>(offset));
}

SetElement element(SetName name, const Endpoint& frontend) {
    SetElement made;
    made.set.name = name;
    made.entry.ip = frontend.address;
    made.entry.port = frontend.port;
    return made;
}

// A few Services that change at random and claim each other's frontends now and then.
class World {
public:
    explicit World(std::uint64_t seed) : rng_(seed) {}

    Changes change() {
        Changes changes;
        for (std::uint64_t count = 1 + rng_.below(3); count > 0; --count) {
            const std::uint64_t number = rng_.below(6);
            const kube::ObjectKey key{"ns", "s" + std::to_string(number)};
            changes.services[key] = rng_.below(6) == 0 ? nullptr : tables(number);
        }
        return changes;
    }

    Rng& rng() { return rng_; }

private:
    std::shared_ptr<const ServiceTables> tables(std::uint64_t number) {
        auto made = std::make_shared<ServiceTables>();
        const std::uint32_t mark = kMarks | static_cast<std::uint32_t>(number + 1);
        const RealServers all = endpoints(5);
        for (std::uint64_t count = 1 + rng_.below(2); count > 0; --count) {
            const Endpoint frontend{
                address(0xc0000200, rng_.below(6)), static_cast<std::uint16_t>(80 + number % 3)};
            add_frontend(*made, frontend, all, mark);
        }
        return made;
    }

    void add_frontend(
        ServiceTables& made, const Endpoint& frontend, const RealServers& all, std::uint32_t mark
    ) {
        const VirtualServerKey key{rng_.below(4) == 0 ? Protocol::Udp : Protocol::Tcp, frontend, 0};
        made.addresses.insert(frontend.address);
        made.entries[element(SetName::LoadBalancer, frontend)] = 0;
        if (rng_.below(3) == 0) {
            made.entries[element(SetName::LoadBalancerFw, frontend)] = 0;
            SetElement range = element(SetName::LoadBalancerSourceCidr, frontend);
            range.entry.second_ip = address(0x0a000000, rng_.below(3) << 8U);
            range.entry.prefix_length = 24;
            made.entries[range] = 0;
        }
        switch (rng_.below(3)) {
            case 0:
                made.virtual_servers.insert_or_assign(key, server(all));
                break;
            case 1: {  // policy Local
                RealServers local;
                for (const auto& [endpoint, weight] : all) {
                    if (rng_.below(2) == 0) {
                        local[endpoint] = weight;
                    }
                }
                made.virtual_servers.insert_or_assign(key, server(local));
                made.virtual_servers.insert_or_assign(by_mark(mark, Family::V4), server(all));
                made.entries[element(SetName::InternalMark, frontend)] = mark;
                if (local.empty()) {
                    made.entries[element(SetName::NoLocal, frontend)] = 0;
                }
                break;
            }
            default:  // affinity
                made.virtual_servers.insert_or_assign(key, server(all, 600));
                made.virtual_servers.insert_or_assign(
                    by_mark(mark | 0x100U, Family::V4), server(all, 600)
                );
                made.entries[element(SetName::AffinityMark, frontend)] = mark | 0x100U;
                break;
        }
    }

    static VirtualServerRef server(const RealServers& real_servers, std::uint32_t persistence = 0) {
        VirtualServer made;
        made.scheduling.persistence = persistence;
        made.real_servers = real_servers;
        return VirtualServerRef(std::move(made));
    }

    Endpoint endpoint() { return {address(0x0af40000, rng_.below(10)), 8080}; }
    RealServers endpoints(std::uint64_t most) {
        RealServers made;
        for (std::uint64_t count = rng_.below(most); count > 0; --count) {
            made[endpoint()] = static_cast<std::uint32_t>(rng_.below(3));
        }
        return made;
    }

    Rng rng_;
};

bool is_open(const KernelTables& tables, const VirtualServerKey& key) {
    const auto found = tables.virtual_servers.find(key);
    return found != tables.virtual_servers.end() &&
           std::any_of(
               found->second.real_servers.begin(),
               found->second.real_servers.end(),
               [](const auto& real_server) { return real_server.second > 0; }
           );
}

std::optional<std::uint32_t> member(const KernelTables& tables, const SetElement& wanted) {
    const auto set = tables.sets.find(wanted.set);
    if (set == tables.sets.end()) {
        return std::nullopt;
    }
    const auto found = set->second.find(wanted.entry);
    return found == set->second.end() ? std::nullopt : std::optional(found->second);
}

bool has_source_range(const KernelTables& tables, const Endpoint& frontend) {
    const auto set = tables.sets.find(SetId{SetName::LoadBalancerSourceCidr, Family::V4});
    return set != tables.sets.end() &&
           std::any_of(set->second.begin(), set->second.end(), [&](const auto& entry) {
               return entry.first.ip == frontend.address && entry.first.port == frontend.port;
           });
}

// Whether a client's packet to the frontend finds somewhere to go, the way the rules send it.
bool has_target(const KernelTables& tables, const VirtualServerKey& key, bool inside) {
    const Endpoint& frontend = key.endpoint;
    if (!tables.addresses.contains(frontend.address) && !tables.routes.contains(frontend.address)) {
        return false;
    }
    if (member(tables, element(SetName::LoadBalancerFw, frontend)) &&
        !has_source_range(tables, frontend)) {
        return false;
    }
    if (const auto mark = member(tables, element(SetName::InternalMark, frontend));
        inside && mark) {
        return is_open(tables, by_mark(*mark, Family::V4));
    }
    if (const auto mark = member(tables, element(SetName::AffinityMark, frontend))) {
        return is_open(tables, by_mark(*mark, Family::V4));
    }
    return !member(tables, element(SetName::NoLocal, frontend)) && is_open(tables, key);
}

// Whether the kernel would take the operation.
bool makes_sense(const Op& op, const KernelTables& kernel) {
    if (const auto* o = std::get_if<AddRealServer>(&op)) {
        const auto found = kernel.virtual_servers.find(o->key);
        return found != kernel.virtual_servers.end() &&
               !found->second.real_servers.contains(o->endpoint);
    }
    if (const auto* o = std::get_if<SetRealServer>(&op)) {
        const auto found = kernel.virtual_servers.find(o->key);
        return found != kernel.virtual_servers.end() &&
               found->second.real_servers.contains(o->endpoint);
    }
    if (const auto* o = std::get_if<RemoveRealServer>(&op)) {
        const auto found = kernel.virtual_servers.find(o->key);
        return found != kernel.virtual_servers.end() &&
               found->second.real_servers.contains(o->endpoint);
    }
    if (const auto* o = std::get_if<AddVirtualServer>(&op)) {
        return !kernel.virtual_servers.contains(o->key);
    }
    if (const auto* o = std::get_if<SetVirtualServer>(&op)) {
        return kernel.virtual_servers.contains(o->key);
    }
    if (const auto* o = std::get_if<RemoveVirtualServer>(&op)) {
        return kernel.virtual_servers.contains(o->key);
    }
    if (const auto* o = std::get_if<AddAddress>(&op)) {
        return !kernel.addresses.contains(o->address);
    }
    if (const auto* o = std::get_if<RemoveAddress>(&op)) {
        return kernel.addresses.contains(o->address);
    }
    return true;
}

struct Client {
    VirtualServerKey key;
    bool inside = false;
};

std::vector<Client> served(const KernelTables& before, const KernelTables& after) {
    std::vector<Client> clients;
    for (const auto& [key, server] : before.virtual_servers) {
        for (const bool inside : {false, true}) {
            if (key.mark == 0 && has_target(before, key, inside) &&
                has_target(after, key, inside)) {
                clients.push_back({key, inside});
            }
        }
    }
    return clients;
}

// Applies what is not refused; returns the indices of what is. Without refusals each client that is
// served before and after is served at every step between, and each operation makes sense.
std::vector<std::size_t> execute(
    const std::vector<Op>& ops,
    const KernelTables& wanted,
    KernelTables& kernel,
    Rng& rng,
    std::uint64_t refusal_percent
) {
    const bool gentle = refusal_percent == 0;
    const auto clients = gentle ? served(kernel, wanted) : std::vector<Client>();
    std::vector<std::size_t> refused;
    for (std::size_t i = 0; i < ops.size(); ++i) {
        const bool sensible = makes_sense(ops[i], kernel);
        EXPECT_TRUE(sensible || !gentle) << to_string(ops[i]);
        if (!sensible || rng.below(100) < refusal_percent) {
            refused.push_back(i);
            continue;
        }
        apply(ops[i], kernel);
        for (const Client& client : clients) {
            EXPECT_TRUE(has_target(kernel, client.key, client.inside))
                << to_string(client.key) << (client.inside ? " from inside" : " from outside")
                << " at " << to_string(ops[i]);
        }
    }
    return refused;
}

// What the kernel has once every drain has ended: planned weights of 0 are never added.
void expect_converged(const KernelTables& wanted, KernelTables kernel) {
    KernelTables expected = wanted;
    for (auto& [key, server] : expected.virtual_servers) {
        const RealServers planned = server.real_servers;
        for (const auto& [endpoint, weight] : planned) {
            const auto found = kernel.virtual_servers.find(key);
            if (weight == 0 && (found == kernel.virtual_servers.end() ||
                                !found->second.real_servers.contains(endpoint))) {
                server.real_servers.erase(endpoint);
            }
        }
    }
    EXPECT_EQ(kernel, expected);
}

void read_into(const KernelTables& kernel, Ledger& ledger) {
    ledger.begin_reading();
    for (const auto& [key, server] : kernel.virtual_servers) {
        ledger.see_server(key, server.scheduling, server.real_servers);
    }
    for (const IpAddress& bound : kernel.addresses) {
        ledger.see_address(bound);
    }
    for (const IpAddress& bound : kernel.routes) {
        ledger.see_route(bound, std::nullopt);
    }
    for (const auto& [set, entries] : kernel.sets) {
        for (const auto& [entry, mark] : entries) {
            ledger.see_entry(set, entry, mark);
        }
    }
    ledger.end_reading();
}

std::set<IpAddress> serving(const KernelTables& kernel) {
    std::set<IpAddress> addresses;
    for (const auto& [key, server] : kernel.virtual_servers) {
        const bool bound = kernel.addresses.contains(key.endpoint.address) ||
                           kernel.routes.contains(key.endpoint.address);
        if (key.mark == 0 && bound && is_open(kernel, key)) {
            addresses.insert(key.endpoint.address);
        }
    }
    return addresses;
}

TEST(LedgerPropertyTest, TrafficHasATargetAtEveryStepAndEachChangeConverges) {
    for (std::uint64_t seed = 1; seed <= kSeeds; ++seed) {
        SCOPED_TRACE("seed " + std::to_string(seed));
        World world(seed);
        Ledger ledger{ProxyConfig()};
        KernelTables kernel;
        Instant now = kStart;
        for (int step = 0; step < kSteps; ++step) {
            SCOPED_TRACE("step " + std::to_string(step));
            ledger.update(world.change());
            ledger.end_drains(now);
            const auto ops = ledger.diff(now);
            execute(ops, ledger.wanted(), kernel, world.rng(), 0);
            ledger.acknowledge(ops, {}, now);
            ASSERT_EQ(ledger.found(), kernel);
            ASSERT_EQ(*ledger.servable(), serving(kernel));
            ASSERT_TRUE(ledger.diff(now).empty());
            if (testing::Test::HasFailure()) {
                return;
            }
            now += 7s;
        }
        now += 1min;
        ledger.end_drains(now);
        const auto ops = ledger.diff(now);
        execute(ops, ledger.wanted(), kernel, world.rng(), 0);
        ledger.acknowledge(ops, {}, now);
        expect_converged(ledger.wanted(), kernel);
        EXPECT_EQ(ledger.next_drain(), std::nullopt);
        EXPECT_TRUE(ledger.unservable().empty());
    }
}

TEST(LedgerPropertyTest, StepwiseUpdatesEqualOneMerge) {
    for (std::uint64_t seed = 1; seed <= kSeeds; ++seed) {
        SCOPED_TRACE("seed " + std::to_string(seed));
        World world(seed);
        Ledger ledger{ProxyConfig()};
        Changes all;
        for (int step = 0; step < kSteps; ++step) {
            const Changes changes = world.change();
            ledger.update(changes);
            for (const auto& [service, tables] : changes.services) {
                all.services[service] = tables;
            }
            Ledger fresh{ProxyConfig()};
            fresh.update(all);
            ASSERT_EQ(ledger.wanted(), fresh.wanted());
        }
    }
}

// Refusals at random, objects somebody else changes, readings now and then: as soon as both stop,
// retries alone bring the kernel where it should be.
TEST(LedgerPropertyTest, ConvergesThroughRefusalsAndDrift) {
    for (std::uint64_t seed = 1; seed <= kSeeds; ++seed) {
        SCOPED_TRACE("seed " + std::to_string(seed));
        World world(seed);
        Ledger ledger{ProxyConfig()};
        Retries retries;
        KernelTables kernel;
        Instant now = kStart;
        const auto round = [&](std::uint64_t refusal_percent) {
            ledger.end_drains(now);
            for (const Object& object : retries.due(now)) {
                ledger.suspect(object);
            }
            std::vector<Object> tried;
            for (const auto& [object, trouble] : retries.troubles()) {
                if (trouble.next <= now || ledger.is_suspect(object)) {
                    tried.push_back(object);
                }
            }
            const auto ops = ledger.diff(now);
            const auto refused =
                execute(ops, ledger.wanted(), kernel, world.rng(), refusal_percent);
            ledger.acknowledge(ops, refused, now);
            for (const Object& object : tried) {
                const bool again = std::any_of(refused.begin(), refused.end(), [&](std::size_t i) {
                    return object_of(ops[i]) == object;
                });
                if (!again) {
                    retries.done(object);
                }
            }
            for (const std::size_t i : refused) {
                retries.failed(object_of(ops[i]), "refused", now);
            }
            EXPECT_EQ(ledger.found(), kernel);
        };
        for (int step = 0; step < kSteps; ++step) {
            ledger.update(world.change());
            round(25);
            if (world.rng().below(4) == 0 && !kernel.virtual_servers.empty()) {
                kernel.virtual_servers.erase(kernel.virtual_servers.begin());
                kernel.addresses.clear();
                read_into(kernel, ledger);
            }
            now += 3s;
        }
        read_into(kernel, ledger);
        for (int step = 0; step < 4; ++step) {
            now += 6min;
            round(0);
        }
        EXPECT_TRUE(retries.troubles().empty());
        expect_converged(ledger.wanted(), kernel);
        EXPECT_TRUE(ledger.unservable().empty());
    }
}

// What a stopped speaker, or a stopped kube-proxy, left in any state.
TEST(LedgerPropertyTest, TakingOverAnyStateServesAtEveryStep) {
    for (std::uint64_t seed = 1; seed <= kSeeds; ++seed) {
        SCOPED_TRACE("seed " + std::to_string(seed));
        World old_world(seed);
        Ledger former{ProxyConfig()};
        KernelTables kernel;
        for (int step = 0; step < kSteps; ++step) {
            former.update(old_world.change());
            const auto ops = former.diff(kStart);
            execute(ops, former.wanted(), kernel, old_world.rng(), 0);
            former.acknowledge(ops, {}, kStart);
        }
        World world(seed + 1000);
        Ledger ledger{ProxyConfig()};
        for (int step = 0; step < kSteps; ++step) {
            ledger.update(world.change());
        }
        read_into(kernel, ledger);
        ASSERT_EQ(ledger.found(), kernel);

        Instant now = kStart;
        for (int step = 0; step < 2; ++step) {
            ledger.end_drains(now);
            const auto ops = ledger.diff(now);
            execute(ops, ledger.wanted(), kernel, world.rng(), 0);
            ledger.acknowledge(ops, {}, now);
            now += 1min;
        }
        ASSERT_EQ(ledger.found(), kernel);
        expect_converged(ledger.wanted(), kernel);
        Ledger restarted{ProxyConfig()};
        read_into(kernel, restarted);
        EXPECT_EQ(restarted.found(), kernel);
    }
}

}  // namespace
}  // namespace steelyard::proxy
