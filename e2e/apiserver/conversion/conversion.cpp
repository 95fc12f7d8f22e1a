#include "e2e/apiserver/conversion/conversion.hpp"

#include "e2e/apiserver/callout/resolve.hpp"
#include "e2e/apiserver/schema/schema.hpp"

#include <functional>

namespace steelyard::apiserver {

namespace {

constexpr auto kTimeout = std::chrono::seconds(30);

std::string kind_text(const Json& object) {
    return text_at(object, "apiVersion") + ", Kind=" + text_at(object, "kind");
}

Failure failed(const Json& source, const std::string& why) {
    Failure failure;
    failure.code = 500;
    failure.message = "conversion webhook for " + kind_text(source) + " " + why;
    return failure;
}

// The first version of ConversionReview that the webhook and this server both know.
std::string review_version(const Json& webhook) {
    for (const Json& entry : array_at(webhook, "conversionReviewVersions")) {
        if (entry == "v1" || entry == "v1beta1") {
            return entry.get<std::string>();
        }
    }
    return {};
}

// Only labels and annotations of the metadata are the converter's to change.
Outcome<Json> accepted(const Json& source, const Json& converted, const std::string& wanted) {
    const std::string version = text_at(converted, "apiVersion");
    if (version != wanted) {
        return failed(
            source,
            "returned invalid converted object: invalid groupVersion (expected " + wanted +
                ", received " + version + ")"
        );
    }
    if (text_at(converted, "kind") != text_at(source, "kind")) {
        return failed(
            source,
            "returned invalid converted object: invalid kind (expected " + text_at(source, "kind") +
                ", received " + text_at(converted, "kind") + ")"
        );
    }
    for (const char* name : {"name", "namespace", "uid"}) {
        const std::string before = text_at(object_at(source, "metadata"), name);
        const std::string after = text_at(object_at(converted, "metadata"), name);
        if (before != after) {
            return failed(
                source,
                std::string("returned invalid metadata: must have same ") + name + ": " + before +
                    " != " + after
            );
        }
    }
    Json out = converted;
    Json metadata = object_at(source, "metadata");
    for (const char* name : {"labels", "annotations"}) {
        const Json* own = member(object_at(converted, "metadata"), name);
        if (own == nullptr) {
            metadata.erase(name);
        } else {
            metadata[name] = *own;
        }
    }
    out["metadata"] = std::move(metadata);
    return Outcome<Json>(boost::system::in_place_value, std::move(out));
}

Outcome<std::vector<Json>> read_review(
    const std::string& body, const Json& sources, const std::string& wanted, const std::string& uid
) {
    const Json review = parse_json(body);
    const Json& first = sources.front();
    if (!review.is_object()) {
        return failed(
            first, "failed: couldn't get version/kind; json parse error: the answer is no object"
        );
    }
    const Json* response = member(review, "response");
    if (response == nullptr || !response->is_object()) {
        return failed(first, "failed: no response provided");
    }
    if (text_at(*response, "uid") != uid) {
        return failed(
            first,
            "failed: expected response.uid=\"" + uid + "\", got \"" + text_at(*response, "uid") +
                "\""
        );
    }
    if (text_at(*response, "result.status") != "Success") {
        const std::string message = text_at(*response, "result.message");
        return failed(
            first,
            "failed: " + (message.empty()
                              ? "response.result.status was '" +
                                    text_at(*response, "result.status") + "', not 'Success'"
                              : message)
        );
    }
    const Json& objects = array_at(*response, "convertedObjects");
    if (objects.size() != sources.size()) {
        return failed(
            first,
            "returned " + std::to_string(objects.size()) + " objects, expected " +
                std::to_string(sources.size())
        );
    }
    std::vector<Json> out;
    for (std::size_t i = 0; i < objects.size(); ++i) {
        auto object = accepted(sources[i], objects[i], wanted);
        if (!object) {
            return object.error();
        }
        out.push_back(std::move(*object));
    }
    return Outcome<std::vector<Json>>(boost::system::in_place_value, std::move(out));
}

Outcome<std::vector<Json>> ask_webhook(
    const Kind& kind,
    const std::string& wanted,
    const Json& sources,
    const Store& store,
    Exchange& exchange
) {
    const Json& webhook = object_at(kind.conversion, "webhook");
    const std::string version = review_version(webhook);
    if (version.empty()) {
        return failed(
            sources.front(),
            "failed: webhook does not recognize any supported conversion review versions: " +
                dump(array_at(webhook, "conversionReviewVersions"))
        );
    }
    Json request{{"desiredAPIVersion", wanted}, {"objects", sources}};
    const std::string question = "convert " + dump(request);
    const std::string& uid = exchange.uid(question);
    request["uid"] = uid;
    HookCall call = resolve_hook(
        object_at(webhook, "clientConfig"), kTimeout, store, std::hash<std::string>()(uid)
    );
    call.body = dump(Json{
        {"kind", "ConversionReview"},
        {"apiVersion", "apiextensions.k8s.io/" + version},
        {"request", std::move(request)}});
    const HookAnswer* answer = exchange.ask(question, call);
    if (answer == nullptr) {
        return pending_failure();
    }
    const std::string why = hook_failure(call.url, *answer);
    if (!why.empty()) {
        return failed(sources.front(), "failed: " + why);
    }
    return read_review(answer->body, sources, wanted, uid);
}

Json in_version(const Kind& kind, const std::string& version, const Json& object) {
    Json out = object;
    out["apiVersion"] = kind.api_version(version);
    out["kind"] = kind.name;
    return out;
}

// Fields that the other version does not know do not survive the change to it.
void prune_to(const Kind& kind, const std::string& version, const Json& before, Json& after) {
    const KindVersion* known = kind.version(version);
    if (kind.custom && known != nullptr &&
        text_at(before, "apiVersion") != text_at(after, "apiVersion")) {
        std::vector<std::string> unknown;
        prune(known->schema, after, unknown);
    }
}

bool needs_webhook(const Kind& kind, const std::string& wanted, const Json& object) {
    const std::string now = text_at(object, "apiVersion");
    return !now.empty() && now != wanted && text_at(kind.conversion, "strategy") == "Webhook";
}

}  // namespace

Outcome<std::vector<Json>> convert(
    const Kind& kind,
    const std::string& version,
    const std::vector<Object>& objects,
    const Store& store,
    Exchange& exchange
) {
    std::vector<Json> out;
    out.reserve(objects.size());
    const std::string wanted = kind.api_version(version);
    Json sources = Json::array();
    std::vector<std::size_t> places;
    for (const Object& object : objects) {
        if (needs_webhook(kind, wanted, *object)) {
            sources.push_back(*object);
            places.push_back(out.size());
            out.emplace_back();
        } else {
            out.push_back(in_version(kind, version, *object));
        }
    }
    if (!sources.empty()) {
        auto converted = ask_webhook(kind, wanted, sources, store, exchange);
        if (!converted) {
            return converted.error();
        }
        for (std::size_t i = 0; i < places.size(); ++i) {
            out[places[i]] = std::move((*converted)[i]);
        }
    }
    for (std::size_t i = 0; i < out.size(); ++i) {
        prune_to(kind, version, *objects[i], out[i]);
    }
    return Outcome<std::vector<Json>>(boost::system::in_place_value, std::move(out));
}

Outcome<Json> convert_one(
    const Kind& kind,
    const std::string& version,
    const Json& object,
    const Store& store,
    Exchange& exchange
) {
    const std::string wanted = kind.api_version(version);
    Json out;
    if (needs_webhook(kind, wanted, object)) {
        auto converted = ask_webhook(kind, wanted, Json::array({object}), store, exchange);
        if (!converted) {
            return converted.error();
        }
        out = std::move(converted->front());
    } else {
        out = in_version(kind, version, object);
    }
    prune_to(kind, version, object, out);
    return Outcome<Json>(boost::system::in_place_value, std::move(out));
}

}  // namespace steelyard::apiserver
