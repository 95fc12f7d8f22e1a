#include "e2e/apiserver/api/call.hpp"

// The scale subresource of Deployments and ReplicaSets (autoscaling/v1 Scale): their replicas seen
// through a smaller window (`kubectl scale`).
namespace steelyard::apiserver {

namespace {

Json scale_of(const Json& object) {
    Json metadata = Json::object();
    for (const char* name : {"name", "namespace", "uid", "resourceVersion", "creationTimestamp"}) {
        metadata[name] = text_at(object_at(object, "metadata"), name);
    }
    return Json{
        {"kind", "Scale"},
        {"apiVersion", "autoscaling/v1"},
        {"metadata", std::move(metadata)},
        {"spec", {{"replicas", integer_at(object, "spec.replicas").value_or(0)}}},
        {"status", {{"replicas", integer_at(object, "status.replicas").value_or(0)}}}};
}

}  // namespace

Outcome<ApiReply> Api::scale(Call& call) {
    const Object live = store_.get(call.kind->resource(), call.key());
    if (live == nullptr) {
        return not_found(call.subject());
    }
    ApiReply out;
    if (call.verb == "get") {
        out.body = dump(scale_of(*live));
        return out;
    }
    const Json body = parse_json(call.request.body);
    const auto replicas = integer_at(body, "spec.replicas");
    if (!replicas || *replicas < 0) {
        return bad_request("Scale: spec.replicas: want a number of 0 or more");
    }
    const std::string version = text_at(body, "metadata.resourceVersion");
    Json changed = *live;
    changed["spec"]["replicas"] = *replicas;
    if (!version.empty()) {
        changed["metadata"]["resourceVersion"] = version;
    }
    call.route.subresource.clear();
    auto stored = store_changed(call, *live, std::move(changed));
    if (!stored) {
        return stored.error();
    }
    const Object now = store_.get(call.kind->resource(), call.key());
    out.body = dump(scale_of(now == nullptr ? *live : *now));
    return out;
}

}  // namespace steelyard::apiserver
