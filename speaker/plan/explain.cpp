#include "speaker/plan/bgp.hpp"
#include "speaker/plan/planning.hpp"

#include <string_view>

namespace steelyard::speaker_plan {
namespace {

std::string_view text_of(elect::Order order) {
    return order == elect::Order::MetalLb ? "MetalLB's hash" : "rendezvous hash with bounded load";
}

}  // namespace

std::optional<Explanation> explain(const Snapshot& snapshot, const net::IpAddress& address) {
    Planning planning(snapshot);
    planning.run();
    const auto& addresses = planning.announcements().addresses;
    const auto found = addresses.find(address);
    if (found == addresses.end()) {
        return std::nullopt;
    }
    Explanation explanation;
    explanation.address = address;
    explanation.order = planning.announcements().order;
    explanation.plan = found->second;
    if (const auto verdict = planning.verdict(address)) {
        for (const elect::NodeIndex node : verdict->candidates) {
            explanation.candidates.push_back(planning.name_of(node));
        }
        for (const elect::Exclusion& entry : verdict->excluded) {
            explanation.excluded.push_back({planning.name_of(entry.node), entry.reason});
        }
    }
    const config::Config* config = snapshot.config.get();
    if (config != nullptr && !(config->bgp_advertisements.empty() && config->bgp_peers.empty())) {
        explanation.bgp = explain_bgp(bgp_plan(snapshot), address).value_or("");
    }
    return explanation;
}

std::string to_string(const Explanation& explanation) {
    std::string text = to_string(explanation.address) + " of";
    for (const kube::ObjectKey& service : explanation.plan.services) {
        text += " " + to_string(service);
    }
    text += "\nowner: " + explanation.plan.owner.value_or("none");
    if (explanation.plan.reasons) {
        text += ", not announced: " + to_string(*explanation.plan.reasons);
    }
    text += "\norder: " + std::string(text_of(explanation.order)) + "\n";
    for (std::size_t i = 0; i < explanation.candidates.size(); ++i) {
        text += std::to_string(i + 1) + ". " + explanation.candidates[i] + "\n";
    }
    for (const Explanation::Excluded& entry : explanation.excluded) {
        text += "no candidate: " + entry.node + ": " + std::string(elect::sentence(entry.reason)) +
                "\n";
    }
    return text + explanation.bgp;
}

}  // namespace steelyard::speaker_plan
