#include "speaker/io/dataplane/rule_keeper.hpp"

#include <filesystem>
#include <optional>
#include <utility>

namespace steelyard::dataplane {
namespace {

// A kernel booted without IPv6 has no ip6tables to speak of.
std::vector<net::Family> families() {
    std::vector<net::Family> present;
    present.push_back(net::Family::V4);
    if (std::filesystem::exists("/proc/net/if_inet6")) {
        present.push_back(net::Family::V6);
    }
    return present;
}

std::size_t index_of(net::Family family) {
    return family == net::Family::V4 ? 0 : 1;
}

}  // namespace

RuleKeeper::RuleKeeper(const proxy::ProxyConfig& config, Counters& counters)
    : config_(config), counters_(counters) {}

awaitable<Result<>> RuleKeeper::start() {
    co_return co_await iptables_.start();
}

bool RuleKeeper::reconfigure(const proxy::ProxyConfig& config) {
    if (config == config_) {
        return false;
    }
    config_ = config;
    return true;
}

awaitable<Result<>> RuleKeeper::ensure() {
    std::optional<Error> first;
    for (const net::Family family : families()) {
        auto done = co_await ensure(family);
        if (!done && !first) {
            first = done.error();
        }
    }
    if (first) {
        co_return *first;
    }
    co_return Result<>();
}

awaitable<Result<>> RuleKeeper::ensure(net::Family family) {
    auto saved = co_await iptables_.save(family);
    if (!saved) {
        co_return saved.error();
    }
    auto missing = proxy::missing_rules(proxy::static_rules(config_, family), *saved);
    if (!missing) {
        co_return Result<>();
    }
    auto done = co_await iptables_.restore(family, std::move(*missing));
    if (!done) {
        ++counters_.rule_restore_failures[index_of(family)];
        co_return done.error();
    }
    ++counters_.rule_restores[index_of(family)];
    co_return Result<>();
}

awaitable<Result<std::vector<std::string>>> RuleKeeper::remove() {
    std::vector<std::string> removed;
    for (const net::Family family : families()) {
        auto saved = co_await iptables_.save(family);
        if (!saved) {
            co_return saved.error();
        }
        const auto rules = proxy::static_rules(config_, family);
        std::string text = proxy::removal(rules, *saved);
        if (text.empty()) {
            continue;
        }
        if (auto done = co_await iptables_.restore(family, std::move(text)); !done) {
            co_return done.error();
        }
        removed.push_back(std::string(net::to_string(family)) + " packet filter rules");
    }
    co_return removed;
}

}  // namespace steelyard::dataplane
