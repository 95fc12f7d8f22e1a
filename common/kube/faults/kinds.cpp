#include "common/kube/faults/kinds.hpp"

#include <initializer_list>
#include <map>
#include <string>

namespace steelyard::kube::faults {
namespace {

using nlohmann::json;
using Words = std::initializer_list<const char*>;

// Draws values; every object passes through unknown(), which adds what a newer server might.
class Draw {
public:
    explicit Draw(Rng& rng) : rng_(rng) {}

    bool chance(unsigned in) { return rng_.below(in) == 0; }
    std::int64_t number(std::int64_t from, std::int64_t to) {
        return from +
               static_cast<std::int64_t>(rng_.below(static_cast<std::uint64_t>(to - from + 1)));
    }
    std::string one_of(Words words) { return *(words.begin() + rng_.below(words.size())); }
    // One of an enumeration, or a value that was invented after us.
    std::string enumerated(Words words) { return chance(8) ? "FromTheFuture" : one_of(words); }
    std::string address() {
        const std::string last = std::to_string(number(1, 250));
        return chance(3) ? "2001:db8::" + last : "192.0.2." + last;
    }
    std::string time() { return "2026-01-02T03:04:" + std::to_string(number(10, 59)) + "Z"; }
    std::string name(const char* stem) { return stem + std::to_string(number(0, 9)); }
    json labels() {
        json result = json::object();
        for (std::int64_t left = number(0, 2); left > 0; --left) {
            result[name("label")] = name("value");
        }
        return result;
    }
    json names(const char* stem) {
        json result = json::array();
        for (std::int64_t left = number(0, 3); left > 0; --left) {
            result.push_back(name(stem));
        }
        return result;
    }
    json selectors() {
        json result = json::array();
        for (std::int64_t left = number(0, 2); left > 0; --left) {
            json selector;
            selector["matchLabels"] = labels();
            if (chance(2)) {
                json requirement;
                requirement["key"] = name("label");
                requirement["operator"] = one_of({"In", "NotIn"});
                requirement["values"].push_back(name("value"));
                selector["matchExpressions"].push_back(requirement);
            }
            result.push_back(selector);
        }
        return result;
    }
    json unknown(json object) {
        if (chance(4)) {
            json value;
            value["deep"] = json::array();
            value["deep"].push_back(number(0, 5));
            value["text"] = "caf\u00e9 \"}]{[\\ \n";
            object["inventedLater"] = value;
        }
        if (chance(8)) {
            object["absentAsNull"] = nullptr;
        }
        return object;
    }

private:
    Rng& rng_;
};

json conditions(Draw& draw) {
    json result = json::array();
    for (const char* type : {"Ready", "NetworkUnavailable", "example.com/Other"}) {
        if (draw.chance(2)) {
            json condition;
            condition["type"] = type;
            condition["status"] = draw.enumerated({"True", "False", "Unknown"});
            condition["reason"] = draw.name("Reason");
            condition["message"] = "because";
            condition["lastTransitionTime"] = draw.time();
            result.push_back(draw.unknown(condition));
        }
    }
    return result;
}

json service(Draw& draw) {
    json object;
    json spec;
    spec["type"] = draw.enumerated({"ClusterIP", "NodePort", "LoadBalancer", "ExternalName"});
    spec["clusterIPs"].push_back(draw.address());
    spec["ipFamilies"].push_back(draw.enumerated({"IPv4", "IPv6"}));
    spec["ipFamilyPolicy"] =
        draw.enumerated({"SingleStack", "PreferDualStack", "RequireDualStack"});
    spec["externalTrafficPolicy"] = draw.enumerated({"Local", "Cluster"});
    spec["sessionAffinity"] = draw.enumerated({"None", "ClientIP"});
    spec["selector"] = draw.labels();
    json port;
    port["name"] = draw.name("port");
    port["port"] = draw.number(1, 65535);
    port["protocol"] = draw.enumerated({"TCP", "UDP", "SCTP"});
    port["targetPort"] = draw.chance(2) ? json("http") : json(8080);
    spec["ports"].push_back(draw.unknown(port));
    object["spec"] = draw.unknown(spec);
    if (draw.chance(2)) {
        json ingress;
        ingress["ip"] = draw.address();
        ingress["ipMode"] = draw.enumerated({"VIP", "Proxy"});
        object["status"]["loadBalancer"]["ingress"].push_back(draw.unknown(ingress));
        object["status"]["conditions"] = conditions(draw);
    }
    return object;
}

json endpoint_slice(Draw& draw) {
    json object;
    object["addressType"] = draw.enumerated({"IPv4", "IPv6", "FQDN"});
    object["endpoints"] = json::array();
    for (std::int64_t left = draw.number(0, 3); left > 0; --left) {
        json endpoint;
        endpoint["addresses"].push_back(draw.address());
        endpoint["nodeName"] = draw.name("node");
        endpoint["conditions"]["ready"] = draw.chance(2);
        endpoint["zone"] = draw.name("zone");
        json hint;
        hint["name"] = draw.name("zone");
        endpoint["hints"]["forZones"].push_back(draw.unknown(hint));
        object["endpoints"].push_back(draw.unknown(endpoint));
    }
    json port;
    port["port"] = draw.number(1, 65535);
    port["protocol"] = draw.enumerated({"TCP", "UDP"});
    object["ports"].push_back(draw.unknown(port));
    return object;
}

json node(Draw& draw) {
    json object;
    json address;
    address["type"] = draw.enumerated({"InternalIP", "Hostname"});
    address["address"] = address["type"] == "InternalIP" ? draw.address() : draw.name("host");
    object["status"]["addresses"].push_back(draw.unknown(address));
    object["status"]["conditions"] = conditions(draw);
    return object;
}

json service_cidr(Draw& draw) {
    json object;
    json spec;
    spec["cidrs"].push_back("10." + std::to_string(draw.number(0, 250)) + ".0.0/16");
    object["spec"] = draw.unknown(spec);
    object["status"]["conditions"] = conditions(draw);
    return object;
}

json pod(Draw& draw) {
    json object;
    object["spec"]["nodeName"] = draw.name("node");
    json status;
    status["phase"] = draw.enumerated({"Pending", "Running"});
    status["podIPs"].push_back(json::object({{"ip", draw.address()}}));
    status["conditions"] = conditions(draw);
    object["status"] = draw.unknown(status);
    return object;
}

json pool(Draw& draw) {
    json spec;
    spec["addresses"].push_back("192.0.2." + std::to_string(draw.number(0, 250)) + "/32");
    spec["autoAssign"] = draw.chance(2);
    spec["avoidBuggyIPs"] = draw.chance(2);
    if (draw.chance(2)) {
        json allocation;
        allocation["priority"] = draw.number(0, 50);
        allocation["namespaces"] = draw.names("ns");
        allocation["serviceSelectors"] = draw.selectors();
        spec["serviceAllocation"] = draw.unknown(allocation);
    }
    return json::object({{"spec", draw.unknown(spec)}});
}

json l2_advertisement(Draw& draw) {
    json spec;
    spec["ipAddressPools"] = draw.names("pool");
    spec["ipAddressPoolSelectors"] = draw.selectors();
    spec["nodeSelectors"] = draw.selectors();
    spec["interfaces"] = draw.names("eth");
    return json::object({{"spec", draw.unknown(spec)}});
}

json bgp_peer(Draw& draw) {
    json spec;
    spec["myASN"] = draw.number(1, 65000);
    spec["peerASN"] = draw.number(1, 65000);
    spec["peerAddress"] = draw.address();
    spec["peerPort"] = draw.number(1, 16384);
    spec["holdTime"] = draw.one_of({"90s", "3s", "0s"});
    spec["nodeSelectors"] = draw.selectors();
    spec["ebgpMultiHop"] = draw.chance(2);
    spec["bfdProfile"] = draw.name("profile");
    return json::object({{"spec", draw.unknown(spec)}});
}

json bgp_advertisement(Draw& draw) {
    json spec;
    spec["aggregationLength"] = draw.number(1, 32);
    spec["localPref"] = draw.number(0, 500);
    spec["communities"] = draw.names("community");
    spec["ipAddressPools"] = draw.names("pool");
    spec["peers"] = draw.names("peer");
    spec["nodeSelectors"] = draw.selectors();
    return json::object({{"spec", draw.unknown(spec)}});
}

json community(Draw& draw) {
    json spec;
    spec["communities"] = json::array();
    for (std::int64_t left = draw.number(0, 3); left > 0; --left) {
        json alias;
        alias["name"] = draw.name("alias");
        alias["value"] = "65000:" + std::to_string(draw.number(0, 999));
        spec["communities"].push_back(draw.unknown(alias));
    }
    return json::object({{"spec", draw.unknown(spec)}});
}

json bfd_profile(Draw& draw) {
    json spec;
    spec["receiveInterval"] = draw.number(10, 60000);
    spec["detectMultiplier"] = draw.number(2, 255);
    spec["echoMode"] = draw.chance(2);
    return json::object({{"spec", draw.unknown(spec)}});
}

json secret(Draw& draw) {
    json object;
    object["type"] = draw.enumerated({"kubernetes.io/basic-auth", "Opaque"});
    object["data"]["password"] = draw.one_of({"aHVudGVyMg==", "c2VjcmV0", ""});
    return object;
}

json status_of_service(Draw& draw) {
    json status;
    status["node"] = draw.name("node");
    status["serviceName"] = draw.name("service");
    status["serviceNamespace"] = draw.name("ns");
    status["peers"] = draw.names("peer");
    status["interfaces"].push_back(json::object({{"name", draw.name("eth")}}));
    return json::object({{"status", draw.unknown(status)}});
}

json session_state(Draw& draw) {
    json status;
    status["node"] = draw.name("node");
    status["peer"] = draw.name("peer");
    status["bgp"] = draw.enumerated({"Idle", "Established"});
    status["since"] = draw.time();
    status["sentIPv4"] = draw.number(0, 1000);
    return json::object({{"status", draw.unknown(status)}});
}

json configuration_state(Draw& draw) {
    json status;
    status["result"] = draw.enumerated({"Valid", "Invalid", "Unknown"});
    status["errorSummary"] = draw.name("error");
    status["conditions"] = conditions(draw);
    return json::object({{"status", draw.unknown(status)}});
}

json allocation_policy(Draw& draw) {
    json spec;
    spec["ipAddressPools"] = draw.names("pool");
    spec["exclude"].push_back(draw.address());
    json quota;
    quota["namespaces"] = draw.names("ns");
    quota["addresses"] = draw.number(0, 20);
    spec["quotas"].push_back(draw.unknown(quota));
    spec["keepAfterDelete"] = draw.one_of({"10m", "1h"});
    return json::object({{"spec", draw.unknown(spec)}});
}

json address_reservation(Draw& draw) {
    json object;
    json spec;
    spec["serviceNamespace"] = draw.name("ns");
    spec["serviceName"] = draw.name("service");
    spec["addresses"].push_back(draw.address());
    object["spec"] = draw.unknown(spec);
    object["status"]["inUse"] = draw.chance(2);
    object["status"]["releasedAt"] = draw.time();
    return object;
}

json lease(Draw& draw) {
    json spec;
    spec["holderIdentity"] = draw.name("controller");
    spec["leaseDurationSeconds"] = draw.number(5, 30);
    spec["leaseTransitions"] = draw.number(0, 9);
    spec["renewTime"] = draw.time();
    return json::object({{"spec", draw.unknown(spec)}});
}

using Maker = json (*)(Draw&);

const std::map<std::string_view, Maker>& makers() {
    static const std::map<std::string_view, Maker> kMakers = {
        {"services", service},
        {"endpointslices", endpoint_slice},
        {"nodes", node},
        {"servicecidrs", service_cidr},
        {"pods", pod},
        {"ipaddresspools", pool},
        {"l2advertisements", l2_advertisement},
        {"bgppeers", bgp_peer},
        {"bgpadvertisements", bgp_advertisement},
        {"communities", community},
        {"bfdprofiles", bfd_profile},
        {"secrets", secret},
        {"servicel2statuses", status_of_service},
        {"servicebgpstatuses", status_of_service},
        {"bgpsessionstates", session_state},
        {"configurationstates", configuration_state},
        {"allocationpolicies", allocation_policy},
        {"addressreservations", address_reservation},
        {"leases", lease},
    };
    return kMakers;
}

}  // namespace

json random_object(const ResourceType& type, const ObjectKey& key, Rng& rng) {
    Draw draw(rng);
    const auto maker = makers().find(type.plural);
    json object = maker == makers().end() ? json::object() : maker->second(draw);
    std::string group(type.group);
    object["apiVersion"] = (group.empty() ? "" : group + "/") + std::string(type.version);
    object["kind"] = type.kind;
    json metadata;
    metadata["name"] = key.name;
    if (type.namespaced) {
        metadata["namespace"] = key.ns;
    }
    metadata["labels"] = draw.labels();
    if (draw.chance(3)) {
        metadata["annotations"]["example.com/note"] = draw.name("note");
    }
    object["metadata"] = draw.unknown(metadata);
    return draw.unknown(object);
}

void spoil(json& object) {
    object["metadata"]["labels"] = 7;
}

}  // namespace steelyard::kube::faults
