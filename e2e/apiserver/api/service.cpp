#include "common/net/ip.hpp"
#include "e2e/apiserver/api/admit.hpp"

#include <algorithm>
#include <set>

namespace steelyard::apiserver {

namespace {

constexpr std::int64_t kFirstNodePort = 30000;
constexpr std::int64_t kLastNodePort = 32767;
// The ServiceCIDR `kubernetes` names it, and the IPv6 one of free_v6().
constexpr std::uint32_t kServiceSubnet = 10U << 24U | 96U << 16U;

FieldError wrong(const std::string& path, const Json& value, const std::string& why) {
    return {path, "FieldValueInvalid", "Invalid value: " + dump(value) + ": " + why};
}

FieldError missing(const std::string& path, const std::string& why = {}) {
    return {path, "FieldValueRequired", "Required value" + (why.empty() ? "" : ": " + why)};
}

FieldError unsupported(
    const std::string& path, const std::string& value, std::vector<std::string> accepted
) {
    std::sort(accepted.begin(), accepted.end());
    std::string list;
    for (const std::string& entry : accepted) {
        list += (list.empty() ? "\"" : ", \"") + entry + "\"";
    }
    return {
        path,
        "FieldValueNotSupported",
        "Unsupported value: \"" + value + "\": supported values: " + list};
}

void set_default(Json& object, const char* field, Json value) {
    if (!object.contains(field) || object[field].is_null() || object[field] == "") {
        object[field] = std::move(value);
    }
}

// What other Services hold; the one being written is left out by its key.
struct Taken {
    std::set<std::string> addresses;
    std::set<std::int64_t> node_ports;  // protocols share them, as the allocator does by default

    Taken(const Store& store, const std::string& own_key) {
        for (const Object& other : store.list("services.", "")) {
            if (object_key(*other) == own_key) {
                continue;
            }
            for (const Json& address : array_at(*other, "spec.clusterIPs")) {
                addresses.insert(address.is_string() ? address.get<std::string>() : std::string{});
            }
            for (const Json& port : array_at(*other, "spec.ports")) {
                node_ports.insert(integer_at(port, "nodePort").value_or(0));
            }
            node_ports.insert(integer_at(*other, "spec.healthCheckNodePort").value_or(0));
        }
    }

    std::string free_v4() {
        // The low addresses are left to those who ask for one by name, as Kubernetes does.
        for (std::uint32_t host = 0x101; host < 0xffff; ++host) {
            const std::uint32_t bits = kServiceSubnet | host;
            std::string text =
                std::to_string(bits >> 24U) + "." + std::to_string(bits >> 16U & 255U) + "." +
                std::to_string(bits >> 8U & 255U) + "." + std::to_string(bits & 255U);
            if (addresses.insert(text).second) {
                return text;
            }
        }
        return {};
    }

    std::string free_v6() {
        static constexpr char kHex[] = "0123456789abcdef";
        for (unsigned host = 0x101; host < 0xffff; ++host) {
            std::string digits;
            for (unsigned rest = host; rest > 0; rest >>= 4U) {
                digits.insert(digits.begin(), kHex[rest & 15U]);
            }
            std::string text = "fd00:10:96::" + digits;
            if (addresses.insert(text).second) {
                return text;
            }
        }
        return {};
    }

    std::int64_t free_node_port() {
        for (std::int64_t port = kFirstNodePort + 86; port <= kLastNodePort; ++port) {
            if (node_ports.insert(port).second) {
                return port;
            }
        }
        return 0;
    }
};

class ServiceAdmission {
public:
    ServiceAdmission(Json& service, const Json* live, const Store& store)
        : service_(service),
          spec_(service["spec"]),
          old_(live == nullptr ? Json::object() : object_at(*live, "spec")),
          taken_(store, object_key(service)) {}

    FieldErrors run() {
        if (!spec_.is_object()) {
            spec_ = Json::object();
        }
        set_default(spec_, "type", "ClusterIP");
        set_default(spec_, "sessionAffinity", "None");
        type_ = text_at(spec_, "type");
        check_choice("type", {"ClusterIP", "NodePort", "LoadBalancer", "ExternalName"});
        check_choice("sessionAffinity", {"None", "ClientIP"});
        if (text_at(spec_, "sessionAffinity") == "ClientIP") {
            if (find(spec_, "sessionAffinityConfig.clientIP.timeoutSeconds") == nullptr) {
                spec_["sessionAffinityConfig"]["clientIP"]["timeoutSeconds"] = 10800;
            }
        } else {
            spec_.erase("sessionAffinityConfig");
        }
        if (type_ == "ExternalName") {
            external_name();
            return std::move(errors_);
        }
        keep_allocations();
        policies();
        families();
        cluster_ips();
        ports();
        health_check_port();
        if (!service_.contains("status")) {
            service_["status"] = Json{{"loadBalancer", Json::object()}};
        }
        return std::move(errors_);
    }

private:
    void check_choice(const char* field, const std::vector<std::string>& accepted) {
        const std::string value = text_at(spec_, field);
        if (std::find(accepted.begin(), accepted.end(), value) == accepted.end()) {
            errors_.push_back(unsupported(std::string("spec.") + field, value, accepted));
        }
    }

