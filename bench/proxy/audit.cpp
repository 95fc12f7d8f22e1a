#include "bench/proxy/child.hpp"
#include "bench/proxy/loop.hpp"
#include "bench/proxy/objects.hpp"
#include "bench/proxy/parts.hpp"
#include "bench/proxy/raw.hpp"
#include "common/base/rng.hpp"
#include "speaker/io/dataplane/kernel.hpp"
#include "speaker/io/iptables/iptables.hpp"

#include <algorithm>
#include <cstdio>
#include <iterator>
#include <set>
#include <variant>

// The periodic look at the whole kernel: what it costs when all is well, and what it puts right.
namespace steelyard::bench {
namespace {

constexpr std::size_t kCorruptions = 1'000;
constexpr std::uint64_t kSeed = 6;

class Ignoring final : public dataplane::Observer {
public:
    void virtual_server(
        const proxy::VirtualServerKey& /*key*/,
        const proxy::Scheduling& /*scheduling*/,
        const proxy::RealServers& /*real_servers*/
    ) override {}
    void address(const net::IpAddress& /*address*/) override {}
    void route(
        const net::IpAddress& /*address*/, const std::optional<net::IpAddress>& /*source*/
    ) override {}
    void entry(
        const proxy::SetId& /*set*/, const proxy::SetEntry& /*entry*/, std::uint32_t /*mark*/
    ) override {}
};

template <class T>
T checked(Result<T> result) {
    if (!result) {
        fail(to_string(result.error()));
    }
    return std::move(*result);
}

class Loaded {
public:
    Loaded() {
        config.drain_grace = Duration::zero();
        proxy::Context wanted = context();
        wanted.config = config;
        proxy::Planner planner(wanted);
        fill(planner, kServices);
        dataplane = dataplane::make_ipvs_dataplane(loop.executor(), config);
        if (auto started = loop.wait(dataplane->start()); !started) {
            fail(to_string(started.error()));
        }
        (void)checked(loop.wait(dataplane->apply(planner.take_changes())));
    }
    [[nodiscard]] proxy::KernelTables tables() { return checked(loop.wait(kernel.read())); }

    Loop loop;
    proxy::ProxyConfig config;
    dataplane::Kernel kernel{loop.executor(), config, proxy::names_for(config.mode)};
    std::unique_ptr<dataplane::Dataplane> dataplane;
};

Numbers costs(int rounds) {
    return once([rounds]() -> Numbers {
        Loaded loaded;
        const KernelIds ids = kernel_ids();
        iptables::Iptables tables;
        if (auto started = loaded.loop.wait(tables.start()); !started) {
            fail(to_string(started.error()));
        }
        Numbers raw;
        Numbers read;
        Numbers rules;
        Numbers audit;
        double ops = 0;
        for (int round = 0; round < rounds + 2; ++round) {
            raw.push_back(raw_dump(ids, kServices));
            const Stopwatch reading;
            Ignoring ignoring;
            if (auto done = loaded.loop.wait(loaded.kernel.read(ignoring)); !done) {
                fail(to_string(done.error()));
            }
            read.push_back(reading.seconds());
            const Stopwatch saving;
            for (const net::Family family : {net::Family::V4, net::Family::V6}) {
                (void)checked(loaded.loop.wait(tables.save(family)));
            }
            rules.push_back(saving.seconds());
            const Stopwatch auditing;
            ops += static_cast<double>(checked(loaded.loop.wait(loaded.dataplane->audit())).ops);
            audit.push_back(auditing.seconds());
        }
        return {median(raw), median(read), median(rules), median(audit), ops};
    });
}

// Something else than what is there, about an object nobody chose before.
class Vandal {
public:
    explicit Vandal(const proxy::KernelTables& tables) : tables_(tables) {
        for (const auto& [key, server] : tables.virtual_servers) {
            servers_.push_back(key);
        }
        for (const auto& [set, entries] : tables.sets) {
            for (const auto& [entry, mark] : entries) {
                elements_.push_back({set, entry});
            }
        }
        std::copy(tables.addresses.begin(), tables.addresses.end(), std::back_inserter(addresses_));
        std::copy(tables.routes.begin(), tables.routes.end(), std::back_inserter(routes_));
        std::shuffle(servers_.begin(), servers_.end(), rng_);
        std::shuffle(elements_.begin(), elements_.end(), rng_);
        std::shuffle(addresses_.begin(), addresses_.end(), rng_);
        std::shuffle(routes_.begin(), routes_.end(), rng_);
    }

