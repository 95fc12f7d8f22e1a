#include "speaker/proxy/tuning.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <utility>

namespace steelyard::proxy {
namespace {

constexpr std::array<std::string_view, 14> kSchedulers{
    "rr", "wrr", "lc", "wlc", "lblc", "lblcr", "dh", "sh", "sed", "nq", "fo", "ovf", "mh", "twos"};
constexpr std::string_view kSchedulerList =
    "rr, wrr, lc, wlc, lblc, lblcr, dh, sh, sed, nq, fo, ovf, mh, twos";
constexpr std::uint32_t kMaxWeight = 65535;
constexpr std::uint32_t kMaxDrainSeconds = 86400;

std::string_view trimmed(std::string_view text) {
    constexpr std::string_view kBlanks = " \t\r\n";
    const std::size_t first = text.find_first_not_of(kBlanks);
    if (first == std::string_view::npos) {
        return {};
    }
    return text.substr(first, text.find_last_not_of(kBlanks) - first + 1);
}

std::vector<std::string_view> items(std::string_view text) {
    std::vector<std::string_view> result;
    while (!text.empty()) {
        const std::size_t end = std::min(text.find(','), text.size());
        const std::string_view item = trimmed(text.substr(0, end));
        if (!item.empty()) {
            result.push_back(item);
        }
        text.remove_prefix(std::min(end + 1, text.size()));
    }
    return result;
}

std::optional<std::uint32_t> number(std::string_view text, std::uint32_t max) {
    std::uint32_t value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    const bool whole = error == std::errc() && end == text.data() + text.size();
    return whole && value <= max ? std::optional(value) : std::nullopt;
}

Error wrong_item(std::string_view item) {
    return make_error(
        Errc::Invalid,
        "\"" + std::string(item) +
            "\" is not a weight (node/NAME=N, zone/NAME=N, pod/NAME-0=N of a StatefulSet, "
            "ADDRESS=N "
            "or *=N, N from 0 to 65535)"
    );
}

// "web-0": only a StatefulSet's pods have names that one can know, and only theirs are kept.
bool has_ordinal(std::string_view pod) {
    const std::size_t last = pod.find_last_not_of("0123456789");
    return last != std::string_view::npos && last + 1 < pod.size() && pod[last] == '-';
}

// The rule's name as Weights keeps it; nothing when it is none.
std::optional<std::string> rule_name(std::string_view text) {
    for (const std::string_view kind : {"node/", "zone/", "pod/"}) {
        if (text.starts_with(kind)) {
            const std::string_view name = text.substr(kind.size());
            const bool known = kind == "pod/" ? has_ordinal(name) : !name.empty();
            return known ? std::optional<std::string>(text) : std::nullopt;
        }
    }
    if (text == "*") {
        return std::string(text);
    }
    const auto address = net::IpAddress::parse(text);
    return address ? std::optional(net::to_string(*address)) : std::nullopt;
}

// Reads the annotations of one Service.
class Reader {
public:
    Reader(const kube::Service& service, const ProxyConfig& config)
        : service_(service), config_(config) {}

    Tuning read() {
        scheduler();
        flags();
        // Without it a client whose hash leads to a real server that drains is refused.
        tuning_.scheduling.flags.fallback = has_flags();
        weights();
        drain();
        tuning_.scheduling.persistence = service_.client_ip_affinity_seconds.value_or(0);
        return std::move(tuning_);
    }

private:
    struct Annotation {
        std::string_view name;
        std::string_view value;
    };

    [[nodiscard]] std::optional<Annotation> find(std::initializer_list<std::string_view> names
    ) const {
        for (const std::string_view name : names) {
            const auto found = service_.meta.annotations.find(name);
            if (found != service_.meta.annotations.end()) {
                return Annotation{found->first, trimmed(found->second)};
            }
        }
        return std::nullopt;
    }

    void complain(const Annotation& annotation, const std::string& what) {
        tuning_.complaints.push_back("annotation " + std::string(annotation.name) + ": " + what);
    }

    static std::string quoted(std::string_view text) { return "\"" + std::string(text) + "\""; }

