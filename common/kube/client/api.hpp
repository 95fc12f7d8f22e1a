#pragma once

#include "common/base/error.hpp"
#include "common/base/time.hpp"
#include "common/kube/model/meta.hpp"
#include "common/kube/model/resource.hpp"
#include "common/kube/watch/query.hpp"
#include "common/rt/asio.hpp"

#include <nlohmann/json.hpp>

#include <memory>
#include <string>
#include <utility>

// The Kubernetes API as the daemons use it, an interface so that tests put a stateful fake behind
// the same calls (HttpKubeApi in http_api.hpp is the real one). Objects are JSON as the server
// speaks it; decode with Resource<T>::decode. A failed call is an Error whose code says what to do
// (Conflict: re-read and retry, NotFound, Expired, Unauthorized, TooManyRequests, Unavailable,
// Timeout, Invalid) and whose text carries the server's message. Every call has a deadline, and a
// cancelled task leaves by system_error(operation_aborted). Calls may overlap freely.
//
// Parameters are taken by value. Build them in their own statement, not inside the co_await one:
//     const ObjectRef ref(Resource<Service>::kType, service.meta.key, "status");
//     auto patched = co_await api.patch(ref, PatchType::Merge, patch);
namespace steelyard::kube {

// One object, or one of its subresources ("status", "" for the object itself).
class ObjectRef {
public:
    ObjectRef(const ResourceType& type, ObjectKey key, std::string subresource = "")
        : type_(type), key_(std::move(key)), subresource_(std::move(subresource)) {}

    [[nodiscard]] const ResourceType& type() const { return type_; }
    [[nodiscard]] const ObjectKey& key() const { return key_; }
    [[nodiscard]] const std::string& subresource() const { return subresource_; }

private:
    ResourceType type_;
    ObjectKey key_;
    std::string subresource_;
};

// All objects of a kind, in one namespace ("" for every namespace), narrowed by selectors written
// as kubectl takes them ("a=b,c!=d"; "spec.nodeName=n1").
class Collection {
public:
    explicit Collection(
        const ResourceType& type,
        std::string ns = "",
        std::string label_selector = "",
        std::string field_selector = ""
    )
        : type_(type),
          ns_(std::move(ns)),
          label_selector_(std::move(label_selector)),
          field_selector_(std::move(field_selector)) {}

    [[nodiscard]] const ResourceType& type() const { return type_; }
    [[nodiscard]] const std::string& ns() const { return ns_; }
    [[nodiscard]] const std::string& label_selector() const { return label_selector_; }
    [[nodiscard]] const std::string& field_selector() const { return field_selector_; }

private:
    ResourceType type_;
    std::string ns_;
    std::string label_selector_;
    std::string field_selector_;
};

enum class PatchType { Merge, Json, Apply };  // RFC 7386, RFC 6902, server-side apply

// "/api/v1/namespaces/ns/services/name/status" and the like; selectors are not part of it.
[[nodiscard]] std::string path_of(const ObjectRef& ref);
[[nodiscard]] std::string path_of(const Collection& collection);
// An open response body, read piece by piece. Destroying it closes the connection.
class BodyStream {
public:
    BodyStream() = default;
    BodyStream(const BodyStream&) = delete;
    BodyStream& operator=(const BodyStream&) = delete;
    virtual ~BodyStream() = default;
    // The next bytes; "" is the clean end. An error (reset, truncated body, or silence for
    // `patience`) is final.
    virtual awaitable<Result<std::string>> next(Duration patience) = 0;
};

// The head of a streaming answer: any HTTP status is a success here, because the list-watch core
// decides what each one means.
struct StreamResponse {
    unsigned status = 0;
    std::string retry_after;  // header as sent, "" when absent
    std::string content_type;
    std::unique_ptr<BodyStream> body;
};

class KubeApi {
public:
    KubeApi() = default;
    KubeApi(const KubeApi&) = delete;
    KubeApi& operator=(const KubeApi&) = delete;
    virtual ~KubeApi() = default;

    virtual awaitable<Result<nlohmann::json>> get(ObjectRef ref) = 0;
    // A consistent list ("resourceVersion" unset); the answer is the List object.
    virtual awaitable<Result<nlohmann::json>> list(Collection collection) = 0;
    // The namespace is the object's metadata.namespace.
    virtual awaitable<Result<nlohmann::json>> create(ResourceType type, nlohmann::json object) = 0;
    // PUT; a metadata.resourceVersion in `object` makes it conditional.
    virtual awaitable<Result<nlohmann::json>> update(ObjectRef ref, nlohmann::json object) = 0;
    virtual awaitable<Result<nlohmann::json>> patch(
        ObjectRef ref, PatchType type, nlohmann::json patch
    ) = 0;
    // `preconditions` may hold "uid" and "resourceVersion"; null for none.
    virtual awaitable<Result<nlohmann::json>> remove(
        ObjectRef ref, nlohmann::json preconditions
    ) = 0;
    // As create() and patch(), for whoever has enough of the server having done it: the answer, the
    // whole object, is not even parsed.
    virtual awaitable<Result<>> create_only(ResourceType type, nlohmann::json object);
    virtual awaitable<Result<>> patch_only(ObjectRef ref, PatchType type, nlohmann::json patch);
    // GET of a path with its query, answered as a stream: lists and watches of informers.
    virtual awaitable<Result<StreamResponse>> stream(std::string target) = 0;
};

}  // namespace steelyard::kube
