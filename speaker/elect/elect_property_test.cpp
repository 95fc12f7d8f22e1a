#include "common/base/rng.hpp"
#include "speaker/elect/elect.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <map>
#include <string>
#include <vector>

// Properties of elect_all() over random sets. Each trial prints its seed on failure.
namespace steelyard::elect {
namespace {

constexpr std::uint64_t kTrials = 40;

struct World {
    Facts facts;
    std::vector<Question> questions;
};

using Owners = std::map<net::IpAddress, std::string>;

World random_world(Rng& rng, std::size_t max_nodes, std::size_t max_addresses) {
    World world;
    const std::size_t nodes = 2 + rng.below(max_nodes - 1);
    for (std::size_t i = 0; i < nodes; ++i) {
        const auto name = "worker-" + std::to_string(rng.below(1000)) + "-" + std::to_string(i);
        NodeFacts node;
        node.name = name;
        node.alive = node.reachable = node.ready = true;
        world.facts.nodes.push_back(std::move(node));
    }
    world.facts.fits.emplace_back(nodes);
    const std::size_t addresses = 1 + rng.below(max_addresses);
    const auto base = net::IpAddress::v4(static_cast<std::uint32_t>(rng.next()));
    for (std::size_t i = 0; i < addresses; ++i) {
        Question question;
        question.address = base.plus(i);
        world.questions.push_back(std::move(question));
    }
    return world;
}

Owners owners(World& world, Order order) {
    world.facts.order = order;
    const auto winners = elect_all(world.facts, world.questions);
    Owners out;
    for (std::size_t i = 0; i < winners.size(); ++i) {
        out[world.questions[i].address] = winners[i] ? world.facts.nodes[*winners[i]].name : "";
    }
    return out;
}

// Reorders nodes (and everything that refers to them) and questions.
void shuffle(World& world, Rng& rng) {
    std::vector<NodeIndex> order(world.facts.nodes.size());
    for (NodeIndex i = 0; i < order.size(); ++i) {
        order[i] = i;
    }
    std::shuffle(order.begin(), order.end(), rng);
    std::vector<NodeIndex> place(order.size());
    World next = world;
    for (NodeIndex i = 0; i < order.size(); ++i) {
        place[order[i]] = i;
        next.facts.nodes[i] = world.facts.nodes[order[i]];
        for (std::size_t f = 0; f < world.facts.fits.size(); ++f) {
            next.facts.fits[f][i] = world.facts.fits[f][order[i]];
        }
    }
    for (Question& question : next.questions) {
        for (NodeIndex& node : question.unservable) {
            node = place[node];
        }
        std::sort(question.unservable.begin(), question.unservable.end());
        if (question.local) {
            for (LocalNode& entry : *question.local) {
                entry.node = place[entry.node];
            }
            std::sort(question.local->begin(), question.local->end(), [](auto& a, auto& b) {
                return a.node < b.node;
            });
        }
    }
    std::shuffle(next.questions.begin(), next.questions.end(), rng);
    world = std::move(next);
}

void make_varied(World& world, Rng& rng) {
    const std::size_t nodes = world.facts.nodes.size();
    for (NodeFacts& node : world.facts.nodes) {
        node.ready = rng.below(8) != 0;
        node.foreign = rng.below(4) == 0;
        node.standing = static_cast<Standing>(rng.below(3));
    }
    world.facts.fits.resize(1 + rng.below(3), Fits(nodes));
    for (Fits& fits : world.facts.fits) {
        for (Fit& fit : fits) {
            fit.selected = rng.below(4) != 0;
            fit.link = static_cast<Link>(rng.below(4));
            fit.preference = static_cast<std::int32_t>(rng.below(2));
        }
    }
    for (Question& question : world.questions) {
        question.fits = static_cast<std::uint32_t>(rng.below(world.facts.fits.size()));
        if (rng.below(4) == 0) {
            question.local.emplace();
        }
        for (NodeIndex i = 0; i < nodes; ++i) {
            if (rng.below(10) == 0) {
                question.unservable.push_back(i);
            }
            if (question.local && rng.below(3) == 0) {
                question.local->push_back({i, static_cast<std::uint32_t>(1 + rng.below(2))});
            }
        }
    }
}

std::size_t highest_load(const Owners& owners) {
    std::map<std::string, std::size_t> load;
    std::size_t highest = 0;
    for (const auto& [address, node] : owners) {
        highest = std::max(highest, ++load[node]);
    }
    return highest;
}

TEST(ElectProperty, TheResultDoesNotDependOnInputOrder) {
    for (std::uint64_t seed = 1; seed <= kTrials; ++seed) {
        SCOPED_TRACE("seed " + std::to_string(seed));
        Rng rng(seed);
        World world = random_world(rng, 12, 200);
        make_varied(world, rng);
        for (const Order order : {Order::MetalLb, Order::Rendezvous}) {
            const Owners before = owners(world, order);
            World shuffled = world;
            shuffle(shuffled, rng);
            EXPECT_EQ(owners(shuffled, order), before);
        }
    }
}

TEST(ElectProperty, NoNodeOwnsMoreThanAQuarterAboveTheMean) {
    for (std::uint64_t seed = 1; seed <= kTrials; ++seed) {
        SCOPED_TRACE("seed " + std::to_string(seed));
        Rng rng(seed);
        World world = random_world(rng, 40, 2000);

        const std::size_t highest = highest_load(owners(world, Order::Rendezvous));

        EXPECT_LE(highest, load_limit(world.questions.size(), world.facts.nodes.size()));
        const double mean = static_cast<double>(world.questions.size()) /
                            static_cast<double>(world.facts.nodes.size());
        // Above four a node the limit is the promised 1.25 (below, whole addresses are coarser).
        if (mean >= 4.0) {
            EXPECT_LE(static_cast<double>(highest), 1.25 * mean);
        }
    }
}

TEST(ElectProperty, MetalLbOrderMovesOnlyTheLeaversAddresses) {
    for (std::uint64_t seed = 1; seed <= 10; ++seed) {
        SCOPED_TRACE("seed " + std::to_string(seed));
        Rng rng(seed);
        World world = random_world(rng, 12, 100);
        const Owners before = owners(world, Order::MetalLb);
        NodeFacts& leaver = world.facts.nodes[rng.below(world.facts.nodes.size())];

        leaver.alive = false;
        const Owners after = owners(world, Order::MetalLb);

        for (const auto& [address, node] : before) {
            if (node != leaver.name) {
                EXPECT_EQ(after.at(address), node);
            }
        }
    }
}

// What a MetalLB speaker knows of the same world.
World as_metallb_sees(World world) {
    for (NodeFacts& node : world.facts.nodes) {
        node.reachable = node.ready = node.forwards = true;
        node.standing = Standing::Settled;
    }
    for (Fits& fits : world.facts.fits) {
        for (Fit& fit : fits) {
            fit.link = Link::Unknown;
        }
    }
    for (Question& question : world.questions) {
        question.unservable.clear();
    }
    return world;
}

TEST(ElectProperty, InAMixedRingNoTwoNodesAnnounceAnAddress) {
    std::size_t stand_ins = 0;
    for (std::uint64_t seed = 1; seed <= kTrials; ++seed) {
        SCOPED_TRACE("seed " + std::to_string(seed));
        Rng rng(seed);
        World world = random_world(rng, 12, 100);
        make_varied(world, rng);
        world.facts.order = Order::MetalLb;
        for (NodeFacts& node : world.facts.nodes) {
            // Of a foreign node we know no more than MetalLB does.
            node.ready = node.ready || node.foreign;
        }
        for (Fits& fits : world.facts.fits) {
            for (NodeIndex i = 0; i < fits.size(); ++i) {
                fits[i].link = world.facts.nodes[i].foreign ? Link::Unknown : fits[i].link;
            }
        }
        for (Question& question : world.questions) {
            std::erase_if(question.unservable, [&](NodeIndex i) {
                return world.facts.nodes[i].foreign;
            });
        }
        const World believed = as_metallb_sees(world);

        const auto ours = elect_all(world.facts, world.questions);
        const auto theirs = elect_all(believed.facts, believed.questions);

        for (std::size_t q = 0; q < ours.size(); ++q) {
            const bool theirs_announces = theirs[q] && world.facts.nodes[*theirs[q]].foreign;
            if (theirs_announces) {
                EXPECT_EQ(ours[q], theirs[q]);
            } else if (ours[q]) {
                EXPECT_FALSE(world.facts.nodes[*ours[q]].foreign);
                stand_ins += ours[q] != theirs[q] ? 1U : 0U;
            }
        }
    }
    EXPECT_GT(stand_ins, 0U);
}

struct Size {
    std::size_t nodes;
    std::size_t addresses;
};
// From few addresses a node, where the load bound binds, to many, where it hardly does.
constexpr std::array kSizes = {
    Size{3, 6}, Size{100, 250}, Size{10, 50}, Size{30, 300}, Size{50, 5000}};
// What the bound may cost: others that move for each one that must.
double bearable(Size size) {
    constexpr std::size_t kFew = 4;
    constexpr std::size_t kMany = 50;
    if (size.addresses < kFew * size.nodes) {
        return 2.5;  // all limits are whole numbers: one step is a large part of the load
    }
    return size.addresses < kMany * size.nodes ? 1.0 : 0.05;
}

World world_of(Rng& rng, Size size) {
    World world = random_world(rng, 2, 1);
    world.facts.nodes.clear();
    world.facts.fits.assign(1, Fits(size.nodes));
    for (std::size_t i = 0; i < size.nodes; ++i) {
        NodeFacts node;
        node.name = "worker-" + std::to_string(rng.below(1000)) + "-" + std::to_string(i);
        node.alive = node.reachable = node.ready = true;
        world.facts.nodes.push_back(std::move(node));
    }
    const net::IpAddress base = world.questions[0].address;
    world.questions.clear();
    const std::size_t addresses = size.addresses + rng.below(size.addresses / 4 + 1);
    for (std::size_t i = 0; i < addresses; ++i) {
        Question question;
        question.address = base.plus(i);
        world.questions.push_back(std::move(question));
    }
    return world;
}

struct Moved {
    std::size_t needed = 0;  // owned by the node that left, or taken by the one that joined
    std::size_t extra = 0;   // shifted between two nodes that were there all along
};

Moved compare(const Owners& with, const Owners& without, const std::string& node) {
    Moved moved;
    for (const auto& [address, owner] : with) {
        if (owner == node) {
            ++moved.needed;
        } else if (without.at(address) != owner) {
            ++moved.extra;
        }
    }
    return moved;
}

double ratio(std::size_t a, std::size_t b) {
    return static_cast<double>(a) / static_cast<double>(std::max<std::size_t>(b, 1));
}

// A leave and a join are the same comparison read in two directions: what moves beyond the
// addresses of the node itself is what the load bound costs. Draining is a leave.
TEST(ElectProperty, JoinAndLeaveMoveLittleMoreThanTheNodesShare) {
    for (const Size size : kSizes) {
        Moved total;
        for (std::uint64_t seed = 1; seed <= kTrials; ++seed) {
            SCOPED_TRACE("seed " + std::to_string(seed));
            Rng rng(seed);
            World world = world_of(rng, size);
            const Owners with = owners(world, Order::Rendezvous);
            NodeFacts& node = world.facts.nodes[rng.below(world.facts.nodes.size())];
            if (rng.below(2) == 0) {
                node.alive = false;
            } else {
                node.standing = Standing::Draining;
            }

            const Moved moved = compare(with, owners(world, Order::Rendezvous), node.name);

            EXPECT_LE(moved.needed, load_limit(with.size(), size.nodes));
            total.needed += moved.needed;
            total.extra += moved.extra;
        }
        std::printf(
            "%zu nodes, %zu addresses: a node that leaves or joins moves %.3f others for each of "
            "its own\n",
            size.nodes,
            size.addresses,
            ratio(total.extra, total.needed)
        );
        EXPECT_LE(ratio(total.extra, total.needed), bearable(size));
    }
}

// Read backwards: removing one.
TEST(ElectProperty, AnotherAddressMovesFewOfTheOthers) {
    for (const Size size : kSizes) {
        std::size_t moved = 0;
        std::size_t most = 0;
        for (std::uint64_t seed = 1; seed <= kTrials; ++seed) {
            Rng rng(seed);
            World world = world_of(rng, size);
            const Owners before = owners(world, Order::Rendezvous);
            Question another;
            another.address = net::IpAddress::parse("2001:db8::1").value();
            world.questions.push_back(another);
            const Owners after = owners(world, Order::Rendezvous);

            std::size_t others = 0;
            for (const auto& [address, node] : before) {
                others += after.at(address) != node ? 1U : 0U;
            }
            moved += others;
            most = std::max(most, others);
        }
        std::printf(
            "%zu nodes, %zu addresses: one more or less moves %.3f others, at most %zu\n",
            size.nodes,
            size.addresses,
            ratio(moved, kTrials),
            most
        );
        EXPECT_LE(ratio(moved, kTrials), bearable(size));
    }
}

TEST(ElectProperty, WhileNobodyIsFullOnlyTheLeaversAddressesMove) {
    std::size_t checked = 0;
    for (std::uint64_t seed = 1; seed <= kTrials; ++seed) {
        SCOPED_TRACE("seed " + std::to_string(seed));
        Rng rng(seed);
        World world = world_of(rng, {10, 2000});
        const Owners with = owners(world, Order::Rendezvous);
        world.facts.nodes[3].alive = false;
        const Owners without = owners(world, Order::Rendezvous);
        if (highest_load(with) < load_limit(with.size(), 10) &&
            highest_load(without) < load_limit(with.size(), 9)) {
            EXPECT_EQ(compare(with, without, world.facts.nodes[3].name).extra, 0U);
            ++checked;
        }
    }
    EXPECT_GT(checked, kTrials / 2);
}

TEST(ElectProperty, AddressesWithOtherCandidatesDoNotInfluenceEachOther) {
    Rng rng(7);
    World world = random_world(rng, 10, 300);
    const Owners before = owners(world, Order::Rendezvous);
    Question apart;
    apart.address = net::IpAddress::parse("2001:db8::1").value();
    apart.fits = 1;
    world.facts.fits.push_back(world.facts.fits.front());
    world.facts.fits.back()[0].selected = false;
    world.questions.push_back(apart);

    Owners after = owners(world, Order::Rendezvous);

    after.erase(apart.address);
    EXPECT_EQ(after, before);
}

}  // namespace
}  // namespace steelyard::elect
