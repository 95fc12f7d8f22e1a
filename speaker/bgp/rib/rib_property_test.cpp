#include "common/base/rng.hpp"
#include "speaker/bgp/rib/listener_testing.hpp"
#include "speaker/bgp/rib/rib_out.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

// Random histories against a model: plans that change, peers that come, go, lag, ask for refreshes,
// and every mode of shutting down. Each peer is a Listener, which refuses unneeded messages itself.
namespace steelyard::bgp_rib {
namespace {

using Plan = std::map<net::Prefix, std::vector<Path>>;

struct Reader {
    PeerId id{};
    SessionView session;
    Listener listener{{}};
    bool shutdown = false;
    bool withdrawn = false;
    std::array<std::optional<NextHop>, 2> next_hops;  // the last there was, by family
    bool plain = true;  // no mode nor next hop ever changed: `synced` and its table go together
    std::uint64_t synced = 0;
};

std::optional<NextHop> next_hop_of(const SessionView& session, net::Family family) {
    auto choice = choose_next_hop(session, family);
    auto* const found = std::get_if<NextHop>(&choice);
    return found == nullptr ? std::nullopt : std::optional(std::move(*found));
}

class World {
public:
    explicit World(std::uint64_t seed) : rng_(seed) {
        for (unsigned i = 0; i < 40; ++i) {
            prefixes_.emplace_back(net::IpAddress::v4(0xc0000200U + i), 32);
            prefixes_.emplace_back(net::IpAddress::v4(0x0a000000U + (i << 16U)), 16 + i % 8);
            const auto v6 = net::IpAddress::parse("2001:db8::" + std::to_string(i + 1)).value();
            prefixes_.emplace_back(v6, 64 + i);
        }
    }

    void run(int steps) {
        for (int step = 0; step < steps && !testing::Test::HasFailure(); ++step) {
            this->step();
        }
        rib_.release();
        held_ = false;
        for (const auto& reader : readers_) {
            drain(*reader);
        }
        const auto figures = rib_.figures();
        EXPECT_EQ(figures.routes, plan_.size());
        EXPECT_EQ(figures.tombstones, 0U);
        while (!readers_.empty()) {
            remove_reader();
        }
        EXPECT_EQ(rib_.figures().routes, plan_.size());
    }

private:
    bool chance(unsigned percent) { return rng_.below(100) < percent; }
    template <class T>
    const T& any(const std::vector<T>& values) {
        return values[rng_.below(values.size())];
    }

