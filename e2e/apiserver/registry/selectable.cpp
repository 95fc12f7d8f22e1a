#include "e2e/apiserver/registry/selectable.hpp"

#include <algorithm>
#include <map>

namespace steelyard::apiserver {

namespace {

const std::vector<std::string>* own_labels(const std::string& resource) {
    static const std::map<std::string, std::vector<std::string>> kLabels{
        {"pods.",
         {"spec.nodeName",
          "spec.restartPolicy",
          "spec.schedulerName",
          "spec.serviceAccountName",
          "spec.hostNetwork",
          "status.phase",
          "status.podIP",
          "status.podIPs",
          "status.nominatedNodeName"}},
        {"nodes.", {"spec.unschedulable"}},
        {"services.", {"spec.clusterIP", "spec.type"}},
        {"namespaces.", {"status.phase"}},
        {"secrets.", {"type"}},
        {"events.",
         {"involvedObject.kind",
          "involvedObject.namespace",
          "involvedObject.name",
          "involvedObject.uid",
          "involvedObject.apiVersion",
          "involvedObject.resourceVersion",
          "involvedObject.fieldPath",
          "reason",
          "reportingComponent",
          "source",
          "type"}},
    };
    const auto found = kLabels.find(resource);
    return found == kLabels.end() ? nullptr : &found->second;
}

bool among(const std::vector<std::string>& labels, const std::string& label) {
    return std::find(labels.begin(), labels.end(), label) != labels.end();
}

}  // namespace

std::string field_label_problem(
    const Kind& kind, const std::string& version, const std::string& label
) {
    if (label == "metadata.name" || (label == "metadata.namespace" && kind.namespaced)) {
        return {};
    }
    const KindVersion* known = kind.version(version);
    if (kind.custom && known != nullptr && among(known->selectable, label)) {
        return {};
    }
    const std::vector<std::string>* own = kind.custom ? nullptr : own_labels(kind.resource());
    if (own != nullptr && among(*own, label)) {
        return {};
    }
    if (own != nullptr || kind.custom) {
        return "field label not supported: " + label;
    }
    return "\"" + label +
           "\" is not a known field selector: only \"metadata.name\", \"metadata.namespace\"";
}

}  // namespace steelyard::apiserver
