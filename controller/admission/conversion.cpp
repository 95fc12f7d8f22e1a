#include "controller/admission/conversion.hpp"

#include "controller/admission/body.hpp"
#include "controller/admission/json_access.hpp"

#include <algorithm>
#include <array>
#include <string>
#include <utility>

namespace steelyard::admission {
namespace {

using nlohmann::json;

constexpr std::string_view kOlder = "metallb.io/v1beta1";
constexpr std::string_view kNewer = "metallb.io/v1beta2";
constexpr std::string_view kReviewVersion = "apiextensions.k8s.io/v1";

constexpr std::array<std::string_view, 12> kOlderFields = {
    "myASN",
    "peerASN",
    "peerAddress",
    "sourceAddress",
    "peerPort",
    "holdTime",
    "routerID",
    "keepaliveTime",
    "password",
    "nodeSelectors",
    "bfdProfile",
    "ebgpMultiHop"};

bool older_has(std::string_view field) {
    return std::find(kOlderFields.begin(), kOlderFields.end(), field) != kOlderFields.end();
}

// What v1beta1 requires, and how it says "nothing" there.
struct Required {
    const char* field;
    json nothing;
};
const std::array<Required, 2>& required_fields() {
    static const std::array<Required, 2> kRequired = {
        Required{"peerASN", json(0)}, Required{"peerAddress", json("")}};
    return kRequired;
}

bool is_nothing(std::string_view field, const json& value) {
    const auto& all = required_fields();
    return std::any_of(all.begin(), all.end(), [&](const Required& required) {
        return required.field == field && required.nothing == value;
    });
}

// What the annotation holds, null when that is nothing of ours.
json later_fields(const json& object) {
    const std::string text =
        text_of(member(member(object, "metadata"), "annotations"), kLaterFields);
    auto fields = read_body(text);
    return fields ? std::move(*fields) : json();
}

void to_older(json& object) {
    json& spec = object["spec"];
    json later = json::object();
    for (auto field = spec.begin(); field != spec.end();) {
        if (older_has(field.key())) {
            ++field;
        } else {
            later[field.key()] = std::move(*field);
            field = spec.erase(field);
        }
    }
    for (const auto& [field, nothing] : required_fields()) {
        if (!spec.contains(field)) {
            spec[field] = nothing;
            later[field] = nullptr;
        }
    }
    const json& own = member(member(object["metadata"], "annotations"), kLaterFields);
    if (!own.is_null() && (!later.empty() || !later_fields(object).is_null())) {
        later[""] = own;
    }
    if (later.empty()) {
        return;
    }
    json& annotations = object["metadata"]["annotations"];
    if (!annotations.is_object()) {
        annotations = json::object();
    }
    annotations[std::string(kLaterFields)] = later.dump();
}

// A field that v1beta1 has holds the last word of whoever wrote it there.
void restore(const json& later, json& spec) {
    for (const auto& [field, value] : later.items()) {
        const bool filled_in = value.is_null() && older_has(field);
        const auto present = spec.find(field);
        if (filled_in) {
            if (present != spec.end() && is_nothing(field, *present)) {
                spec.erase(present);
            }
        } else if (!field.empty() && present == spec.end()) {
            spec[field] = value;
        }
    }
}

void to_newer(json& object) {
    json& spec = object["spec"];
    if (member(spec, "peerPort") == 0) {
        spec.erase("peerPort");
    }
    const json later = later_fields(object);
    if (later.is_null()) {
        return;
    }
    restore(later, spec);
    json& annotations = object["metadata"]["annotations"];
    const json& own = member(later, "");
    if (!own.is_null()) {
        annotations[std::string(kLaterFields)] = own;
        return;
    }
    annotations.erase(std::string(kLaterFields));
    if (annotations.empty()) {
        object["metadata"].erase("annotations");
    }
}

Error not_convertible(const json& object, std::string_view why) {
    return make_error(
        Errc::Invalid,
        text_of(object, "kind") + " " + text_of(member(object, "metadata"), "name") + ": " +
            std::string(why)
    );
}

}  // namespace

Result<json> convert_peer(json object, std::string_view api_version) {
    const std::string from = text_of(object, "apiVersion");
    const auto known = [](std::string_view version) {
        return version == kOlder || version == kNewer;
    };
    if (text_of(object, "kind") != "BGPPeer" || !known(from) || !known(api_version)) {
        return not_convertible(
            object,
            from + " is not converted to " + std::string(api_version) +
                ": give a BGPPeer of metallb.io/v1beta1 or metallb.io/v1beta2"
        );
    }
    if (!member(object, "spec").is_object() || !member(object, "metadata").is_object()) {
        return not_convertible(object, "metadata and spec have to be objects");
    }
    if (from == api_version) {
        return object;
    }
    object["apiVersion"] = api_version;
    if (api_version == kOlder) {
        to_older(object);
    } else {
        to_newer(object);
    }
    return object;
}

Result<json> convert(const json& conversion_review) {
    const json& request = member(conversion_review, "request");
    const json& objects = member(request, "objects");
    if (text_of(conversion_review, "kind") != "ConversionReview" ||
        text_of(conversion_review, "apiVersion") != kReviewVersion || !objects.is_array()) {
        return make_error(
            Errc::Invalid, "no ConversionReview of apiextensions.k8s.io/v1 with request.objects"
        );
    }
    const std::string version = text_of(request, "desiredAPIVersion");
    json response = json::object();
    response["uid"] = text_of(request, "uid");
    response["result"]["status"] = "Success";
    json converted = json::array();
    for (const json& object : objects) {
        auto one = convert_peer(object, version);
        if (!one) {
            response["result"]["status"] = "Failure";
            response["result"]["message"] = one.error().context;
            converted = json::array();
            break;
        }
        converted.push_back(std::move(*one));
    }
    response["convertedObjects"] = std::move(converted);
    json answer = json::object();
    answer["apiVersion"] = kReviewVersion;
    answer["kind"] = "ConversionReview";
    answer["response"] = std::move(response);
    return answer;
}

}  // namespace steelyard::admission
