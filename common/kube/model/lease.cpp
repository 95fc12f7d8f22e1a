#include "common/kube/model/lease.hpp"

#include "common/kube/model/encode.hpp"
#include "common/kube/model/field.hpp"

#include <limits>

namespace steelyard::kube {
namespace {

nlohmann::json spec_of(const Lease& lease) {
    nlohmann::json spec;
    spec["holderIdentity"] = lease.holder;
    spec["leaseDurationSeconds"] = lease.duration.count();
    spec["leaseTransitions"] = lease.transitions;
    spec["acquireTime"] =
        lease.acquire ? nlohmann::json(format_rfc3339_micro(*lease.acquire)) : nlohmann::json();
    spec["renewTime"] =
        lease.renew ? nlohmann::json(format_rfc3339_micro(*lease.renew)) : nlohmann::json();
    return spec;
}

}  // namespace

Result<Lease> decode_lease(const nlohmann::json& object) {
    constexpr std::int64_t kMost = std::numeric_limits<std::int32_t>::max();
    Problem problem;
    const Field root(object, problem);
    Lease out;
    out.meta = decode_meta(root);
    const Field spec = root["spec"];
    out.holder = spec["holderIdentity"].text();
    out.duration = std::chrono::seconds(spec["leaseDurationSeconds"].integer(0, kMost).value_or(0));
    out.transitions = spec["leaseTransitions"].integer(0, kMost).value_or(0);
    out.acquire = spec["acquireTime"].time();
    out.renew = spec["renewTime"].time();
    if (problem.any()) {
        return decode_error("Lease", object, problem);
    }
    return out;
}

nlohmann::json encode_object(const Lease& lease) {
    nlohmann::json object;
    object["apiVersion"] = "coordination.k8s.io/v1";
    object["kind"] = "Lease";
    object["metadata"]["name"] = lease.meta.key.name;
    object["metadata"]["namespace"] = lease.meta.key.ns;
    object["spec"] = spec_of(lease);
    return object;
}

nlohmann::json lease_patch(const Lease& lease) {
    nlohmann::json patch;
    patch["metadata"]["resourceVersion"] = lease.meta.resource_version;
    patch["spec"] = spec_of(lease);
    return patch;
}

}  // namespace steelyard::kube
