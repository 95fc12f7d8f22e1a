#include "e2e/apiserver/api/call.hpp"
#include "e2e/apiserver/conversion/conversion.hpp"
#include "e2e/apiserver/registry/timestamp.hpp"

#include <algorithm>

// How objects end: finalizers, owners and their dependents, namespaces with all they hold, custom
// kinds with all their objects.
namespace steelyard::apiserver {

namespace {

Json success(const Subject& subject, const std::string& uid) {
    return Json{
        {"kind", "Status"},
        {"apiVersion", "v1"},
        {"metadata", Json::object()},
        {"status", "Success"},
        {"details",
         {{"name", subject.name},
          {"group", subject.group},
          {"kind", subject.resource},
          {"uid", uid}}}};
}

Json condition(const char* type, const char* reason, const char* message, WallTime now) {
    return Json{
        {"type", type},
        {"status", "True"},
        {"reason", reason},
        {"message", message},
        {"lastTransitionTime", format_time(now)}};
}

bool owned_by(const Json& object, const std::string& uid) {
    const Json& owners = array_at(object, "metadata.ownerReferences");
    return std::any_of(owners.begin(), owners.end(), [&](const Json& owner) {
        return text_at(owner, "uid") == uid;
    });
}

}  // namespace

Outcome<ApiReply> Api::remove(Call& call) {
    const Object live = store_.get(call.kind->resource(), call.key());
    if (live == nullptr) {
        return not_found(call.subject());
    }
    Json options = Json::object();
    if (!call.request.body.empty()) {
        options = parse_json(call.request.body);
        if (!options.is_object()) {
            return bad_request("DeleteOptions: the body is not a JSON object");
        }
    }
    auto agreed = check_removal(call, *live, options);
    if (!agreed) {
        return agreed.error();
    }
    return remove_object(call, live, options);
}

// Preconditions and admission; whatever a webhook has to say comes before the first effect.
Outcome<> Api::check_removal(Call& call, const Json& live, const Json& options) const {
    for (const auto& [field, name] :
         {std::pair("preconditions.uid", "uid"),
          std::pair("preconditions.resourceVersion", "resourceVersion")}) {
        const std::string wanted = text_at(options, field);
        if (!wanted.empty() && wanted != text_at(object_at(live, "metadata"), name)) {
            return conflict(
                call.subject(),
                std::string("the ") + name + " in the precondition (" + wanted +
                    ") does not match the " + name + " in record"
            );
        }
    }
    const auto seen = shown(call, live);
    if (!seen) {
        return seen.error();
    }
    return ask_admission(call, "DELETE", Json(), *seen);
}

ApiReply Api::remove_object(Call& call, const Object& live, const Json& options) {
    const std::string uid = text_at(*live, "metadata.uid");
    std::string policy = text_at(options, "propagationPolicy");
    if (policy.empty()) {
        policy = query_text(call.request.query, "propagationPolicy");
    }
    const bool orphan = policy == "Orphan" || true_at(options, "orphanDependents");
    ApiReply done = ApiReply();
    done.body = dump(success(call.subject(), uid));
    if (call.dry_run() || !array_at(options, "dryRun").empty()) {
        return done;
    }
    const std::string resource = call.kind->resource();
    const bool is_namespace = resource == "namespaces.";
    if (!is_namespace && array_at(*live, "metadata.finalizers").empty()) {
        erase_now(*call.kind, *live, orphan, call.now);
        return done;
    }
    if (find(*live, "metadata.deletionTimestamp") == nullptr) {
        Json ending = *live;
        Json& metadata = ending["metadata"];
        metadata["deletionTimestamp"] = format_time(call.now);
        metadata["deletionGracePeriodSeconds"] = 0;
        metadata["generation"] = integer_at(metadata, "generation").value_or(0) + 1;
        if (is_namespace) {
            ending["status"]["phase"] = "Terminating";
        }
        store_.put(resource, std::move(ending));
    }
    if (is_namespace) {
        const std::string name = text_at(*live, "metadata.name");
        empty_namespace(name, call.now);
        finish_namespace(name, call.now);
    }
    const Object still = store_.get(resource, call.key());
    if (still == nullptr) {
        return done;
    }
    // The conversion has been asked for before.
    auto seen = shown(call, *live);
    return seen ? reply_stored(call, 200, std::move(*seen), *still) : done;
}

Outcome<ApiReply> Api::remove_collection(Call& call) {
    auto selector = selector_of(call);
    if (!selector) {
        return selector.error();
    }
    Json options = call.request.body.empty() ? Json::object() : parse_json(call.request.body);
    options = options.is_object() ? options : Json::object();
    std::vector<Object> chosen;
    for (const Object& object : store_.list(call.kind->resource(), call.route.ns)) {
        if (selector->matches(*object)) {
            chosen.push_back(object);
        }
    }
    auto shown_items = convert(*call.kind, call.route.version, chosen, store_, call.exchange);
    if (!shown_items) {
        return shown_items.error();
    }
    for (const Object& object : chosen) {
        call.route.name = text_at(*object, "metadata.name");
        auto agreed = check_removal(call, *object, options);
        if (!agreed && !call.exchange.pending()) {
            return agreed.error();
        }
    }
    if (call.exchange.pending()) {
        return pending_failure();
    }
    for (const Object& object : chosen) {
        call.route.name = text_at(*object, "metadata.name");
        remove_object(call, object, options);
    }
    Json items = std::move(*shown_items);
    ApiReply out;
    out.body = dump(Json{
        {"kind", call.kind->name + "List"},
        {"apiVersion", call.kind->api_version(call.route.version)},
        {"metadata", {{"resourceVersion", std::to_string(store_.version())}}},
        {"items", std::move(items)}});
    return out;
}

void Api::erase_now(const Kind& kind, const Json& object, bool orphan, WallTime now) {
    // Copies: erasing may end the kind and the object these refer to.
    const std::string resource = kind.resource();
    const Json gone = object;
    if (resource == "customresourcedefinitions.apiextensions.k8s.io") {
        const std::string custom =
            text_at(gone, "spec.names.plural") + "." + text_at(gone, "spec.group");
        for (const Object& instance : store_.list(custom, "")) {
            store_.erase(custom, object_key(*instance));
        }
        registry_.remove_custom(gone);
    }
    store_.erase(resource, object_key(gone));
    if (resource == "services.") {
        // The Endpoints of a Service go with it, as the endpoints controller does it.
        store_.erase("endpoints.", object_key(gone));
    }
    erase_dependents(text_at(gone, "metadata.uid"), orphan, now);
    const std::string ns = text_at(gone, "metadata.namespace");
    if (!ns.empty()) {
        finish_namespace(ns, now);
    }
}

void Api::erase_dependents(const std::string& uid, bool orphan, WallTime now) {
    for (const std::string& resource : store_.resources()) {
        const Kind* kind = registry_.find(resource);
        if (kind == nullptr) {
            continue;
        }
        for (const Object& object : store_.list(resource, "")) {
            if (!owned_by(*object, uid)) {
                continue;
            }
            Json rest = Json::array();
            for (const Json& owner : array_at(*object, "metadata.ownerReferences")) {
                if (text_at(owner, "uid") != uid) {
                    rest.push_back(owner);
                }
            }
            if (!orphan && rest.empty() && array_at(*object, "metadata.finalizers").empty()) {
                erase_now(*kind, *object, false, now);
                continue;
            }
            Json changed = *object;
            if (orphan || !rest.empty()) {
                changed["metadata"]["ownerReferences"] = std::move(rest);
            } else {
                changed["metadata"]["deletionTimestamp"] = format_time(now);
            }
            store_.put(resource, std::move(changed));
        }
    }
}

void Api::empty_namespace(const std::string& ns, WallTime now) {
    for (const std::string& resource : store_.resources()) {
        for (const Object& object : store_.list(resource, ns)) {
            if (text_at(*object, "metadata.namespace") != ns) {
                continue;
            }
            if (array_at(*object, "metadata.finalizers").empty()) {
                store_.erase(resource, object_key(*object));
            } else if (find(*object, "metadata.deletionTimestamp") == nullptr) {
                Json ending = *object;
                ending["metadata"]["deletionTimestamp"] = format_time(now);
                ending["metadata"]["deletionGracePeriodSeconds"] = 0;
                store_.put(resource, std::move(ending));
            }
        }
    }
}

// A namespace that is ending goes once nothing is left in it.
void Api::finish_namespace(const std::string& ns, WallTime) {
    const Object object = store_.get("namespaces.", object_key("", ns));
    if (object == nullptr || find(*object, "metadata.deletionTimestamp") == nullptr) {
        return;
    }
    for (const std::string& resource : store_.resources()) {
        if (!store_.list(resource, ns).empty()) {
            return;
        }
    }
    store_.erase("namespaces.", object_key("", ns));
}

// A stored CustomResourceDefinition takes effect at once.
void Api::settle_crd(const Json& crd, WallTime now) {
    registry_.add_custom(crd);
    Json settled = crd;
    Json stored = array_at(crd, "status.storedVersions");
    for (const Json& version : array_at(crd, "spec.versions")) {
        const std::string name = text_at(version, "name");
        if (true_at(version, "storage") &&
            std::find(stored.begin(), stored.end(), name) == stored.end()) {
            stored.push_back(name);
        }
    }
    Json status{
        {"acceptedNames", object_at(crd, "spec.names")},
        {"storedVersions", std::move(stored)},
        {"conditions", array_at(crd, "status.conditions")}};
    if (status["conditions"].empty()) {
        status["conditions"] = Json::array(
            {condition("NamesAccepted", "NoConflicts", "no conflicts found", now),
             condition(
                 "Established", "InitialNamesAccepted", "the initial names have been accepted", now
             )}
        );
    }
    if (object_at(crd, "status") != status) {
        settled["status"] = std::move(status);
        store_.put("customresourcedefinitions.apiextensions.k8s.io", std::move(settled));
    }
}

}  // namespace steelyard::apiserver
