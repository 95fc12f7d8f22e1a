#include "speaker/app/speaker.hpp"

// What /readyz and /metrics say.
namespace steelyard::speaker {

std::string Speaker::not_ready() const {
    if (!watches_.synced()) {
        return "the first lists are not complete";
    }
    if (ready_) {
        return "";
    }
    return "the kernel is not programmed" + (last_failure_.empty() ? "" : ": " + last_failure_);
}

awaitable<void> Speaker::refresh_metrics() {
    std::map<metrics::Labels, double> announced;
    for (const auto& [address, entry] : announcements_.addresses) {
        for (const kube::ObjectKey& service : entry.services) {
            if (entry.announced_here) {
                announced.emplace(
                    metrics::Labels{
                        {"service", to_string(service)},
                        {"protocol", "layer2"},
                        {"node", options_.node_name},
                        {"ip", to_string(address)}},
                    1.0
                );
            }
        }
    }
    registry_.gauge("metallb_speaker_announced", "Addresses announced from this node.")
        .replace(announced);
    registry_.gauge("metallb_k8s_client_config_loaded_bool", "1 once a configuration was right.")
        .set(config_.loaded() ? 1 : 0);
    registry_
        .gauge("metallb_k8s_client_config_stale_bool", "1 while an older configuration is in use.")
        .set(config_.stale() ? 1 : 0);
    if (!wire_) {
        co_return;
    }
    const WireSide::Counters counters = co_await wire_->counters();
    std::map<metrics::Labels, double> received;
    std::map<metrics::Labels, double> sent;
    std::map<metrics::Labels, double> gratuitous;
    for (const auto& [address, count] : counters) {
        const metrics::Labels labels{{"ip", to_string(address)}};
        received[labels] = static_cast<double>(count.requests_received);
        sent[labels] = static_cast<double>(count.responses_sent);
        gratuitous[labels] = static_cast<double>(count.gratuitous_sent);
    }
    registry_.counter("metallb_layer2_requests_received", "ARP and NDP requests for our addresses.")
        .replace(received);
    registry_.counter("metallb_layer2_responses_sent", "Answers to them.").replace(sent);
    registry_.counter("metallb_layer2_gratuitous_sent", "Unsolicited announcements.")
        .replace(gratuitous);
}

}  // namespace steelyard::speaker