    Attributes random_attributes() {
        Attributes out;
        if (chance(50)) {
            out.local_pref = static_cast<std::uint32_t>(100 + rng_.below(2));
        }
        if (chance(20)) {
            out.med = 7;
        }
        out.prepend = static_cast<unsigned>(rng_.below(2));
        for (std::uint32_t community : {3U, 1U, 2U}) {
            if (chance(30)) {
                out.communities.push_back(community);
            }
        }
        if (chance(10)) {
            out.large = {{4'200'000'000U, 2, 3}};
        }
        if (chance(10)) {
            out.link_bandwidth_weight = static_cast<std::uint32_t>(rng_.below(3));
        }
        return out;
    }

    std::vector<Path> random_paths() {
        std::vector<Path> paths;
        for (auto count = 1 + rng_.below(3); count > 0; --count) {
            Path path;
            for (const char* const name : {"d", "b", "a", "c"}) {
                if (chance(40)) {
                    path.peers.emplace_back(name);
                }
            }
            path.attributes = random_attributes();
            paths.push_back(std::move(path));
        }
        return paths;
    }

    void draw_next_hops(SessionView& out) {
        const auto draw = [this](unsigned percent, std::vector<std::string> choices) {
            return chance(percent) ? net::IpAddress::parse(any(choices)).value()
                                   : std::optional<net::IpAddress>();
        };
        out.next_hop_v4 = draw(70, {"10.1.1.1", "10.1.1.2"});
        out.next_hop_v6 = draw(70, {"fd00::1", "fd00::2"});
        out.next_hop_link_local = draw(50, {"fe80::1"});
    }

    SessionView random_session() {
        SessionView out;
        out.peer = std::string(1, static_cast<char>('a' + rng_.below(5)));
        out.ibgp = chance(50);
        out.local_asn = chance(50) ? 64'512 : 4'200'000'001;
        out.as4 = chance(80);
        out.v4 = chance(90);
        out.v6 = chance(60);
        out.v4_over_v6 = chance(30);
        out.enhanced_refresh = chance(50);
        out.max_message = any<std::size_t>({4096, 4096, 65'535, 180});
        draw_next_hops(out);
        if (!out.ibgp && chance(40)) {
            out.role = static_cast<bgp_wire::Role>(rng_.below(5));
        }
        return out;
    }

    std::map<net::Prefix, bgp_wire::PathAttributes> expected(const Reader& reader) const {
        std::map<net::Prefix, bgp_wire::PathAttributes> out;
        if (withdrawn_ || reader.withdrawn) {
            return out;
        }
        for (const auto& [prefix, paths] : plan_) {
            const auto choice = choose_next_hop(reader.session, prefix.address().family());
            const auto path = std::find_if(paths.begin(), paths.end(), [&](const Path& candidate) {
                return candidate.peers.empty() ||
                       std::count(
                           candidate.peers.begin(), candidate.peers.end(), reader.session.peer
                       ) != 0;
            });
            if (path == paths.end() || !std::holds_alternative<NextHop>(choice)) {
                continue;
            }
            Attributes attributes = path->attributes;
            std::sort(attributes.communities.begin(), attributes.communities.end());
            out[prefix] = make_attributes(
                attributes, reader.session, std::get<NextHop>(choice), shutdown_ || reader.shutdown
            );
        }
        return out;
    }

    void change() {
        Changes changes;
        for (auto count = rng_.below(12); count > 0; --count) {
            const net::Prefix prefix = any(prefixes_);
            if (chance(30)) {
                changes.remove.push_back(prefix);
            } else {
                changes.upsert.push_back({prefix, chance(80) ? any(recipes_) : random_paths()});
            }
        }
        for (const net::Prefix& prefix : changes.remove) {
            plan_.erase(prefix);
        }
        for (const Route& route : changes.upsert) {
            plan_[route.prefix] = route.paths;
        }
        rib_.apply(changes, ++sequence_);
        for (const net::Prefix& prefix : changes.remove) {
            changed_[prefix] = sequence_;
        }
        for (const Route& route : changes.upsert) {
            changed_[route.prefix] = sequence_;
        }
    }

    void add_reader() {
        auto reader = std::make_unique<Reader>();
        reader->session = random_session();
        reader->listener = Listener(reader->session);
        note_next_hops(*reader);
        reader->id = rib_.add_peer(reader->session);
        readers_.push_back(std::move(reader));
    }

    // True for a family that goes out again.
    std::array<bool, 2> note_next_hops(Reader& reader) {
        std::array<bool, 2> again{};
        for (const auto family : {net::Family::V4, net::Family::V6}) {
            const auto now = next_hop_of(reader.session, family);
            auto& last = reader.next_hops[Listener::index(family)];
            again[Listener::index(family)] = now && last && *now != *last;
            last = now ? now : last;
        }
        return again;
    }

    void change_next_hops(Reader& reader) {
        SessionView& session = reader.session;
        draw_next_hops(session);
        reader.plain = false;
        rib_.set_next_hops(
            reader.id, session.next_hop_v4, session.next_hop_v6, session.next_hop_link_local
        );
        const auto again = note_next_hops(reader);
        for (const auto family : {net::Family::V4, net::Family::V6}) {
            if (again[Listener::index(family)]) {
                reader.listener.expect_repeats(family);
            }
        }
    }

    void remove_reader() {
        const auto gone =
            readers_.begin() + static_cast<std::ptrdiff_t>(rng_.below(readers_.size()));
        rib_.remove_peer((*gone)->id);
        readers_.erase(gone);
    }

    void write(Reader& reader, std::size_t limit) {
        const bool promised = rib_.pending(reader.id);
        wire::Writer out;
        const std::size_t written = rib_.write(reader.id, out, limit);
        EXPECT_EQ(written, out.size());
        EXPECT_LE(written, limit + 65'535);
        EXPECT_TRUE(promised || written == 0) << "nothing was pending";
        EXPECT_TRUE(!held_ || written == 0) << "held";
        reader.listener.read(out.view());
        for (const auto family : {net::Family::V4, net::Family::V6}) {
            EXPECT_EQ(rib_.prefixes(reader.id, family), reader.listener.count(family));
        }
        EXPECT_GE(rib_.synced(reader.id), reader.synced) << "synced falls";
        reader.synced = rib_.synced(reader.id);
        check_synced(reader);
        check_if_in_sync(reader);
    }

    // What was not changed since `synced` is as the peer was told.
    void check_synced(const Reader& reader) {
        if (!reader.plain || held_) {
            return;
        }
        const auto wanted = expected(reader);
        for (const auto& [prefix, sequence] : changed_) {
            if (sequence <= reader.synced) {
                EXPECT_EQ(wanted.count(prefix), reader.listener.table.count(prefix))
                    << to_string(prefix) << " synced " << reader.synced;
            }
        }
    }

    void check_if_in_sync(const Reader& reader) {
        if (held_ || rib_.pending(reader.id)) {
            return;
        }
        EXPECT_EQ(reader.listener.table, expected(reader));
        EXPECT_EQ(rib_.synced(reader.id), sequence_);
        for (const auto& box : reader.listener.boxes) {
            EXPECT_TRUE(box.to_be_repeated.empty()) << "a refresh was not served";
            EXPECT_FALSE(box.in_refresh);
        }
        EXPECT_EQ(reader.listener.boxes[0].end_of_rib, reader.session.v4);
        EXPECT_EQ(reader.listener.boxes[1].end_of_rib, reader.session.v6);
        for (const net::Prefix& prefix : prefixes_) {
            EXPECT_EQ(rib_.announced(reader.id, prefix), reader.listener.table.count(prefix) == 1);
        }
    }

    void drain(Reader& reader) {
        for (int round = 0; rib_.pending(reader.id); ++round) {
            ASSERT_LT(round, 10'000) << "never in sync";
            write(reader, 1);
        }
        check_if_in_sync(reader);
    }

    void refresh(Reader& reader) {
        const auto family = chance(70) ? net::Family::V4 : net::Family::V6;
        rib_.refresh(reader.id, family);
        reader.listener.ask_refresh(family);
    }

    void set_modes(Reader& reader) {
        for (const auto& each : readers_) {
            each->plain = false;
        }
        switch (rng_.below(8)) {
            case 0:
                shutdown_ = !shutdown_;
                rib_.set_graceful_shutdown(shutdown_);
                return;
            case 1:
                withdrawn_ = true;
                rib_.withdraw_all();
                return;
            case 2:
                withdrawn_ = false;
                for (const auto& each : readers_) {
                    each->withdrawn = false;
                }
                rib_.resume();
                return;
            case 3:
                reader.withdrawn = true;
                rib_.withdraw_all(reader.id);
                return;
            case 4:
                reader.withdrawn = false;
                rib_.resume(reader.id);
                return;
            default:
                reader.shutdown = !reader.shutdown;
                rib_.set_graceful_shutdown(reader.id, reader.shutdown);
        }
    }

    void step() {
        const auto choice = rng_.below(100);
        if (choice < 30) {
            change();
        } else if (choice < 36 && readers_.size() < 70) {
            add_reader();
        } else if (choice < 38) {
            held_ = chance(20);
            held_ ? rib_.hold() : rib_.release();
        } else if (readers_.empty()) {
            return;
        } else if (choice < 41) {
            remove_reader();
        } else if (choice < 45) {
            refresh(*any(readers_));
        } else if (choice < 49) {
            set_modes(*any(readers_));
        } else if (choice < 51) {
            change_next_hops(*any(readers_));
        } else if (choice < 55) {
            drain(*any(readers_));
        } else {
            write(*any(readers_), 1 + rng_.below(700));
        }
    }

    Rng rng_;
    RibOut rib_;
    std::vector<net::Prefix> prefixes_;
    std::vector<std::vector<Path>> recipes_ = [this] {
        std::vector<std::vector<Path>> out;
        for (int i = 0; i < 6; ++i) {
            out.push_back(random_paths());
        }
        return out;
    }();
    Plan plan_;
    std::map<net::Prefix, std::uint64_t> changed_;
    std::vector<std::unique_ptr<Reader>> readers_;
    std::uint64_t sequence_ = 0;
    bool held_ = true;
    bool shutdown_ = false;
    bool withdrawn_ = false;
};

class RibPropertyTest : public testing::TestWithParam<std::uint64_t> {};

TEST_P(RibPropertyTest, EveryPeerHasExactlyItsTableAndNoMessageIsUnneeded) {
    SCOPED_TRACE("seed " + std::to_string(GetParam()));

    World world(GetParam());

    world.run(1500);
}

INSTANTIATE_TEST_SUITE_P(Seeds, RibPropertyTest, testing::Range<std::uint64_t>(1, 17));

}  // namespace
}  // namespace steelyard::bgp_rib