    [[nodiscard]] bool wants_node_ports() const {
        return type_ == "NodePort" || type_ == "LoadBalancer";
    }
    [[nodiscard]] bool external() const { return wants_node_ports(); }
    [[nodiscard]] bool headless() const { return text_at(spec_, "clusterIP") == "None"; }

    void external_name() {
        if (text_at(spec_, "externalName").empty()) {
            errors_.push_back(missing("spec.externalName"));
        }
        for (const char* field :
             {"clusterIP",
              "clusterIPs",
              "ipFamilies",
              "ipFamilyPolicy",
              "externalTrafficPolicy",
              "internalTrafficPolicy",
              "allocateLoadBalancerNodePorts",
              "healthCheckNodePort"}) {
            spec_.erase(field);
        }
        port_fields();
        release_node_ports();
    }

    void release_node_ports() {
        Json* own = find(spec_, "ports");
        if (!errors_.empty() || own == nullptr || !own->is_array()) {
            return;
        }
        for (std::size_t i = 0; i < own->size(); ++i) {
            node_port((*own)[i], "spec.ports[" + std::to_string(i) + "].nodePort", false);
        }
    }

    // A client that sends what it first wrote must not lose what the server gave since.
    void keep_allocations() {
        if (text_at(old_, "type") == "ExternalName") {
            return;
        }
        for (const char* field : {"clusterIP", "clusterIPs", "ipFamilies", "ipFamilyPolicy"}) {
            const Json* before = member(old_, field);
            if (before != nullptr && !spec_.contains(field)) {
                spec_[field] = *before;
            }
        }
        if (text_at(spec_, "type") == "LoadBalancer" || type_ == "NodePort") {
            keep_node_ports();
        }
    }

    void keep_node_ports() {
        Json* own = find(spec_, "ports");
        if (own == nullptr || !own->is_array()) {
            return;
        }
        for (Json& port : *own) {
            if (!port.is_object() || integer_at(port, "nodePort").value_or(0) != 0) {
                continue;
            }
            for (const Json& before : array_at(old_, "ports")) {
                const bool same_protocol = !port.contains("protocol") ||
                                           text_at(port, "protocol") == text_at(before, "protocol");
                if (integer_at(before, "port") == integer_at(port, "port") && same_protocol &&
                    before.contains("nodePort")) {
                    port["nodePort"] = before["nodePort"];
                }
            }
        }
    }

    void policies() {
        set_default(spec_, "internalTrafficPolicy", "Cluster");
        check_choice("internalTrafficPolicy", {"Cluster", "Local"});
        const bool external_ips = !array_at(spec_, "externalIPs").empty();
        if (external() || external_ips) {
            set_default(spec_, "externalTrafficPolicy", "Cluster");
            check_choice("externalTrafficPolicy", {"Cluster", "Local"});
        } else {
            if (old_.contains("externalTrafficPolicy")) {
                spec_.erase("externalTrafficPolicy");  // the type no longer has it
            }
            if (spec_.contains("externalTrafficPolicy")) {
                errors_.push_back(wrong(
                    "spec.externalTrafficPolicy",
                    spec_["externalTrafficPolicy"],
                    "may only be set for externally-accessible services"
                ));
            }
        }
        if (type_ == "LoadBalancer") {
            set_default(spec_, "allocateLoadBalancerNodePorts", true);
            return;
        }
        for (const char* field : {"allocateLoadBalancerNodePorts", "loadBalancerClass"}) {
            if (old_.contains(field)) {
                spec_.erase(field);
            } else if (spec_.contains(field)) {
                errors_.push_back(
                    {std::string("spec.") + field,
                     "FieldValueForbidden",
                     "Forbidden: may only be used when `type` is 'LoadBalancer'"}
                );
            }
        }
    }

