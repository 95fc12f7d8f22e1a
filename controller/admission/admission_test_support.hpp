#pragma once

#include "controller/admission/snapshot.hpp"

#include <nlohmann/json.hpp>

#include <string>
#include <utility>
#include <vector>

// Objects in short form, {"kind":...,"name":...,"spec":...}, as the requests and snapshots that the
// tests need. apiVersion and namespace may be given; else they are the usual ones.
namespace steelyard::admission {

using nlohmann::json;

inline json full(const std::string& text) {
    json object = json::parse(text);
    object["metadata"]["name"] = object.value("name", "");
    object["metadata"]["namespace"] = object.value("namespace", "metallb-system");
    if (!object.contains("apiVersion")) {
        object["apiVersion"] =
            object.at("kind") == "BGPPeer" ? "metallb.io/v1beta2" : "metallb.io/v1beta1";
    }
    object.erase("name");
    object.erase("namespace");
    return object;
}

template <class T>
void take(const json& object, std::vector<T>& list) {
    if (object.at("kind") == kube::Resource<T>::kType.kind) {
        if (auto decoded = kube::Resource<T>::decode(object)) {
            list.push_back(std::move(*decoded));
        }
    }
}

inline Snapshot snapshot_of(const std::vector<std::string>& texts) {
    Snapshot snapshot;
    snapshot.ns = "metallb-system";
    for (const std::string& text : texts) {
        const json object = full(text);
        take(object, snapshot.objects.pools);
        take(object, snapshot.objects.l2_advertisements);
        take(object, snapshot.objects.bgp_peers);
        take(object, snapshot.objects.bgp_advertisements);
        take(object, snapshot.objects.communities);
        take(object, snapshot.objects.bfd_profiles);
        take(object, snapshot.objects.allocation_policies);
        take(object, snapshot.objects.address_reservations);
    }
    return snapshot;
}

// "" before: it is created; "" after: it is deleted.
inline json request(const std::string& before, const std::string& after) {
    const json object = full(after.empty() ? before : after);
    const std::string version = object.at("apiVersion");
    const std::size_t slash = version.find('/');
    json request = json::object();
    request["uid"] = "u-1";
    request["kind"]["group"] = version.substr(0, slash);
    request["kind"]["version"] = version.substr(slash + 1);
    request["kind"]["kind"] = object.at("kind");
    request["name"] = object.at("metadata").at("name");
    request["namespace"] = object.at("metadata").at("namespace");
    request["operation"] = before.empty() ? "CREATE" : after.empty() ? "DELETE" : "UPDATE";
    request["object"] = after.empty() ? json() : object;
    request["oldObject"] = before.empty() ? json() : full(before);
    request["dryRun"] = true;
    request["userInfo"]["username"] = "somebody";
    json review = json::object();
    review["apiVersion"] = "admission.k8s.io/v1";
    review["kind"] = "AdmissionReview";
    review["request"] = std::move(request);
    return review;
}

inline std::string message_of(const json& answer) {
    return answer.value(json::json_pointer("/response/status/message"), "");
}

inline std::string warnings_of(const json& answer) {
    std::string text;
    for (const json& line : answer.value(json::json_pointer("/response/warnings"), json::array())) {
        text += line.get<std::string>() + "\n";
    }
    return text;
}

}  // namespace steelyard::admission