    void scheduler() {
        SchedulerName& chosen = tuning_.scheduling.scheduler;
        chosen = config_.scheduler;
        const auto wanted =
            find({"steelyard.io/ipvs-scheduler", "kube-router.io/service.scheduler"});
        if (!wanted) {
            return;
        }
        if (is_scheduler(wanted->value)) {
            chosen = wanted->value;
            own_scheduler_ = true;
        } else {
            complain(
                *wanted,
                quoted(wanted->value) + " is not a scheduler (" + std::string(kSchedulerList) + ")"
            );
        }
    }

    void flags() {
        Scheduling& scheduling = tuning_.scheduling;
        const std::string name(scheduling.scheduler);
        if (!own_scheduler_) {
            scheduling.flags = config_.scheduler_flags;
        }
        const auto wanted =
            find({"steelyard.io/ipvs-scheduler-flags", "kube-router.io/service.schedflags"});
        if (!wanted) {
            // kube-proxy's choice: with `mh` the source port takes part in the hash.
            scheduling.flags.source_port_hash |= name == "mh";
            return;
        }
        SchedulerFlags flags;
        for (const std::string_view item : items(wanted->value)) {
            if (item == name + "-port" && has_flags()) {
                flags.source_port_hash = true;
            } else if (item == name + "-fallback" && has_flags()) {
                flags.fallback = true;
            } else {
                complain(
                    *wanted,
                    quoted(item) + " is not a flag of the scheduler " + name +
                        (has_flags() ? " (" + name + "-port, " + name + "-fallback)"
                                     : ", which has none")
                );
            }
        }
        scheduling.flags = flags;
    }

    [[nodiscard]] bool has_flags() const {
        return tuning_.scheduling.scheduler == "sh" || tuning_.scheduling.scheduler == "mh";
    }

    void weights() {
        const auto wanted = find({kWeightsAnnotation});
        if (!wanted) {
            return;
        }
        auto parsed = Weights::parse(wanted->value);
        if (!parsed) {
            complain(*wanted, parsed.error().context);
            return;
        }
        tuning_.weights = std::move(*parsed);
        // Weights mean nothing to these two; what was meant is their weighted kind.
        SchedulerName& scheduler = tuning_.scheduling.scheduler;
        if (!own_scheduler_ && (scheduler == "rr" || scheduler == "lc")) {
            scheduler = "w" + std::string(scheduler);
        }
    }

    void drain() {
        const auto wanted = find({"steelyard.io/drain-seconds"});
        if (!wanted) {
            return;
        }
        if (const auto seconds = number(wanted->value, kMaxDrainSeconds)) {
            tuning_.drain_grace = std::chrono::seconds(*seconds);
        } else {
            complain(*wanted, quoted(wanted->value) + " is not a number of seconds (0 to 86400)");
        }
    }

    const kube::Service& service_;
    const ProxyConfig& config_;
    bool own_scheduler_ = false;
    Tuning tuning_;
};

}  // namespace

Result<Weights> Weights::parse(std::string_view text) {
    Weights weights;
    for (const std::string_view item : items(text)) {
        const std::size_t equals = item.rfind('=');
        if (equals == std::string_view::npos) {
            return wrong_item(item);
        }
        const auto name = rule_name(trimmed(item.substr(0, equals)));
        const auto weight = number(trimmed(item.substr(equals + 1)), kMaxWeight);
        if (!name || !weight) {
            return wrong_item(item);
        }
        weights.rules_[*name] = *weight;
    }
    return weights;
}

std::uint32_t Weights::of(
    const net::IpAddress& address,
    const Candidate& candidate,
    const std::map<std::string, std::string, std::less<>>& node_zones
) const {
    if (rules_.empty()) {
        return 1;
    }
    std::string zone(candidate.details->zone());
    if (const auto known = node_zones.find(candidate.node);
        zone.empty() && known != node_zones.end()) {
        zone = known->second;
    }
    for (const std::string& name :
         {net::to_string(address),
          "pod/" + std::string(candidate.details->pod()),
          "node/" + std::string(candidate.node),
          "zone/" + zone,
          std::string("*")}) {
        if (const auto rule = rules_.find(name); rule != rules_.end()) {
            return rule->second;
        }
    }
    return 1;
}

bool is_scheduler(std::string_view name) {
    return std::find(kSchedulers.begin(), kSchedulers.end(), name) != kSchedulers.end();
}

Tuning tuning_of(const kube::Service& service, const ProxyConfig& config) {
    return Reader(service, config).read();
}

}  // namespace steelyard::proxy
