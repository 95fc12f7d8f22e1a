#include "speaker/elect/elect.hpp"

#include <openssl/evp.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdio>
#include <string>
#include <vector>

// Electing the owners of all addresses after a membership event: ours against sorting the nodes of
// each address with SHA-256 in the comparator, which is what a speaker that orders candidates by
// hash per Service does. Prints milliseconds and the ratio of the same run.
namespace {

using namespace steelyard;

constexpr std::size_t kNodes = 100;
constexpr std::size_t kAddresses = 10'000;
constexpr std::size_t kBaselineAddresses = 200;  // scaled up: the baseline is slow

using Digest = std::array<unsigned char, 32>;

Digest sha256(const std::string& text) {
    Digest digest{};
    EVP_Digest(text.data(), text.size(), digest.data(), nullptr, EVP_sha256(), nullptr);
    return digest;
}

template <class Body>
double milliseconds(const Body& body) {
    const auto start = std::chrono::steady_clock::now();
    body();
    return std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - start)
        .count();
}

}  // namespace

int main() {
    elect::Facts facts;
    std::vector<std::string> names;
    for (std::size_t i = 0; i < kNodes; ++i) {
        names.push_back("worker-" + std::to_string(i));
        elect::NodeFacts node;
        node.name = names.back();
        node.alive = node.reachable = node.ready = true;
        facts.nodes.push_back(std::move(node));
    }
    facts.fits.emplace_back(kNodes);
    std::vector<elect::Question> questions(kAddresses);
    for (std::size_t i = 0; i < kAddresses; ++i) {
        questions[i].address = net::IpAddress::v4(0x0a000000U + static_cast<std::uint32_t>(i));
    }

    std::size_t winners = 0;
    const double ours = milliseconds([&] { winners = elect::elect_all(facts, questions).size(); });
    const double compatible = milliseconds([&] {
        facts.order = elect::Order::MetalLb;
        winners += elect::elect_all(facts, questions).size();
    });
    const double sorting =
        milliseconds([&] {
            for (std::size_t i = 0; i < kBaselineAddresses; ++i) {
                const std::string suffix = "#" + to_string(questions[i].address);
                std::vector<std::string> order = names;
                std::sort(order.begin(), order.end(), [&](const auto& a, const auto& b) {
                    return sha256(a + suffix) < sha256(b + suffix);
                });
                winners += order.size();
            }
        }) *
        static_cast<double>(kAddresses) / static_cast<double>(kBaselineAddresses);

    std::printf("%zu addresses, %zu nodes (%zu)\n", kAddresses, kNodes, winners);
    std::printf("bounded rendezvous   %10.2f ms\n", ours);
    std::printf("one SHA-256 a pair   %10.2f ms\n", compatible);
    std::printf("SHA-256 in the sort  %10.2f ms, %.0f times ours\n", sorting, sorting / ours);
    return 0;
}
