#include "e2e/apiserver/registry/printers.hpp"

#include "e2e/apiserver/registry/table.hpp"
#include "e2e/apiserver/registry/timestamp.hpp"

#include <map>

namespace steelyard::apiserver {

namespace {

using Cells = Json (*)(const Json& object, WallTime now);

struct Printer {
    std::vector<PrinterColumn> columns;
    Cells cells;
};

// "Name|Cluster-IP|+Selector": a plus marks a column of the wide output, a hash an integer.
std::vector<PrinterColumn> columns(const char* text) {
    std::vector<PrinterColumn> out;
    for (std::string name : split(text, '|')) {
        PrinterColumn column;
        if (name.front() == '+') {
            column.priority = 1;
            name.erase(0, 1);
        }
        if (name.front() == '#') {
            column.type = "integer";
            name.erase(0, 1);
        }
        column.name = std::move(name);
        out.push_back(std::move(column));
    }
    return out;
}

std::string or_none(std::string text, const char* none = "<none>") {
    return text.empty() ? none : text;
}

std::string name_of(const Json& object) {
    return text_at(object, "metadata.name");
}

std::string age(const Json& object, WallTime now) {
    const Json* created = find(object, "metadata.creationTimestamp");
    return created == nullptr ? "<unknown>" : age_of(*created, now);
}

std::string join_texts(const Json& array, const char* field = "") {
    std::string out;
    for (const Json& entry : array) {
        const std::string text = *field == '\0'
                                     ? (entry.is_string() ? entry.get<std::string>() : dump(entry))
                                     : text_at(entry, field);
        if (!text.empty()) {
            out += (out.empty() ? "" : ",") + text;
        }
    }
    return out;
}

std::string selector_text(const Json& labels) {
    std::string out;
    for (const auto& [key, value] : labels.items()) {
        out += out.empty() ? "" : ",";
        out += key + "=" + (value.is_string() ? value.get<std::string>() : dump(value));
    }
    return or_none(out);
}

std::string label_selector_text(const Json& selector) {
    std::string out = selector_text(object_at(selector, "matchLabels"));
    return out;
}

std::int64_t number(const Json& object, std::string_view path) {
    return integer_at(object, path).value_or(0);
}

std::string ratio(std::int64_t a, std::int64_t b) {
    return std::to_string(a) + "/" + std::to_string(b);
}

std::string external_ips(const Json& service) {
    std::string own = join_texts(array_at(service, "spec.externalIPs"));
    const std::string type = text_at(service, "spec.type");
    if (type == "ExternalName") {
        return or_none(text_at(service, "spec.externalName"));
    }
    if (type != "LoadBalancer") {
        return or_none(own);
    }
    std::string balanced;
    for (const Json& ingress : array_at(service, "status.loadBalancer.ingress")) {
        const std::string ip = text_at(ingress, "ip");
        balanced +=
            (balanced.empty() ? "" : ",") + (ip.empty() ? text_at(ingress, "hostname") : ip);
    }
    if (balanced.empty()) {
        return or_none(own, "<pending>");
    }
    return own.empty() ? balanced : balanced + "," + own;
}

Json service_cells(const Json& object, WallTime now) {
    std::string ports;
    for (const Json& port : array_at(object, "spec.ports")) {
        ports += ports.empty() ? "" : ",";
        ports += std::to_string(number(port, "port"));
        const std::int64_t node_port = number(port, "nodePort");
        ports += node_port > 0 ? ":" + std::to_string(node_port) : std::string{};
        ports += "/" + text_at(port, "protocol");
    }
    return Json::array(
        {name_of(object),
         text_at(object, "spec.type"),
         or_none(text_at(object, "spec.clusterIP")),
         external_ips(object),
         or_none(ports),
         age(object, now),
         selector_text(object_at(object, "spec.selector"))}
    );
}

std::string pod_status(const Json& pod) {
    if (find(pod, "metadata.deletionTimestamp") != nullptr) {
        return "Terminating";
    }
    for (const Json& container : array_at(pod, "status.containerStatuses")) {
        for (const char* path : {"state.waiting.reason", "state.terminated.reason"}) {
            const std::string reason = text_at(container, path);
            if (!reason.empty()) {
                return reason;
            }
        }
    }
    const std::string reason = text_at(pod, "status.reason");
    return reason.empty() ? or_none(text_at(pod, "status.phase"), "Unknown") : reason;
}

Json pod_cells(const Json& object, WallTime now) {
    std::int64_t ready = 0;
    std::int64_t restarts = 0;
    for (const Json& container : array_at(object, "status.containerStatuses")) {
        ready += true_at(container, "ready") ? 1 : 0;
        restarts += number(container, "restartCount");
    }
    const auto total = static_cast<std::int64_t>(array_at(object, "spec.containers").size());
    return Json::array(
        {name_of(object),
         ratio(ready, total),
         pod_status(object),
         std::to_string(restarts),
         age(object, now),
         or_none(text_at(object, "status.podIP")),
         or_none(text_at(object, "spec.nodeName")),
         or_none(text_at(object, "status.nominatedNodeName")),
         "<none>"}
    );
}

std::string node_address(const Json& node, std::string_view type) {
    for (const Json& address : array_at(node, "status.addresses")) {
        if (text_at(address, "type") == type) {
            return text_at(address, "address");
        }
    }
    return "<none>";
}

Json node_cells(const Json& object, WallTime now) {
    std::string status = "Unknown";
    for (const Json& condition : array_at(object, "status.conditions")) {
        if (text_at(condition, "type") == "Ready") {
            status = text_at(condition, "status") == "True" ? "Ready" : "NotReady";
        }
    }
    if (true_at(object, "spec.unschedulable")) {
        status += ",SchedulingDisabled";
    }
    std::string roles;
    const std::string prefix = "node-role.kubernetes.io/";
    for (const auto& [label, value] : object_at(object, "metadata.labels").items()) {
        if (label.starts_with(prefix)) {
            roles += (roles.empty() ? "" : ",") + label.substr(prefix.size());
        }
    }
    const auto unknown = [](std::string text) {
        return or_none(std::move(text), "<unknown>");
    };
    return Json::array(
        {name_of(object),
         status,
         or_none(roles),
         age(object, now),
         text_at(object, "status.nodeInfo.kubeletVersion"),
         node_address(object, "InternalIP"),
         node_address(object, "ExternalIP"),
         unknown(text_at(object, "status.nodeInfo.osImage")),
         unknown(text_at(object, "status.nodeInfo.kernelVersion")),
         unknown(text_at(object, "status.nodeInfo.containerRuntimeVersion"))}
    );
}

Json daemonset_cells(const Json& object, WallTime now) {
    const Json& containers = array_at(object, "spec.template.spec.containers");
    return Json::array(
        {name_of(object),
         number(object, "status.desiredNumberScheduled"),
         number(object, "status.currentNumberScheduled"),
         number(object, "status.numberReady"),
         number(object, "status.updatedNumberScheduled"),
         number(object, "status.numberAvailable"),
         selector_text(object_at(object, "spec.template.spec.nodeSelector")),
         age(object, now),
         join_texts(containers, "name"),
         join_texts(containers, "image"),
         label_selector_text(object_at(object, "spec.selector"))}
    );
}

Json deployment_cells(const Json& object, WallTime now) {
    const Json& containers = array_at(object, "spec.template.spec.containers");
    return Json::array(
        {name_of(object),
         ratio(number(object, "status.readyReplicas"), number(object, "spec.replicas")),
         number(object, "status.updatedReplicas"),
         number(object, "status.availableReplicas"),
         age(object, now),
         join_texts(containers, "name"),
         join_texts(containers, "image"),
         label_selector_text(object_at(object, "spec.selector"))}
    );
}

Json replicaset_cells(const Json& object, WallTime now) {
    const Json& containers = array_at(object, "spec.template.spec.containers");
    return Json::array(
        {name_of(object),
         number(object, "spec.replicas"),
         number(object, "status.replicas"),
         number(object, "status.readyReplicas"),
         age(object, now),
         join_texts(containers, "name"),
         join_texts(containers, "image"),
         label_selector_text(object_at(object, "spec.selector"))}
    );
}

// At most three of them, as Kubernetes shortens its lists.
std::string shortened(const std::vector<std::string>& texts) {
    std::string out;
    for (std::size_t i = 0; i < texts.size() && i < 3; ++i) {
        out += (out.empty() ? "" : ",") + texts[i];
    }
    if (texts.size() > 3) {
        out += " + " + std::to_string(texts.size() - 3) + " more...";
    }
    return out;
}

Json endpointslice_cells(const Json& object, WallTime now) {
    std::vector<std::string> ports;
    for (const Json& port : array_at(object, "ports")) {
        const auto value = integer_at(port, "port");
        ports.push_back(value ? std::to_string(*value) : "*");
    }
    std::vector<std::string> addresses;
    for (const Json& endpoint : array_at(object, "endpoints")) {
        for (const Json& address : array_at(endpoint, "addresses")) {
            addresses.push_back(address.is_string() ? address.get<std::string>() : dump(address));
        }
    }
    return Json::array(
        {name_of(object),
         text_at(object, "addressType"),
         or_none(shortened(ports), "<unset>"),
         or_none(shortened(addresses), "<unset>"),
         age(object, now)}
    );
}

Json endpoints_cells(const Json& object, WallTime now) {
    std::vector<std::string> all;
    for (const Json& subset : array_at(object, "subsets")) {
        for (const Json& address : array_at(subset, "addresses")) {
            for (const Json& port : array_at(subset, "ports")) {
                all.push_back(text_at(address, "ip") + ":" + std::to_string(number(port, "port")));
            }
        }
    }
    return Json::array({name_of(object), or_none(shortened(all)), age(object, now)});
}

std::string first_text(const Json& object, std::initializer_list<const char*> paths) {
    for (const char* path : paths) {
        std::string text = text_at(object, path);
        if (!text.empty()) {
            return text;
        }
    }
    return {};
}

Json event_cells(const Json& object, WallTime now) {
    const auto since = [&](std::initializer_list<const char*> paths) {
        return age_of(Json(first_text(object, paths)), now);
    };
    const std::string last = since(
        {"series.lastObservedTime", "lastTimestamp", "eventTime", "metadata.creationTimestamp"}
    );
    const std::string first = since({"firstTimestamp", "eventTime", "metadata.creationTimestamp"});
    std::string kind = text_at(object, "involvedObject.kind");
    for (char& c : kind) {
        c = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
    }
    std::string source = first_text(object, {"source.component", "reportingComponent"});
    const std::string host = text_at(object, "source.host");
    source += host.empty() ? std::string{} : ", " + host;
    return Json::array(
        {last,
         text_at(object, "type"),
         text_at(object, "reason"),
         kind + "/" + text_at(object, "involvedObject.name"),
         text_at(object, "involvedObject.fieldPath"),
         source,
         text_at(object, "message"),
         first,
         std::max<std::int64_t>(number(object, "count"), 1),
         name_of(object)}
    );
}

Json namespace_cells(const Json& object, WallTime now) {
    return Json::array({name_of(object), text_at(object, "status.phase"), age(object, now)});
}

Json configmap_cells(const Json& object, WallTime now) {
    const std::size_t count =
        object_at(object, "data").size() + object_at(object, "binaryData").size();
    return Json::array({name_of(object), count, age(object, now)});
}

Json secret_cells(const Json& object, WallTime now) {
    return Json::array(
        {name_of(object),
         text_at(object, "type"),
         object_at(object, "data").size(),
         age(object, now)}
    );
}

Json serviceaccount_cells(const Json& object, WallTime now) {
    return Json::array({name_of(object), array_at(object, "secrets").size(), age(object, now)});
}

Json lease_cells(const Json& object, WallTime now) {
    return Json::array({name_of(object), text_at(object, "spec.holderIdentity"), age(object, now)});
}

Json created_cells(const Json& object, WallTime) {
    return Json::array({name_of(object), text_at(object, "metadata.creationTimestamp")});
}

Json binding_cells(const Json& object, WallTime now) {
    std::string users;
    std::string groups;
    std::string accounts;
    for (const Json& subject : array_at(object, "subjects")) {
        const std::string kind = text_at(subject, "kind");
        const std::string name = text_at(subject, "name");
        if (kind == "ServiceAccount") {
            accounts += (accounts.empty() ? "" : ", ") + text_at(subject, "namespace") + "/" + name;
        } else {
            std::string& list = kind == "Group" ? groups : users;
            list += (list.empty() ? "" : ", ") + name;
        }
    }
    return Json::array(
        {name_of(object),
         text_at(object, "roleRef.kind") + "/" + text_at(object, "roleRef.name"),
         age(object, now),
         users,
         groups,
         accounts}
    );
}

Json webhook_cells(const Json& object, WallTime now) {
    return Json::array({name_of(object), array_at(object, "webhooks").size(), age(object, now)});
}

Json disruption_cells(const Json& object, WallTime now) {
    const auto value = [&](const char* path) {
        const Json* found = find(object, path);
        return found == nullptr ? std::string("N/A")
                                : (found->is_string() ? found->get<std::string>() : dump(*found));
    };
    return Json::array(
        {name_of(object),
         value("spec.minAvailable"),
         value("spec.maxUnavailable"),
         number(object, "status.disruptionsAllowed"),
         age(object, now)}
    );
}

Json network_policy_cells(const Json& object, WallTime now) {
    return Json::array(
        {name_of(object),
         label_selector_text(object_at(object, "spec.podSelector")),
         age(object, now)}
    );
}

Json service_cidr_cells(const Json& object, WallTime now) {
    std::string cidrs;
    for (const Json& cidr : array_at(object, "spec.cidrs")) {
        cidrs += (cidrs.empty() ? "" : ",") + (cidr.is_string() ? cidr.get<std::string>() : "");
    }
    return Json::array({name_of(object), cidrs, age(object, now)});
}

Json priority_class_cells(const Json& object, WallTime now) {
    return Json::array(
        {name_of(object),
         number(object, "value"),
         true_at(object, "globalDefault"),
         age(object, now)}
    );
}

Json plain_cells(const Json& object, WallTime now) {
    return Json::array({name_of(object), age(object, now)});
}

const std::map<std::string, Printer>& printers() {
    const char* const kRoleBinding = "Name|Role|Age|+Users|+Groups|+ServiceAccounts";
    const std::string apps = ".apps";
    const std::string rbac = ".rbac.authorization.k8s.io";
    const std::string hooks = ".admissionregistration.k8s.io";
    static const std::map<std::string, Printer> kPrinters{
        {"services.",
         {columns("Name|Type|Cluster-IP|External-IP|Port(s)|Age|+Selector"), service_cells}},
        {"pods.",
         {columns("Name|Ready|Status|Restarts|Age|+IP|+Node|+Nominated Node|+Readiness Gates"),
          pod_cells}},
        {"nodes.",
         {columns("Name|Status|Roles|Age|Version|+Internal-IP|+External-IP|+OS-Image|"
                  "+Kernel-Version|+Container-Runtime"),
          node_cells}},
        {"daemonsets" + apps,
         {columns("Name|#Desired|#Current|#Ready|#Up-to-date|#Available|Node Selector|Age|"
                  "+Containers|+Images|+Selector"),
          daemonset_cells}},
        {"deployments" + apps,
         {columns("Name|Ready|#Up-to-date|#Available|Age|+Containers|+Images|+Selector"),
          deployment_cells}},
        {"replicasets" + apps,
         {columns("Name|#Desired|#Current|#Ready|Age|+Containers|+Images|+Selector"),
          replicaset_cells}},
        {"endpointslices.discovery.k8s.io",
         {columns("Name|AddressType|Ports|Endpoints|Age"), endpointslice_cells}},
        {"endpoints.", {columns("Name|Endpoints|Age"), endpoints_cells}},
        {"events.",
         {columns("Last Seen|Type|Reason|Object|+Subobject|+Source|Message|+First Seen|+#Count|"
                  "+Name"),
          event_cells}},
        {"namespaces.", {columns("Name|Status|Age"), namespace_cells}},
        {"configmaps.", {columns("Name|#Data|Age"), configmap_cells}},
        {"secrets.", {columns("Name|Type|#Data|Age"), secret_cells}},
        {"serviceaccounts.", {columns("Name|#Secrets|Age"), serviceaccount_cells}},
        {"leases.coordination.k8s.io", {columns("Name|Holder|Age"), lease_cells}},
        {"customresourcedefinitions.apiextensions.k8s.io",
         {columns("Name|Created At"), created_cells}},
        {"roles" + rbac, {columns("Name|Created At"), created_cells}},
        {"clusterroles" + rbac, {columns("Name|Created At"), created_cells}},
        {"rolebindings" + rbac, {columns(kRoleBinding), binding_cells}},
        {"clusterrolebindings" + rbac, {columns(kRoleBinding), binding_cells}},
        {"validatingwebhookconfigurations" + hooks, {columns("Name|#Webhooks|Age"), webhook_cells}},
        {"mutatingwebhookconfigurations" + hooks, {columns("Name|#Webhooks|Age"), webhook_cells}},
        {"poddisruptionbudgets.policy",
         {columns("Name|Min Available|Max Unavailable|#Allowed Disruptions|Age"),
          disruption_cells}},
        {"networkpolicies.networking.k8s.io",
         {columns("Name|Pod-Selector|Age"), network_policy_cells}},
        {"servicecidrs.networking.k8s.io", {columns("Name|CIDRs|Age"), service_cidr_cells}},
        {"priorityclasses.scheduling.k8s.io",
         {columns("Name|#Value|Global-Default|Age"), priority_class_cells}},
    };
    return kPrinters;
}

const Printer& printer_for(const std::string& resource) {
    static const Printer kPlain{columns("Name|Age"), plain_cells};
    const auto found = printers().find(resource);
    return found == printers().end() ? kPlain : found->second;
}

}  // namespace

const std::vector<PrinterColumn>& builtin_columns(const std::string& resource) {
    return printer_for(resource).columns;
}

Json builtin_cells(const std::string& resource, const Json& object, WallTime now) {
    return printer_for(resource).cells(object, now);
}

std::string age_of(const Json& timestamp, WallTime now) {
    const auto time =
        timestamp.is_string() ? parse_time(timestamp.get_ref<const std::string&>()) : std::nullopt;
    if (!time) {
        return "<unknown>";
    }
    return human_duration(std::chrono::floor<std::chrono::seconds>(now - *time));
}

}  // namespace steelyard::apiserver
