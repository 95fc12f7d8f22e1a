#include "common/kube/model/status.hpp"

#include "common/kube/model/field.hpp"
#include "common/kube/model/resource.hpp"

#include <limits>

// Reading the status objects back: a speaker that starts finds those of the one before it.
namespace steelyard::kube {
namespace {

ObjectKey decode_service_key(const Field& status) {
    return {status["serviceNamespace"].text(), status["serviceName"].text()};
}

std::int64_t count(const Field& field) {
    return field.integer(0, std::numeric_limits<std::int64_t>::max()).value_or(0);
}

}  // namespace

std::optional<PodOwner> decode_pod_owner(const Field& object) {
    std::optional<PodOwner> result;
    for (const Field& owner : object["metadata"]["ownerReferences"].items()) {
        if (owner["kind"].text() == "Pod") {
            result = {owner["name"].text(), owner["uid"].text()};
        }
    }
    return result;
}

Result<ServiceL2Status> decode_service_l2_status(const nlohmann::json& object) {
    Problem problem;
    const Field root(object, problem);
    ServiceL2Status out;
    out.meta = decode_meta(root);
    out.owner = decode_pod_owner(root);
    const Field status = root["status"];
    out.node = status["node"].text();
    out.service = decode_service_key(status);
    for (const Field& interface : status["interfaces"].items()) {
        out.interfaces.push_back(interface["name"].text());
    }
    for (const Field& conflict : status["conflicts"].items()) {
        out.conflicts.push_back({conflict["ip"].text(), conflict["mac"].text()});
    }
    if (problem.any()) {
        return decode_error("ServiceL2Status", object, problem);
    }
    return out;
}

Result<ServiceBgpStatus> decode_service_bgp_status(const nlohmann::json& object) {
    Problem problem;
    const Field root(object, problem);
    ServiceBgpStatus out;
    out.meta = decode_meta(root);
    out.owner = decode_pod_owner(root);
    const Field status = root["status"];
    out.node = status["node"].text();
    out.service = decode_service_key(status);
    out.peers = status["peers"].texts();
    if (problem.any()) {
        return decode_error("ServiceBGPStatus", object, problem);
    }
    return out;
}

Result<BgpSessionState> decode_bgp_session_state(const nlohmann::json& object) {
    Problem problem;
    const Field root(object, problem);
    BgpSessionState out;
    out.meta = decode_meta(root);
    out.owner = decode_pod_owner(root);
    const Field status = root["status"];
    out.node = status["node"].text();
    out.peer = status["peer"].text();
    out.address = status["address"].text();
    out.bgp = status["bgp"].text();
    out.bfd = status["bfd"].text();
    out.reason = status["reason"].text();
    out.message = status["message"].text();
    out.since = status["since"].time();
    out.sent_ipv4 = count(status["sentIPv4"]);
    out.sent_ipv6 = count(status["sentIPv6"]);
    out.remote_asn = count(status["remoteASN"]);
    out.restarts = count(status["restarts"]);
    if (problem.any()) {
        return decode_error("BGPSessionState", object, problem);
    }
    return out;
}

}  // namespace steelyard::kube
