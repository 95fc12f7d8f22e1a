#include "speaker/bgp/session/simulation.hpp"

#include "speaker/bgp/session/timing.hpp"

#include <gtest/gtest.h>

#include <array>
#include <string>

namespace steelyard::bgp {
namespace {

using namespace std::chrono_literals;

constexpr std::uint32_t kA = 64512;
constexpr std::uint32_t kB = 64513;

std::string story(const Simulation& world, std::size_t which) {
    std::string out;
    for (const Action& action : world.node(which).log) {
        if (const auto* dial = std::get_if<Dial>(&action)) {
            out += " dial" + std::to_string(static_cast<unsigned>(dial->id));
        } else if (const auto* send = std::get_if<Send>(&action)) {
            out += " send" + std::to_string(static_cast<unsigned>(send->id)) + ":" +
                   std::to_string(std::to_integer<unsigned>(send->bytes[18]));
        } else if (const auto* close = std::get_if<Close>(&action)) {
            out += " close" + std::to_string(static_cast<unsigned>(close->id));
        } else if (const auto* down = std::get_if<Down>(&action)) {
            out += " down(" + down->reason.text + ")";
        } else if (const auto* changed = std::get_if<StateChanged>(&action)) {
            out += " ->" + std::string(to_string(changed->to));
        }
    }
    return out;
}

// Both dial at about the same time, over every interleaving a seed can make.
TEST(SimulationTest, ExactlyOneConnectionSurvivesACollisionAndNoSessionIsLost) {
    std::uint64_t collisions = 0;
    for (std::uint64_t seed = 1; seed <= 3000; ++seed) {
        SCOPED_TRACE("seed " + std::to_string(seed));
        const Duration longest = seed % 3 == 0 ? 300ms : seed % 3 == 1 ? 20ms : 1ms;
        Simulation world({seed, longest, 1 + seed % 60});
        auto a = Simulation::config_of(0, kA, kB);
        auto b = Simulation::config_of(1, kB, kA);
        if (seed % 5 == 0) {
            b.router_id = a.router_id;  // the AS number decides
        }
        a.graceful_restart = seed % 2 == 0;
        b.graceful_restart = seed % 4 == 0;
        world.install(0, a);
        world.install(1, b);
        world.start(0);
        const auto head_start = static_cast<Duration::rep>(
            world.rng().below(static_cast<std::uint64_t>((4 * longest).count()))
        );
        world.at(Duration(head_start), [&] { world.start(1); });

        ASSERT_TRUE(world.run_until([&] { return world.settled(); }, 60s))
            << story(world, 0) << "\n"
            << story(world, 1);
        world.run_for(60s);
        ASSERT_TRUE(world.settled()) << story(world, 0) << "\n" << story(world, 1);
        for (const std::size_t which : {0U, 1U}) {
            ASSERT_EQ(world.peer(which).counters().established, 1U) << story(world, 0) << "\n"
                                                                    << story(world, 1);
            collisions += world.peer(which).counters().collisions;
        }
    }
    EXPECT_GT(collisions, 1000U);  // the test did meet what it is about
}

struct Pair : Simulation {
    explicit Pair(std::uint64_t seed, bool graceful, Duration hold = 9s)
        : Simulation({seed, 20ms, 40}) {
        for (const std::size_t which : {0U, 1U}) {
            configs[which] = config_of(which, which == 0 ? kA : kB, which == 0 ? kB : kA);
            configs[which].graceful_restart = graceful;
            configs[which].hold_time = hold;
            install(which, configs[which]);
            start(which);
        }
    }
    // A new process in place of the old one.
    void restart(std::size_t which, bool host_too) {
        kill(which, host_too);
        install(which, configs[which], true);
        start(which);
    }
    bool settles(Duration limit) {
        return run_until([&] { return settled(); }, limit);
    }
    std::array<PeerConfig, 2> configs;
};

TEST(SimulationTest, ASpeakerThatRestartsComesBackAndItsRoutesWereKept) {
    Pair world(1, true);
    ASSERT_TRUE(world.settles(5s));
    for (int i = 0; i < 50; ++i) {
        world.run_for(30s);
        world.restart(0, false);
        ASSERT_TRUE(world.settles(5s)) << i << story(world, 0) << "\n" << story(world, 1);
        EXPECT_TRUE(world.peer(1).negotiated()->peer_restarting);
        world.peer(0).restart_done();
    }
    const auto downs = world.all<Down>(1);
    EXPECT_EQ(downs.size(), 50U);
    for (const Down& down : downs) {
        EXPECT_TRUE(down.routes_kept);
    }
}

TEST(SimulationTest, AStopForARestartSaysNothingAndRoutesAreKept) {
    Pair world(2, true);
    ASSERT_TRUE(world.settles(5s));
    world.drive(0, [&](Peer& peer, Actions& out) {
        peer.stop({Stop::Kind::GracefulRestart, {}}, world.now(), out);
    });
    world.run_for(1s);
    const auto downs = world.all<Down>(1);
    ASSERT_EQ(downs.size(), 1U);
    EXPECT_TRUE(downs[0].routes_kept);
    EXPECT_EQ(downs[0].reason.kind, Trouble::Kind::ConnectionLost);
    EXPECT_EQ(world.peer(1).counters().in.notifications, 0U);
}

TEST(SimulationTest, AfterADeadHostGracefulRestartNeedsNoHoldTime) {
    for (const bool graceful : {true, false}) {
        Pair world(3, graceful, 90s);
        ASSERT_TRUE(world.settles(5s));
        world.run_for(20s);
        world.restart(0, true);
        EXPECT_EQ(world.settles(10s), graceful);
        EXPECT_TRUE(world.settles(150s));
        EXPECT_EQ(world.all<Down>(1).at(0).routes_kept, graceful);
    }
}

TEST(SimulationTest, ACutLinkIsNoticedWithinTheHoldTimeAndHeals) {
    for (std::uint64_t seed = 1; seed <= 200; ++seed) {
        SCOPED_TRACE("seed " + std::to_string(seed));
        Pair world(seed, seed % 2 == 0);
        ASSERT_TRUE(world.settles(5s));
        world.run_for(Duration(world.rng().below(10'000'000'000)));
        world.cut(true);
        world.run_for(9s + 100ms);
        EXPECT_FALSE(world.up(0) || world.up(1));
        world.run_for(2min);
        EXPECT_EQ(world.peer(0).trouble()->kind, Trouble::Kind::Unreachable);
        world.cut(false);
        // An attempt just under way is lost, the next waits at most for the longest retry.
        ASSERT_TRUE(world.settles(kDialTimeout + kLongestRetry + 10s)) << story(world, 0) << "\n"
                                                                       << story(world, 1);
        world.run_for(2min);
        EXPECT_TRUE(world.settled());
    }
}

TEST(SimulationTest, EverythingAtRandomConvergesOnceLeftAlone) {
    for (std::uint64_t seed = 1; seed <= 500; ++seed) {
        SCOPED_TRACE("seed " + std::to_string(seed));
        Pair world(seed, seed % 2 == 0);
        Rng chaos(seed);
        for (int i = 0; i < 20; ++i) {
            world.run_for(std::chrono::milliseconds(chaos.below(20'000)));
            const std::size_t which = chaos.below(2);
            switch (chaos.below(6)) {
                case 0:
                    world.restart(which, false);
                    break;
                case 1:
                    world.restart(which, true);
                    break;
                case 2:
                    world.cut(true);
                    world.run_for(std::chrono::milliseconds(chaos.below(15'000)));
                    world.cut(false);
                    break;
                case 3:
                    world.drive(which, [&](Peer& peer, Actions& out) {
                        const auto kind = static_cast<Stop::Kind>(chaos.below(5));
                        peer.stop({kind, "test"}, world.now(), out);
                        peer.start(world.now(), out);
                    });
                    break;
                case 4:
                    world.drive(which, [&](Peer& peer, Actions& out) {
                        auto config = peer.config();
                        config.passive = !config.passive && which == 0;
                        config.v6 = !config.v6;
                        peer.update(config, world.now(), out);
                    });
                    break;
                default:
                    world.node(which).asleep_until =
                        world.now() + std::chrono::milliseconds(chaos.below(12'000));
            }
        }
        ASSERT_TRUE(world.settles(5min)) << story(world, 0) << "\n" << story(world, 1);
        world.run_for(5min);
        ASSERT_TRUE(world.settled()) << story(world, 0) << "\n" << story(world, 1);
    }
}

TEST(SimulationTest, APairWithTheWrongAsStaysDownQuietly) {
    Simulation world({4, 20ms, 40});
    world.install(0, Simulation::config_of(0, kA, kB));
    world.install(1, Simulation::config_of(1, 65000, kA));
    world.start(0);
    world.start(1);
    world.run_for(1h);
    EXPECT_EQ(world.peer(0).trouble()->text, "the peer is in AS 65000, but AS 64513 is configured");
    EXPECT_LE(world.all<Dial>(0).size() + world.all<Dial>(1).size(), 120U);
    EXPECT_LE(world.all<TroubleChanged>(0).size(), 200U);
    std::size_t news = 0;
    for (const auto& change : world.all<TroubleChanged>(0)) {
        news += change.news ? 1 : 0;
    }
    EXPECT_LE(news, 3U);
}

}  // namespace
}  // namespace steelyard::bgp
