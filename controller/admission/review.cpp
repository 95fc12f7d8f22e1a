#include "controller/admission/review.hpp"

#include "controller/admission/change.hpp"
#include "controller/admission/json_access.hpp"

#include <array>
#include <optional>
#include <string>
#include <utility>

namespace steelyard::admission {
namespace {

using nlohmann::json;

constexpr std::string_view kReviewVersion = "admission.k8s.io/v1";
constexpr std::size_t kMostLines = 20;  // of people's patience, and of the API's room for warnings

std::optional<config::Kind> kind_of(const json& request) {
    constexpr std::array kKinds = {
        config::Kind::IpAddressPool,
        config::Kind::L2Advertisement,
        config::Kind::BgpPeer,
        config::Kind::BgpAdvertisement,
        config::Kind::Community,
        config::Kind::BfdProfile,
        config::Kind::AllocationPolicy,
        config::Kind::AddressReservation};
    const json& named = member(request, "kind");
    const std::string group = text_of(named, "group");
    const std::string name = text_of(named, "kind");
    for (const config::Kind kind : kKinds) {
        const kube::ResourceType& type = config::resource_type(kind);
        if (type.group == group && type.kind == name) {
            return kind;
        }
    }
    return std::nullopt;
}

// The object as the request means it: its own namespace and name may be left out there.
json object_in(const json& request, const char* name, const kube::ObjectKey& key) {
    json object = member(request, name);
    if (object.is_object()) {
        json& metadata = object["metadata"];
        if (metadata.is_null() || metadata.is_object()) {
            metadata["name"] = key.name;
            metadata["namespace"] = key.ns;
        }
    }
    return object;
}

kube::ObjectKey key_of(const json& request) {
    const json& object = member(request, "object");
    const json& named = object.is_object() ? object : member(request, "oldObject");
    kube::ObjectKey key{text_of(request, "namespace"), text_of(request, "name")};
    if (key.name.empty()) {
        key.name = text_of(member(named, "metadata"), "name");
    }
    // The server makes the rest of a generated name up; any name no other object has will do.
    if (key.name.empty()) {
        key.name = text_of(member(named, "metadata"), "generateName") + "(generated)";
    }
    return key;
}

Verdict elsewhere(config::Kind kind, const kube::ObjectKey& key, bool is_new, const Snapshot& s) {
    const config::Problem problem{
        kind, key, "metadata.namespace", key.ns, "only objects in " + s.ns + " count"};
    Verdict verdict;
    (is_new ? verdict.refusals : verdict.warnings).push_back(to_string(problem));
    return verdict;
}

Verdict verdict_on(const json& request, const Snapshot& snapshot) {
    const std::optional<config::Kind> kind = kind_of(request);
    const std::string operation = text_of(request, "operation");
    const bool is_new = operation == "CREATE";
    const bool is_deletion = operation == "DELETE";
    if (!kind || !text_of(request, "subResource").empty() ||
        (!is_new && !is_deletion && operation != "UPDATE")) {
        return {};
    }
    const kube::ObjectKey key = key_of(request);
    if (key.ns != snapshot.ns) {
        return is_deletion ? Verdict{} : elsewhere(*kind, key, is_new, snapshot);
    }
    Change change;
    change.kind = *kind;
    change.key = key;
    if (!is_new) {
        change.before = object_in(request, "oldObject", key);
    }
    if (!is_deletion) {
        change.after = object_in(request, "object", key);
        if (!change.after.is_object()) {
            change.after = json::object();  // refused by its decoder, in a line
        }
    }
    Verdict verdict = judge(change, snapshot);
    if (!snapshot.known && !is_deletion) {
        verdict.warnings.push_back(
            "the controller has just started: this object was judged by itself, not together with "
            "the others"
        );
    }
    return verdict;
}

void shorten(std::vector<std::string>& lines) {
    if (lines.size() > kMostLines) {
        const std::size_t more = lines.size() - kMostLines;
        lines.resize(kMostLines);
        lines.push_back("and " + std::to_string(more) + " more");
    }
}

std::string joined(const std::vector<std::string>& lines) {
    std::string text;
    for (const std::string& line : lines) {
        text += (text.empty() ? "" : "\n") + line;
    }
    return text;
}

}  // namespace

Result<json> review(const json& admission_review, const Snapshot& snapshot) {
    const json& request = member(admission_review, "request");
    const std::string uid = text_of(request, "uid");
    if (text_of(admission_review, "kind") != "AdmissionReview" ||
        text_of(admission_review, "apiVersion") != kReviewVersion || uid.empty()) {
        return make_error(
            Errc::Invalid, "no AdmissionReview of admission.k8s.io/v1 with request.uid"
        );
    }
    Verdict verdict = verdict_on(request, snapshot);
    shorten(verdict.refusals);
    shorten(verdict.warnings);
    json response = json::object();
    response["uid"] = uid;
    response["allowed"] = verdict.refusals.empty();
    if (!verdict.refusals.empty()) {
        response["status"]["code"] = 403;
        response["status"]["reason"] = "Forbidden";
        response["status"]["message"] = joined(verdict.refusals);
    }
    if (!verdict.warnings.empty()) {
        response["warnings"] = verdict.warnings;
    }
    json answer = json::object();
    answer["apiVersion"] = kReviewVersion;
    answer["kind"] = "AdmissionReview";
    answer["response"] = std::move(response);
    return answer;
}

}  // namespace steelyard::admission