    proxy::Op next() {
        const std::uint64_t choice = rng_.below(8);
        if (choice == 0) {
            return proxy::RemoveVirtualServer{take(servers_)};
        }
        if (choice == 1) {
            proxy::Scheduling other;
            other.scheduler = "wlc";
            return proxy::SetVirtualServer{take(servers_), other};
        }
        if (choice == 2) {
            return proxy::AddRealServer{take(servers_), {net::IpAddress::v4(0xc6336401U), 9}, 1};
        }
        if (choice == 3) {
            const auto key = take(servers_);
            return proxy::RemoveRealServer{key, real_server(key)};
        }
        if (choice == 4) {
            const auto key = take(servers_);
            return proxy::SetRealServer{key, real_server(key), 7};
        }
        if (choice == 5) {
            return proxy::RemoveAddress{take(addresses_)};
        }
        if (choice == 6) {
            return proxy::RemoveRoute{take(routes_)};
        }
        const auto element = take(elements_);
        return proxy::RemoveSetEntry{element.set, element.entry};
    }

private:
    template <class T>
    static T take(std::vector<T>& from) {
        if (from.empty()) {
            fail("nothing left to corrupt");
        }
        T taken = from.back();
        from.pop_back();
        return taken;
    }
    net::Endpoint real_server(const proxy::VirtualServerKey& key) {
        const auto& all = tables_.virtual_servers.at(key).real_servers;
        return (all.begin() + static_cast<std::ptrdiff_t>(rng_.below(all.size())))->first;
    }

    const proxy::KernelTables& tables_;
    Rng rng_{kSeed};
    std::vector<proxy::VirtualServerKey> servers_;
    std::vector<proxy::SetElement> elements_;
    std::vector<net::IpAddress> addresses_;
    std::vector<net::IpAddress> routes_;
};

// Operations of the audit that repairs, its seconds, those of the next audit, and whether the
// kernel is as before.
Numbers repairs() {
    return once([]() -> Numbers {
        Loaded loaded;
        const proxy::KernelTables before = loaded.tables();
        Vandal vandal(before);
        std::vector<proxy::Op> ops;
        while (ops.size() < kCorruptions) {
            ops.push_back(vandal.next());
        }
        const auto done = loaded.loop.wait(loaded.kernel.execute(ops));
        if (!done.failures.empty()) {
            fail(done.failures.front().reason);
        }
        const bool corrupt = loaded.tables() != before;
        const Stopwatch watch;
        const auto repaired = checked(loaded.loop.wait(loaded.dataplane->audit()));
        const double seconds = watch.seconds();
        const bool same = corrupt && loaded.tables() == before && repaired.failures.empty();
        const auto again = checked(loaded.loop.wait(loaded.dataplane->audit()));
        return {
            static_cast<double>(repaired.ops),
            seconds,
            static_cast<double>(again.ops),
            same ? 1.0 : 0.0};
    });
}

}  // namespace

void bench_audit(const Settings& settings) {
    const Numbers cost = costs(settings.rounds);
    std::printf(
        "  raw dump %.3f s, reading %.3f s, rules %.3f s (iptables-save twice), audit %.3f s; "
        "%.0f operations\n",
        cost[0],
        cost[1],
        cost[2],
        cost[3],
        cost[4]
    );
    tell_at_most("audit but for the rules / raw dump", (cost[3] - cost[2]) / cost[0], 1.2, " x");
    tell_at_most("audit, rules and all / raw dump", cost[3] / cost[0], 1.2, " x");
    const Numbers repair = repairs();
    std::printf(
        "  %zu random corruptions: one audit of %.3f s and %.0f operations, the kernel is then %s; "
        "the next audit writes %.0f\n",
        kCorruptions,
        repair[1],
        repair[0],
        repair[3] == 1.0 ? "as before" : "NOT as before",
        repair[2]
    );
}

}  // namespace steelyard::bench
