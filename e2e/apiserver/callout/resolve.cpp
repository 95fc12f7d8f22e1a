#include "e2e/apiserver/callout/resolve.hpp"

#include "common/base/base64.hpp"

#include <charconv>

namespace steelyard::apiserver {

namespace {

struct Endpoint {
    std::string address;
    std::uint16_t port = 0;
};

std::uint16_t port_number(std::int64_t value) {
    return value > 0 && value < 65536 ? static_cast<std::uint16_t>(value) : std::uint16_t{0};
}

const Json* service_port(const Json& service, std::int64_t number) {
    for (const Json& port : array_at(service, "spec.ports")) {
        if (integer_at(port, "port") == number) {
            return &port;
        }
    }
    return nullptr;
}

// The number behind the Service's port in one slice, 0 when the slice does not have it.
std::uint16_t slice_port(const Json& slice, const std::string& name) {
    for (const Json& port : array_at(slice, "ports")) {
        if (text_at(port, "name") == name) {
            return port_number(integer_at(port, "port").value_or(0));
        }
    }
    return 0;
}

std::vector<Endpoint> ready_endpoints(
    const Store& store, const std::string& ns, const std::string& name, const std::string& port
) {
    std::vector<Endpoint> out;
    for (const Object& slice : store.list("endpointslices.discovery.k8s.io", ns)) {
        const Json* owner =
            member(object_at(*slice, "metadata.labels"), "kubernetes.io/service-name");
        const std::uint16_t number = slice_port(*slice, port);
        if (owner == nullptr || *owner != name || number == 0) {
            continue;
        }
        for (const Json& endpoint : array_at(*slice, "endpoints")) {
            const Json* ready = find(endpoint, "conditions.ready");
            const Json& addresses = array_at(endpoint, "addresses");
            // An absent condition counts as ready.
            if ((ready == nullptr || *ready != false) && !addresses.empty() &&
                addresses.front().is_string()) {
                out.push_back({addresses.front().get<std::string>(), number});
            }
        }
    }
    return out;
}

void resolve_service(
    const Json& reference, const Store& store, std::size_t choice, HookCall& call
) {
    const std::string ns = text_at(reference, "namespace");
    const std::string name = text_at(reference, "name");
    const std::int64_t port = integer_at(reference, "port").value_or(443);
    std::string path = text_at(reference, "path");
    path = path.starts_with('/') ? path : "/" + path;
    call.tls_name = name + "." + ns + ".svc";
    call.target = path + "?timeout=" + std::to_string(call.timeout.count()) + "s";
    call.url = "https://" + call.tls_name + ":" + std::to_string(port) + call.target;
    const Object service = store.get("services.", object_key(ns, name));
    if (service == nullptr) {
        call.problem = "service \"" + name + "\" not found";
        return;
    }
    const Json* entry = service_port(*service, port);
    if (entry == nullptr) {
        call.problem =
            "no service port " + std::to_string(port) + " found for service \"" + name + "\"";
        return;
    }
    const std::vector<Endpoint> endpoints =
        ready_endpoints(store, ns, name, text_at(*entry, "name"));
    if (endpoints.empty()) {
        call.problem = "no endpoints available for service \"" + name + "\"";
        return;
    }
    const Endpoint& chosen = endpoints[choice % endpoints.size()];
    call.host = chosen.address;
    call.port = chosen.port;
}

void resolve_url(const std::string& url, HookCall& call) {
    constexpr std::string_view kScheme = "https://";
    const std::string timeout = "timeout=" + std::to_string(call.timeout.count()) + "s";
    call.url = url + (url.find('?') == std::string::npos ? "?" : "&") + timeout;
    if (!url.starts_with(kScheme)) {
        call.problem = "unsupported protocol scheme: want https";
        return;
    }
    const std::string rest = call.url.substr(kScheme.size());
    const std::size_t end = std::min(rest.find_first_of("/?"), rest.size());
    std::string authority = rest.substr(0, end);
    call.target = rest.substr(end);
    call.target = call.target.starts_with('/') ? call.target : "/" + call.target;
    const std::size_t colon = authority.rfind(':');
    if (colon != std::string::npos && authority.find(']', colon) == std::string::npos) {
        int port = 0;
        std::from_chars(authority.data() + colon + 1, authority.data() + authority.size(), port);
        call.port = port_number(port);
        authority.resize(colon);
    }
    if (authority.size() > 2 && authority.front() == '[' && authority.back() == ']') {
        authority = authority.substr(1, authority.size() - 2);
    }
    call.host = authority;
    call.tls_name = authority;
    if (call.host.empty() || call.port == 0) {
        call.problem = "invalid URL: want https://host[:port]/path";
    }
}

}  // namespace

HookCall resolve_hook(
    const Json& client_config, std::chrono::seconds timeout, const Store& store, std::size_t choice
) {
    HookCall call;
    call.timeout = timeout;
    if (const std::string bundle = text_at(client_config, "caBundle"); !bundle.empty()) {
        const auto pem = decode_base64(bundle);
        call.ca = pem ? *pem : std::string{};
    }
    const std::string url = text_at(client_config, "url");
    if (url.empty()) {
        resolve_service(object_at(client_config, "service"), store, choice, call);
    } else {
        resolve_url(url, call);
    }
    if (!text_at(client_config, "caBundle").empty() &&
        call.ca.find("-----BEGIN CERTIFICATE-----") == std::string::npos) {
        call.problem = "unable to load root certificates: unable to parse bytes as PEM block";
    }
    return call;
}

}  // namespace steelyard::apiserver
