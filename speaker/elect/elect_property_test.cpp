#include "common/base/rng.hpp"
#include "speaker/elect/elect.hpp"

#include <gtest/gtest.h>

#include <algorithm>
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

// A leave and a join are the same comparison read in two directions: what moves beyond the
// addresses of the node itself is what the load bound costs.
TEST(ElectProperty, JoinAndLeaveMoveLittleMoreThanTheNodesShare) {
    std::size_t needed = 0;
    std::size_t extra = 0;
    for (std::uint64_t seed = 1; seed <= kTrials; ++seed) {
        SCOPED_TRACE("seed " + std::to_string(seed));
        Rng rng(seed);
        World world = random_world(rng, 30, 3000);
        const Owners with = owners(world, Order::Rendezvous);
        NodeFacts& node = world.facts.nodes[rng.below(world.facts.nodes.size())];
        node.alive = false;
        const Owners without = owners(world, Order::Rendezvous);

        const Moved moved = compare(with, without, node.name);

        const std::size_t share = load_limit(with.size(), world.facts.nodes.size());
        EXPECT_LE(moved.needed, share);
        EXPECT_LE(moved.extra, share);
        needed += moved.needed;
        extra += moved.extra;
    }
    EXPECT_LE(extra * 4, needed) << extra << " extra moves beside " << needed << " needed ones";
}

TEST(ElectProperty, AnotherAddressMovesFewOfTheOthers) {
    std::size_t moved = 0;
    std::size_t addresses = 0;
    for (std::uint64_t seed = 1; seed <= kTrials; ++seed) {
        Rng rng(seed);
        World world = random_world(rng, 20, 500);
        const Owners before = owners(world, Order::Rendezvous);
        Question another;
        another.address = net::IpAddress::parse("2001:db8::1").value();
        world.questions.push_back(another);
        const Owners after = owners(world, Order::Rendezvous);

        for (const auto& [address, node] : before) {
            moved += after.at(address) != node ? 1U : 0U;
        }
        addresses += before.size();
    }
    EXPECT_LE(moved * 50, addresses) << moved << " of " << addresses;
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
