#include "e2e/apiserver/api/admit.hpp"

namespace steelyard::apiserver {

namespace {

void set_default(Json& object, const char* field, Json value) {
    if (!object.contains(field)) {
        object[field] = std::move(value);
    }
}

FieldError required(std::string path, const std::string& detail = {}) {
    return {
        std::move(path),
        "FieldValueRequired",
        detail.empty() ? "Required value" : "Required value: " + detail};
}

void default_container(Json& container) {
    if (!container.is_object()) {
        return;
    }
    set_default(container, "imagePullPolicy", "IfNotPresent");
    set_default(container, "resources", Json::object());
    set_default(container, "terminationMessagePath", "/dev/termination-log");
    set_default(container, "terminationMessagePolicy", "File");
    if (Json* ports = find(container, "ports"); ports != nullptr && ports->is_array()) {
        for (Json& port : *ports) {
            if (port.is_object()) {
                set_default(port, "protocol", "TCP");
            }
        }
    }
}

void default_pod_spec(Json& spec) {
    if (!spec.is_object()) {
        return;
    }
    set_default(spec, "restartPolicy", "Always");
    set_default(spec, "terminationGracePeriodSeconds", 30);
    set_default(spec, "dnsPolicy", "ClusterFirst");
    set_default(spec, "schedulerName", "default-scheduler");
    set_default(spec, "securityContext", Json::object());
    for (const char* list : {"containers", "initContainers"}) {
        if (Json* containers = find(spec, list); containers != nullptr && containers->is_array()) {
            for (Json& container : *containers) {
                default_container(container);
            }
        }
    }
}

void require_pod_containers(const Json& pod_spec, const std::string& path, FieldErrors& errors) {
    const Json& containers = array_at(pod_spec, "containers");
    if (containers.empty()) {
        errors.push_back(required(path + ".containers"));
    }
    for (std::size_t i = 0; i < containers.size(); ++i) {
        const std::string at = path + ".containers[" + std::to_string(i) + "]";
        if (text_at(containers[i], "name").empty()) {
            errors.push_back(required(at + ".name"));
        }
        if (text_at(containers[i], "image").empty()) {
            errors.push_back(required(at + ".image"));
        }
    }
}

FieldErrors admit_workload(const Kind& kind, Json& object) {
    FieldErrors errors;
    Json& spec = object["spec"];
    if (!spec.is_object()) {
        spec = Json::object();
    }
    if (Json* pod_spec = find(spec, "template.spec"); pod_spec != nullptr) {
        default_pod_spec(*pod_spec);
    }
    require_pod_containers(object_at(spec, "template.spec"), "spec.template.spec", errors);
    if (find(spec, "selector") == nullptr) {
        errors.push_back(required("spec.selector"));
    }
    for (const auto& [label, value] : object_at(spec, "selector.matchLabels").items()) {
        const Json* own = member(object_at(spec, "template.metadata.labels"), label);
        if (own == nullptr || *own != value) {
            errors.push_back(
                {"spec.template.metadata.labels",
                 "FieldValueInvalid",
                 "Invalid value: " + dump(object_at(spec, "template.metadata.labels")) +
                     ": `selector` does not match template `labels`"}
            );
            break;
        }
    }
    set_default(spec, "revisionHistoryLimit", 10);
    if (kind.name == "DaemonSet") {
        set_default(
            spec,
            "updateStrategy",
            Json{
                {"type", "RollingUpdate"},
                {"rollingUpdate", {{"maxUnavailable", 1}, {"maxSurge", 0}}}}
        );
    } else if (kind.name == "Deployment") {
        set_default(spec, "replicas", 1);
        set_default(spec, "progressDeadlineSeconds", 600);
        set_default(
            spec,
            "strategy",
            Json{
                {"type", "RollingUpdate"},
                {"rollingUpdate", {{"maxUnavailable", "25%"}, {"maxSurge", "25%"}}}}
        );
    } else {
        set_default(spec, "replicas", 1);
        spec.erase("revisionHistoryLimit");
    }
    return errors;
}

FieldErrors admit_pod(Json& pod, const Json* live) {
    FieldErrors errors;
    if (Json* spec = find(pod, "spec"); spec != nullptr) {
        default_pod_spec(*spec);
        set_default(*spec, "enableServiceLinks", true);
        set_default(*spec, "serviceAccountName", "default");
    }
    require_pod_containers(object_at(pod, "spec"), "spec", errors);
    if (live == nullptr) {
        pod["status"] = Json{{"phase", "Pending"}, {"qosClass", "BestEffort"}};
    }
    return errors;
}

FieldErrors admit_endpointslice(Json& slice) {
    FieldErrors errors;
    const std::string type = text_at(slice, "addressType");
    if (type.empty()) {
        errors.push_back(required("addressType"));
    } else if (type != "IPv4" && type != "IPv6" && type != "FQDN") {
        errors.push_back(
            {"addressType",
             "FieldValueNotSupported",
             "Unsupported value: \"" + type + "\": supported values: \"FQDN\", \"IPv4\", \"IPv6\""}
        );
    }
    if (!slice.contains("endpoints")) {
        slice["endpoints"] = nullptr;
    }
    const Json& endpoints = array_at(slice, "endpoints");
    for (std::size_t i = 0; i < endpoints.size(); ++i) {
        if (array_at(endpoints[i], "addresses").empty()) {
            errors.push_back(required(
                "endpoints[" + std::to_string(i) + "].addresses", "must contain at least 1 address"
            ));
        }
    }
    if (Json* ports = find(slice, "ports"); ports != nullptr && ports->is_array()) {
        for (Json& port : *ports) {
            if (port.is_object()) {
                set_default(port, "name", "");
                set_default(port, "protocol", "TCP");
            }
        }
    }
    return errors;
}

// stringData is write-only: its values end up, encoded, in data.
std::string base64(std::string_view bytes) {
    static constexpr char kDigits[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    std::string out;
    for (std::size_t i = 0; i < bytes.size(); i += 3) {
        const auto byte = [&](std::size_t offset) {
            return i + offset < bytes.size()
                       ? static_cast<unsigned>(static_cast<unsigned char>(bytes[i + offset]))
                       : 0U;
        };
        const unsigned bits = byte(0) << 16U | byte(1) << 8U | byte(2);
        out.push_back(kDigits[bits >> 18U]);
        out.push_back(kDigits[bits >> 12U & 63U]);
        out.push_back(i + 1 < bytes.size() ? kDigits[bits >> 6U & 63U] : '=');
        out.push_back(i + 2 < bytes.size() ? kDigits[bits & 63U] : '=');
    }
    return out;
}

void admit_secret(Json& secret) {
    set_default(secret, "type", "Opaque");
    const Json texts = object_at(secret, "stringData");
    for (const auto& [name, value] : texts.items()) {
        if (value.is_string()) {
            secret["data"][name] = base64(value.get_ref<const std::string&>());
        }
    }
    secret.erase("stringData");
}

void admit_namespace(Json& ns, const Json* live) {
    ns["metadata"]["labels"]["kubernetes.io/metadata.name"] = text_at(ns, "metadata.name");
    if (live == nullptr) {
        ns["status"] = Json{{"phase", "Active"}};
        ns["spec"] = Json{{"finalizers", {"kubernetes"}}};
    }
}

}  // namespace

FieldErrors admit_builtin(const Kind& kind, Json& object, const Json* live, const Store& store) {
    if (kind.name == "Service") {
        return admit_service(object, live, store);
    }
    if (kind.group == "apps" && kind.name != "ControllerRevision") {
        return admit_workload(kind, object);
    }
    if (kind.name == "Pod") {
        return admit_pod(object, live);
    }
    if (kind.name == "EndpointSlice") {
        return admit_endpointslice(object);
    }
    if (kind.name == "Lease") {
        return admit_lease(object);
    }
    if (kind.name == "Secret") {
        admit_secret(object);
    } else if (kind.name == "Namespace") {
        admit_namespace(object, live);
    } else if (kind.name == "CustomResourceDefinition") {
        return admit_definition(object);
    } else if (kind.group == "admissionregistration.k8s.io") {
        return admit_webhook_configuration(object);
    }
    return {};
}

}  // namespace steelyard::apiserver
