#include "common/kube/client/api.hpp"

namespace steelyard::kube {
namespace {

// Names come from the server or are checked by it, but a name with a slash or a question mark must
// not reach another endpoint.
std::string segment(std::string_view text) {
    std::string encoded = encode_query({{std::string(text), ""}});
    encoded.pop_back();  // the '='
    return encoded;
}

std::string prefix_of(const ResourceType& type, const std::string& ns) {
    std::string path = type.group.empty() ? "/api/" : "/apis/" + std::string(type.group) + "/";
    path += type.version;
    if (type.namespaced && !ns.empty()) {
        path += "/namespaces/" + segment(ns);
    }
    return path + "/" + std::string(type.plural);
}

}  // namespace

std::string path_of(const ObjectRef& ref) {
    std::string path = prefix_of(ref.type(), ref.key().ns) + "/" + segment(ref.key().name);
    if (!ref.subresource().empty()) {
        path += "/" + ref.subresource();
    }
    return path;
}

std::string path_of(const Collection& collection) {
    return prefix_of(collection.type(), collection.ns());
}

awaitable<Result<>> KubeApi::create_only(ResourceType type, nlohmann::json object) {
    const auto answer = co_await create(type, std::move(object));
    if (!answer) {
        co_return answer.error();
    }
    co_return Result<>{};
}

awaitable<Result<>> KubeApi::patch_only(ObjectRef ref, PatchType type, nlohmann::json patch) {
    const auto answer = co_await this->patch(std::move(ref), type, std::move(patch));
    if (!answer) {
        co_return answer.error();
    }
    co_return Result<>{};
}

}  // namespace steelyard::kube