    void families() {
        set_default(spec_, "ipFamilyPolicy", "SingleStack");
        check_choice("ipFamilyPolicy", {"SingleStack", "PreferDualStack", "RequireDualStack"});
        Json wanted = array_at(spec_, "ipFamilies");
        if (wanted.empty()) {
            const auto address = net::IpAddress::parse(text_at(spec_, "clusterIP"));
            wanted.push_back(address && !address->is_v4() ? "IPv6" : "IPv4");
        }
        for (std::size_t i = 0; i < wanted.size(); ++i) {
            if (wanted[i] != "IPv4" && wanted[i] != "IPv6") {
                errors_.push_back(unsupported(
                    "spec.ipFamilies[" + std::to_string(i) + "]",
                    wanted[i].is_string() ? wanted[i].get<std::string>() : dump(wanted[i]),
                    {"IPv4", "IPv6"}
                ));
            }
        }
        const bool dual = text_at(spec_, "ipFamilyPolicy") != "SingleStack";
        if (dual && wanted.size() == 1) {
            wanted.push_back(wanted[0] == "IPv6" ? "IPv4" : "IPv6");
        }
        if (!dual && wanted.size() > 1) {
            if (array_at(old_, "ipFamilies").size() > 1) {
                wanted.erase(wanted.begin() + 1, wanted.end());
                Json& addresses = spec_["clusterIPs"];
                if (addresses.is_array() && addresses.size() > 1) {
                    addresses.erase(addresses.begin() + 1, addresses.end());
                }
            } else {
                errors_.push_back(wrong(
                    "spec.ipFamilyPolicy",
                    spec_["ipFamilyPolicy"],
                    "must be RequireDualStack or PreferDualStack when multiple 'ipFamilies' are "
                    "specified"
                ));
            }
        }
        spec_["ipFamilies"] = std::move(wanted);
    }

    void cluster_ips() {
        Json addresses = array_at(spec_, "clusterIPs");
        const std::string first = text_at(spec_, "clusterIP");
        const std::string before = text_at(old_, "clusterIP");
        if (addresses.empty() && !first.empty()) {
            addresses.push_back(first);
        }
        if (!addresses.empty() && first.empty()) {
            spec_["clusterIP"] = addresses[0];
        } else if (!first.empty() && addresses[0] != first) {
            errors_.push_back(
                wrong("spec.clusterIPs", addresses, "first value must match `clusterIP`")
            );
        }
        if (!before.empty() && text_at(spec_, "clusterIP") != before) {
            errors_.push_back(wrong(
                "spec.clusterIPs[0]", Json(text_at(spec_, "clusterIP")), "may not change once set"
            ));
            return;
        }
        if (headless()) {
            if (wants_node_ports()) {
                errors_.push_back(wrong(
                    "spec.clusterIPs[0]",
                    Json("None"),
                    "may not be set to 'None' for " + type_ + " services"
                ));
            }
            spec_["clusterIPs"] = Json::array({"None"});
            return;
        }
        check_addresses(addresses);
        for (std::size_t i = addresses.size(); i < spec_["ipFamilies"].size(); ++i) {
            addresses.push_back(
                spec_["ipFamilies"][i] == "IPv6" ? taken_.free_v6() : taken_.free_v4()
            );
        }
        spec_["clusterIP"] = addresses.at(0);
        spec_["clusterIPs"] = std::move(addresses);
    }

    void check_addresses(const Json& addresses) {
        for (std::size_t i = 0; i < addresses.size(); ++i) {
            const std::string path = "spec.clusterIPs[" + std::to_string(i) + "]";
            const std::string text =
                addresses[i].is_string() ? addresses[i].get<std::string>() : std::string{};
            if (!net::IpAddress::parse(text)) {
                errors_.push_back(wrong(
                    path,
                    addresses[i],
                    "must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)"
                ));
            } else if (!taken_.addresses.insert(text).second) {
                errors_.push_back(wrong(
                    path,
                    addresses[i],
                    "failed to allocate IP " + text + ": provided IP is already allocated"
                ));
            }
        }
    }

    // Defaults and checks that need no allocation.
    void port_fields() {
        Json* own = find(spec_, "ports");
        if (own == nullptr || !own->is_array()) {
            return;
        }
        std::set<std::pair<std::int64_t, std::string>> seen;
        std::set<std::string> names;
        for (std::size_t i = 0; i < own->size(); ++i) {
            Json& port = (*own)[i];
            const std::string path = "spec.ports[" + std::to_string(i) + "]";
            if (!port.is_object()) {
                errors_.push_back(wrong(path, port, "want an object"));
                continue;
            }
            set_default(port, "protocol", "TCP");
            const std::string protocol = text_at(port, "protocol");
            if (protocol != "TCP" && protocol != "UDP" && protocol != "SCTP") {
                errors_.push_back(unsupported(path + ".protocol", protocol, {"TCP", "UDP", "SCTP"})
                );
            }
            const std::int64_t number = integer_at(port, "port").value_or(0);
            if (number < 1 || number > 65535) {
                errors_.push_back(
                    wrong(path + ".port", Json(number), "must be between 1 and 65535, inclusive")
                );
            }
            if (!port.contains("targetPort")) {
                port["targetPort"] = number;
            }
            const std::string name = text_at(port, "name");
            if (name.empty() && own->size() > 1) {
                errors_.push_back(missing(path + ".name"));
            }
            if (!name.empty() && !names.insert(name).second) {
                errors_.push_back(
                    {path + ".name", "FieldValueDuplicate", "Duplicate value: \"" + name + "\""}
                );
            }
            if (!seen.emplace(number, protocol).second) {
                errors_.push_back(
                    {path,
                     "FieldValueDuplicate",
                     "Duplicate value: " + dump(Json{{"port", number}, {"protocol", protocol}})}
                );
            }
        }
    }

