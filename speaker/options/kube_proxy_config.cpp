#include "speaker/options/kube_proxy_config.hpp"

#include "common/yaml/documents.hpp"

#include <algorithm>
#include <set>
#include <utility>

namespace steelyard::speaker {
namespace {

using nlohmann::json;

constexpr const char* kApiVersion = "kubeproxy.config.k8s.io/v1alpha1";
constexpr const char* kKind = "KubeProxyConfiguration";

// A field, or a section of them, that is read over. `usual`: what kube-proxy puts there by itself.
struct Unused {
    const char* field;
    const char* why;
    std::vector<json> usual{};
};

const std::vector<Unused>& unused_fields() {
    constexpr const char* kLogging = "--log-level says what is logged, always as JSON";
    constexpr const char* kOtherMode =
        "of another proxy mode; ipvs.syncPeriod and "
        "ipvs.minSyncPeriod count";
    static const std::vector<Unused> kFields{
        {"featureGates", "there are no feature gates", {}},
        {"clientConnection.acceptContentTypes", "the API server is asked for JSON", {}},
        {"clientConnection.contentType",
         "the API server is asked for JSON",
         {"application/vnd.kubernetes.protobuf"}},
        {"clientConnection.qps", "the API server sets the pace", {5}},
        {"clientConnection.burst", "the API server sets the pace", {10}},
        {"logging", kLogging, {}},
        {"enableProfiling", "there are no profiling pages", {}},
        {"showHiddenMetricsForVersion", "there are no hidden metrics", {}},
        {"iptables.localhostNodePorts",
         "NodePorts do not answer on 127.0.0.1, as in kube-proxy's ipvs and nftables modes",
         {false}},
        {"iptables.syncPeriod", kOtherMode, {"30s"}},
        {"iptables.minSyncPeriod", kOtherMode, {"1s"}},
        {"nftables.syncPeriod", kOtherMode, {"30s"}},
        {"nftables.minSyncPeriod", kOtherMode, {"1s"}},
        {"winkernel", "of Windows nodes", {}},
        {"windowsRunAsService", "of Windows nodes", {}},
        {"configSyncPeriod", "every change is seen when it happens", {"15m0s", "15m"}},
        {"portRange", "kube-proxy does not use it either", {}},
    };
    return kFields;
}

// What a field holds that nobody filled in.
bool is_neutral(const json& value) {
    if (value.is_structured()) {
        return std::all_of(value.begin(), value.end(), is_neutral);
    }
    if (value.is_string()) {
        const auto& text = value.get_ref<const std::string&>();
        return text.empty() || text == "0s" || text == "0";
    }
    return value.is_null() || value == false || value == 0;
}

// kube-proxy's defaults of the logging section.
bool is_usual_logging(const json& value) {
    static const json kUsual = {
        {"flushFrequency", 5000000000},
        {"format", "text"},
        {"options", {{"json", {{"infoBufferSize", "0"}}}, {"text", {{"infoBufferSize", "0"}}}}},
        {"verbosity", 0}};
    return value == kUsual;
}

class Reader {
public:
    Reader(const yaml::Document& document, Mistakes& mistakes)
        : document_(document), mistakes_(mistakes) {}

    KubeProxyConfig read() {
        if (!document_.value.is_object()) {
            mistake("", "is not a " + std::string(kKind) + ": expected a YAML mapping");
            return {};
        }
        if (!is_what_it_says("apiVersion", kApiVersion) || !is_what_it_says("kind", kKind)) {
            return {};
        }
        read_mode();
        for (const Setting& setting : proxy_setting_table()) {
            if (setting.field != nullptr) {
                read_setting(setting);
            }
        }
        for (const Unused& unused : unused_fields()) {
            pass(unused);
        }
        tell_unknown(document_.value, "");
        take_section();
        return std::move(config_);
    }

private:
    void mistake(const std::string& path, const std::string& line) {
        const std::size_t found = path.empty() ? 0 : document_.lines.of(path);
        const std::size_t number = found == 0 ? document_.line : found;
        mistakes_.push_back(
            std::to_string(number) + ": " + (path.empty() ? "" : path + ": ") + line
        );
    }

