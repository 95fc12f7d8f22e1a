#include "speaker/elect/elect.hpp"

#include <openssl/evp.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <ctime>
#include <string>
#include <vector>

// Electing the owners of all addresses after a membership event: ours against sorting the nodes of
// each address with SHA-256 in the comparator, which is what a speaker that orders candidates by
// hash per Service does. Prints milliseconds of CPU time (the median of several rounds of ours)
// and the ratio of the same run.
namespace {

using namespace steelyard;

constexpr std::size_t kAddresses = 10'000;
constexpr std::size_t kBaselineAddresses = 100;  // scaled up: the baseline is slow
constexpr int kRounds = 11;

using Digest = std::array<unsigned char, 32>;

Digest sha256(const std::string& text) {
    Digest digest{};
    EVP_Digest(text.data(), text.size(), digest.data(), nullptr, EVP_sha256(), nullptr);
    return digest;
}

double cpu_milliseconds() {
    timespec now{};
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return static_cast<double>(now.tv_sec) * 1e3 + static_cast<double>(now.tv_nsec) / 1e6;
}

template <class Body>
double cost_of(const Body& body) {
    const double start = cpu_milliseconds();
    body();
    return cpu_milliseconds() - start;
}

template <class Body>
double median_cost(const Body& body) {
    std::vector<double> rounds;
    for (int round = 0; round < kRounds; ++round) {
        rounds.push_back(cost_of(body));
    }
    std::sort(rounds.begin(), rounds.end());
    return rounds[rounds.size() / 2];
}

elect::Facts healthy_nodes(std::size_t count) {
    elect::Facts facts;
    for (std::size_t i = 0; i < count; ++i) {
        elect::NodeFacts node;
        node.name = "worker-" + std::to_string(i);
        node.alive = node.reachable = node.ready = true;
        facts.nodes.push_back(std::move(node));
    }
    facts.fits.emplace_back(count);
    return facts;
}

// What the baseline does for one address.
std::size_t sort_by_sha256(const elect::Facts& facts, const net::IpAddress& address) {
    const std::string suffix = "#" + to_string(address);
    std::vector<std::string> order;
    for (const elect::NodeFacts& node : facts.nodes) {
        order.push_back(node.name);
    }
    std::sort(order.begin(), order.end(), [&](const auto& a, const auto& b) {
        return sha256(a + suffix) < sha256(b + suffix);
    });
    return order.size();
}

void measure(std::size_t nodes) {
    elect::Facts facts = healthy_nodes(nodes);
    std::vector<elect::Question> questions(kAddresses);
    for (std::size_t i = 0; i < kAddresses; ++i) {
        questions[i].address = net::IpAddress::v4(0x0a000000U + static_cast<std::uint32_t>(i));
    }
    std::size_t done = 0;
    const double ours = median_cost([&] { done += elect::elect_all(facts, questions).size(); });
    facts.order = elect::Order::MetalLb;
    const double compatible = cost_of([&] { done += elect::elect_all(facts, questions).size(); });
    const double sorting = cost_of([&] {
                               for (std::size_t i = 0; i < kBaselineAddresses; ++i) {
                                   done += sort_by_sha256(facts, questions[i].address);
                               }
                           }) *
                           static_cast<double>(kAddresses) / kBaselineAddresses;
    std::printf("%zu addresses, %zu nodes (%zu)\n", kAddresses, nodes, done);
    std::printf("  bounded rendezvous   %10.2f ms\n", ours);
    std::printf("  one SHA-256 a pair   %10.2f ms (the order of mixed rings)\n", compatible);
    std::printf("  SHA-256 in the sort  %10.2f ms, %.0f times ours\n", sorting, sorting / ours);
}

}  // namespace

int main() {
    measure(100);
    measure(1000);
    return 0;
}