    void ports() {
        const Json* own = find(spec_, "ports");
        if ((own == nullptr || own->empty()) && !headless()) {
            errors_.push_back(missing("spec.ports"));
        }
        port_fields();
        if (!errors_.empty() || own == nullptr) {
            return;
        }
        const bool allocate =
            type_ == "NodePort" ||
            (type_ == "LoadBalancer" && true_at(spec_, "allocateLoadBalancerNodePorts"));
        for (std::size_t i = 0; i < spec_["ports"].size(); ++i) {
            node_port(
                spec_["ports"][i], "spec.ports[" + std::to_string(i) + "].nodePort", allocate
            );
        }
    }

    void node_port(Json& port, const std::string& path, bool allocate) {
        const std::int64_t wanted = integer_at(port, "nodePort").value_or(0);
        if (!wants_node_ports()) {
            // Ports the server gave under another type are freed; asking for one is an error.
            if (wanted != 0 && !had_node_port(wanted)) {
                errors_.push_back(
                    {path,
                     "FieldValueForbidden",
                     "Forbidden: may not be used when `type` is '" + type_ + "'"}
                );
            }
            port.erase("nodePort");
            return;
        }
        if (wanted == 0) {
            port.erase("nodePort");
            if (allocate) {
                port["nodePort"] = same_number_sibling(port).value_or(0);
                if (port["nodePort"] == 0) {
                    port["nodePort"] = taken_.free_node_port();
                }
            }
            return;
        }
        if (wanted < kFirstNodePort || wanted > kLastNodePort) {
            errors_.push_back(wrong(
                path,
                Json(wanted),
                "provided port is not in the valid range. The range of valid ports is 30000-32767"
            ));
        } else if (!taken_.node_ports.insert(wanted).second && !own_.contains(wanted)) {
            errors_.push_back(wrong(path, Json(wanted), "provided port is already allocated"));
        }
        own_.insert(wanted);
    }

    // The same port number over TCP and UDP shares one node port.
    std::optional<std::int64_t> same_number_sibling(const Json& port) const {
        for (const Json& other : array_at(spec_, "ports")) {
            if (&other != &port && integer_at(other, "port") == integer_at(port, "port")) {
                return integer_at(other, "nodePort");
            }
        }
        return std::nullopt;
    }

    [[nodiscard]] bool had_node_port(std::int64_t number) const {
        const Json& before = array_at(old_, "ports");
        return std::any_of(before.begin(), before.end(), [&](const Json& port) {
            return integer_at(port, "nodePort") == number;
        });
    }

    void health_check_port() {
        const bool needed =
            type_ == "LoadBalancer" && text_at(spec_, "externalTrafficPolicy") == "Local";
        const Json* before = member(old_, "healthCheckNodePort");
        if (!needed) {
            if (before == nullptr && integer_at(spec_, "healthCheckNodePort").value_or(0) != 0) {
                errors_.push_back(wrong(
                    "spec.healthCheckNodePort",
                    spec_["healthCheckNodePort"],
                    "may only be set when `type` is 'LoadBalancer' and `externalTrafficPolicy` is "
                    "'Local'"
                ));
            }
            spec_.erase("healthCheckNodePort");
            return;
        }
        const std::int64_t wanted = integer_at(spec_, "healthCheckNodePort").value_or(0);
        if (before != nullptr) {
            if (wanted != 0 && Json(wanted) != *before) {
                errors_.push_back(
                    wrong("spec.healthCheckNodePort", Json(wanted), "field is immutable")
                );
            }
            spec_["healthCheckNodePort"] = *before;
        } else if (wanted == 0) {
            spec_["healthCheckNodePort"] = taken_.free_node_port();
        } else if (!taken_.node_ports.insert(wanted).second) {
            errors_.push_back(wrong(
                "spec.healthCheckNodePort", Json(wanted), "provided port is already allocated"
            ));
        }
    }

    Json& service_;
    Json& spec_;
    Json old_;
    Taken taken_;
    std::string type_;
    std::set<std::int64_t> own_;  // node ports this Service names itself
    FieldErrors errors_;
};

}  // namespace

FieldErrors admit_service(Json& service, const Json* live, const Store& store) {
    return ServiceAdmission(service, live, store).run();
}

}  // namespace steelyard::apiserver
