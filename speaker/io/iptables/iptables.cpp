#include "speaker/io/iptables/iptables.hpp"

#include "speaker/io/iptables/failure.hpp"
#include "speaker/io/iptables/process.hpp"

#include <chrono>
#include <utility>

namespace steelyard::iptables {
namespace {

constexpr auto kDeadline = std::chrono::seconds{30};

std::string program(net::Family family, Variant variant, std::string_view action) {
    std::string name = family == net::Family::V4 ? "iptables-" : "ip6tables-";
    name += to_string(variant);
    name += "-";
    name += action;
    return name;
}

awaitable<Result<std::string>> run(std::vector<std::string> command, std::string input) {
    const std::string name = command.front();
    auto output = co_await run_process(std::move(command), input, kDeadline);
    if (!output) {
        co_return output.error();
    }
    if (output->status != 0) {
        co_return make_error(
            Errc::Unsupported,
            name + " failed with status " + std::to_string(output->status) + ": " +
                explain_failure(output->err, input)
        );
    }
    co_return std::move(output->out);
}

awaitable<Probe> probe(Variant variant) {
    std::vector<std::string> command;
    command.push_back(program(net::Family::V4, variant, "save"));
    auto saved = co_await run(std::move(command), "");
    Probe result;
    result.variant = variant;
    result.works = saved.has_value();
    if (saved) {
        result.saved = std::move(*saved);
    } else {
        result.error = saved.error().context;
    }
    co_return result;
}

// Chains of kubelet's or a proxy's, ours of load-balancer mode among them.
bool holds_kubernetes(const Probe& probe) {
    return probe.saved.find(":KUBE-") != std::string::npos ||
           probe.saved.find(":SYLB-") != std::string::npos;
}

bool holds_kube_proxy(const Probe& probe) {
    return probe.saved.find(":KUBE-SERVICES ") != std::string::npos;
}

}  // namespace

std::string_view to_string(Variant variant) {
    return variant == Variant::Legacy ? "legacy" : "nft";
}

std::vector<Variant> preference(const Probe& legacy, const Probe& nft) {
    std::vector<Variant> order;
    const bool legacy_first = holds_kubernetes(legacy) && !holds_kubernetes(nft);
    if (legacy.works && legacy_first) {
        order.push_back(Variant::Legacy);
    }
    if (nft.works) {
        order.push_back(Variant::Nft);
    }
    if (legacy.works && !legacy_first) {
        order.push_back(Variant::Legacy);
    }
    return order;
}

std::optional<std::string> stray_rules(Variant used, const Probe& legacy, const Probe& nft) {
    const Probe& other = used == Variant::Legacy ? nft : legacy;
    if (!holds_kube_proxy(other)) {
        return std::nullopt;
    }
    return "chains of kube-proxy (KUBE-SERVICES and others) are in iptables-" +
           std::string(to_string(other.variant)) + " while this node uses iptables-" +
           std::string(to_string(used)) +
           ": packets pass both; remove those with kube-proxy --cleanup or a reboot";
}

awaitable<Result<>> Iptables::start() {
    const Probe legacy = co_await probe(Variant::Legacy);
    const Probe nft = co_await probe(Variant::Nft);
    candidates_ = preference(legacy, nft);
    proven_ = false;
    if (candidates_.empty()) {
        co_return make_error(
            Errc::Unsupported, "iptables does not work here: " + legacy.error + "; " + nft.error
        );
    }
    warnings_.clear();
    if (const auto warning = stray_rules(variant(), legacy, nft)) {
        warnings_.push_back(*warning);
    }
    co_return Result<>();
}

awaitable<Result<std::string>> Iptables::save(net::Family family) {
    std::vector<std::string> command;
    command.push_back(program(family, variant(), "save"));
    co_return co_await run(std::move(command), "");
}

awaitable<Result<>> Iptables::restore(net::Family family, std::string text) {
    std::string failures;
    for (;;) {
        std::vector<std::string> command;
        command.push_back(program(family, variant(), "restore"));
        command.emplace_back("--noflush");
        command.emplace_back("--wait");  // for the lock other users of iptables hold
        command.emplace_back("10");
        if (variant() == Variant::Nft) {
            command.resize(2);  // the nft variant has no lock
        }
        auto done = co_await run(std::move(command), text);
        if (done) {
            proven_ = true;
            co_return Result<>();
        }
        failures += (failures.empty() ? "" : "; ") + done.error().context;
        if (proven_ || candidates_.size() == 1) {
            co_return make_error(Errc::Unsupported, failures);
        }
        candidates_.erase(candidates_.begin());
    }
}

}  // namespace steelyard::iptables