    bool is_what_it_says(const char* field, const char* wanted) {
        known_.insert(field);
        const auto found = document_.value.find(field);
        if (found != document_.value.end() && *found == wanted) {
            return true;
        }
        const json value = found == document_.value.end() ? json("") : *found;
        mistake(field, shown(value) + " is not " + wanted);
        return false;
    }

    // The value at "a.b", and whether its section is one; a section that is none is a mistake.
    const json* find(const std::string& path) {
        known_.insert(path);
        const std::size_t dot = path.find('.');
        const json* at = &document_.value;
        if (dot != std::string::npos) {
            const std::string section = path.substr(0, dot);
            sections_.insert(section);
            const auto found = at->find(section);
            if (found == at->end() || found->is_null()) {
                return nullptr;
            }
            if (!found->is_object()) {
                if (bad_sections_.insert(section).second) {
                    mistake(section, shown(*found) + " is not a section of fields");
                }
                return nullptr;
            }
            at = &*found;
        }
        const auto found = at->find(dot == std::string::npos ? path : path.substr(dot + 1));
        return found == at->end() ? nullptr : &*found;
    }

    void read_mode() {
        const json* value = find("mode");
        if (value == nullptr || is_neutral(*value) || *value == "ipvs") {
            return;
        }
        if (*value != "iptables" && *value != "nftables") {
            mistake("mode", shown(*value) + " is not one of \"\", ipvs, iptables, nftables");
            return;
        }
        nftables_ = *value == "nftables";
        ignore("mode", *value, "Services are programmed with IPVS");
    }

    // As in kube-proxy, of the two sections with the same fields the mode's own counts; IPVS uses
    // that of iptables.
    void take_section() {
        ProxySettings& settings = config_.settings;
        if (nftables_) {
            settings.masquerade_all = settings.nft_masquerade_all;
            settings.masquerade_bit = settings.nft_masquerade_bit;
        }
        settings.nft_masquerade_all.reset();
        settings.nft_masquerade_bit.reset();
    }

    void read_setting(const Setting& setting) {
        const json* value = find(setting.field);
        if (value == nullptr) {
            return;
        }
        const auto read = set_value(setting, *value, setting.field, config_.settings);
        if (!read) {
            mistakes_.push_back(
                std::to_string(document_.lines.of(setting.field)) + ": " + read.error().context
            );
        }
    }

    void pass(const Unused& unused) {
        const json* value = find(unused.field);
        if (value == nullptr || is_neutral(*value) || is_usual_logging(*value)) {
            return;
        }
        const auto& usual = unused.usual;
        if (std::find(usual.begin(), usual.end(), *value) == usual.end()) {
            ignore(unused.field, *value, unused.why);
        }
    }

    void ignore(const std::string& field, const json& value, const std::string& why) {
        config_.ignored.push_back({field, shown(value), why});
    }

    void tell_unknown(const json& object, const std::string& above) {
        for (const auto& [name, value] : object.items()) {
            const std::string path = above + name;
            const bool one_word = name.find('.') == std::string::npos;
            if (one_word && known_.contains(path)) {
                continue;
            }
            if (above.empty() && sections_.contains(path)) {
                if (value.is_object()) {
                    tell_unknown(value, path + ".");
                }
            } else if (!is_neutral(value)) {
                ignore(one_word ? path : shown(path), value, "there is no such field");
            }
        }
    }

    const yaml::Document& document_;
    Mistakes& mistakes_;
    KubeProxyConfig config_;
    std::set<std::string> known_;
    std::set<std::string> sections_;
    std::set<std::string> bad_sections_;
    bool nftables_ = false;
};

}  // namespace

std::string to_string(const Ignored& ignored) {
    return ignored.field + ": " + ignored.value + " is not followed: " + ignored.why;
}

KubeProxyConfig read_kube_proxy_config(std::string_view text, Mistakes& mistakes) {
    const yaml::Documents documents = yaml::read_documents(text);
    for (const yaml::BadDocument& bad : documents.bad) {
        mistakes.push_back(std::to_string(bad.line) + ": not YAML: " + bad.what);
    }
    if (!documents.bad.empty()) {
        return {};
    }
    if (documents.read.size() != 1) {
        mistakes.push_back(
            "1: expected one " + std::string(kKind) + ", found " +
            std::to_string(documents.read.size())
        );
        return {};
    }
    return Reader(documents.read.front(), mistakes).read();
}

}  // namespace steelyard::speaker
