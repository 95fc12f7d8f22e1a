#include "e2e/apiserver/api/api.hpp"

#include "e2e/apiserver/api/admit.hpp"
#include "e2e/apiserver/api/call.hpp"
#include "e2e/apiserver/api/rbac.hpp"
#include "e2e/apiserver/registry/discovery.hpp"
#include "e2e/apiserver/registry/openapi.hpp"
#include "e2e/apiserver/registry/timestamp.hpp"

namespace steelyard::apiserver {

namespace {

ApiReply json_reply(unsigned status, const Json& value) {
    ApiReply reply;
    reply.status = status;
    reply.body = dump(value);
    return reply;
}

ApiReply failure_reply(const Failure& failure) {
    ApiReply reply = json_reply(failure.code, to_status(failure));
    if (failure.retry_after > 0) {
        reply.headers.emplace_back("Retry-After", std::to_string(failure.retry_after));
    }
    return reply;
}

ApiReply text_reply(std::string text) {
    ApiReply reply;
    reply.content_type = "text/plain; charset=utf-8";
    reply.body = std::move(text);
    return reply;
}

// RFC 9111 5.5 as Kubernetes writes it: the text is a quoted-string, control characters are blanks.
std::string warning_header(const std::string& text) {
    std::string out = "299 - \"";
    for (const char c : text) {
        if (c == '"' || c == '\\') {
            out.push_back('\\');
        }
        out.push_back(static_cast<unsigned char>(c) < 0x20 ? ' ' : c);
    }
    return out + "\"";
}

// "v2" or "v2beta1" when the client takes the aggregated form, else empty.
std::string aggregated_version(const std::string& accept) {
    for (const std::string& offer : split(accept, ',')) {
        if (offer.find("as=APIGroupDiscoveryList") == std::string::npos) {
            continue;
        }
        for (const char* version : {"v2", "v2beta1"}) {
            for (const std::string& part : split(offer, ';')) {
                if (part == std::string("v=") + version) {
                    return version;
                }
            }
        }
    }
    return {};
}

}  // namespace

std::string Api::Call::field_manager() const {
    const std::string named = query_text(request.query, "fieldManager");
    return named.empty() ? request.user_agent.substr(0, request.user_agent.find('/')) : named;
}

std::optional<TableFormat> table_format(const ApiRequest& request) {
    const std::string first = split(request.accept, ',').front();
    if (first.find("as=Table") == std::string::npos ||
        first.find("g=meta.k8s.io") == std::string::npos) {
        return std::nullopt;
    }
    TableFormat format;
    if (first.find("v=v1beta1") != std::string::npos) {
        format.version = "v1beta1";
    }
    const std::string include = query_text(request.query, "includeObject");
    if (include == "Object") {
        format.include = IncludeObject::Whole;
    } else if (include == "None") {
        format.include = IncludeObject::None;
    }
    return format;
}

Api::Api(ApiOptions options, Rng rng, WallTime now)
    : options_(std::move(options)), rng_(rng), store_(20000, options_.first_version) {
    bootstrap(now);
}

Object Api::put(const std::string& resource, Json object, WallTime now) {
    Json& metadata = object["metadata"];
    if (!metadata.contains("uid")) {
        metadata["uid"] = make_uid(rng_);
    }
    if (!metadata.contains("creationTimestamp")) {
        metadata["creationTimestamp"] = format_time(now);
    }
    return store_.put(resource, std::move(object));
}

void Api::bootstrap(WallTime now) {
    for (const char* name : {"default", "kube-system", "kube-public", "kube-node-lease"}) {
        Json ns{{"apiVersion", "v1"}, {"kind", "Namespace"}, {"metadata", {{"name", name}}}};
        (void)admit_builtin(*registry_.find("namespaces."), ns, nullptr, store_);
        put("namespaces.", std::move(ns), now);
        Json account{
            {"apiVersion", "v1"},
            {"kind", "ServiceAccount"},
            {"metadata", {{"name", "default"}, {"namespace", name}}}};
        put("serviceaccounts.", std::move(account), now);
    }
    Json service{
        {"apiVersion", "v1"},
        {"kind", "Service"},
        {"metadata",
         {{"name", "kubernetes"},
          {"namespace", "default"},
          {"labels", {{"component", "apiserver"}, {"provider", "kubernetes"}}}}},
        {"spec",
         {{"clusterIP", "10.96.0.1"},
          {"ports",
           Json::array({{{"name", "https"}, {"port", 443}, {"targetPort", options_.advertise_port}}}
           )}}}};
    (void)admit_builtin(*registry_.find("services."), service, nullptr, store_);
    put("services.", std::move(service), now);
    const Json endpoint_port{
        {"name", "https"}, {"port", options_.advertise_port}, {"protocol", "TCP"}};
    const bool v6 = options_.advertise_address.find(':') != std::string::npos;
    Json slice{
        {"apiVersion", "discovery.k8s.io/v1"},
        {"kind", "EndpointSlice"},
        {"metadata",
         {{"name", "kubernetes"},
          {"namespace", "default"},
          {"labels", {{"kubernetes.io/service-name", "kubernetes"}}}}},
        {"addressType", v6 ? "IPv6" : "IPv4"},
        {"endpoints",
         Json::array(
             {{{"addresses", {options_.advertise_address}}, {"conditions", {{"ready", true}}}}}
         )},
        {"ports", Json::array({endpoint_port})}};
    put("endpointslices.discovery.k8s.io", std::move(slice), now);
    Json endpoints{
        {"apiVersion", "v1"},
        {"kind", "Endpoints"},
        {"metadata", {{"name", "kubernetes"}, {"namespace", "default"}}},
        {"subsets",
         Json::array(
             {{{"addresses", Json::array({{{"ip", options_.advertise_address}}})},
               {"ports", Json::array({endpoint_port})}}}
         )}};
    put("endpoints.", std::move(endpoints), now);
    const Json ready{
        {"type", "Ready"},
        {"status", "True"},
        {"reason", "NetworkReady"},
        {"message", "Kubernetes Service CIDR is ready"},
        {"lastTransitionTime", format_time(now)}};
    Json cidr{
        {"apiVersion", "networking.k8s.io/v1"},
        {"kind", "ServiceCIDR"},
        {"metadata", {{"name", "kubernetes"}}},
        {"spec", {{"cidrs", Json::array({"10.96.0.0/16", "fd00:10:96::/112"})}}},
        {"status", {{"conditions", Json::array({ready})}}}};
    put("servicecidrs.networking.k8s.io", std::move(cidr), now);
}

std::optional<User> Api::authenticate(const std::string& token, WallTime now) const {
    if (options_.admin_token.empty() || token == options_.admin_token) {
        User admin;
        admin.name = "kubernetes-admin";
        admin.groups = {"system:masters", "system:authenticated"};
        if (token.empty() || token == options_.admin_token) {
            return admin;
        }
    }
    const auto found = sessions_.find(token);
    if (found == sessions_.end() || found->second.expires <= now) {
        return std::nullopt;
    }
    return found->second.user;
}

std::string Api::mint_token(const std::string& ns, const std::string& account, WallTime expires) {
    Session session;
    session.user.name = "system:serviceaccount:" + ns + ":" + account;
    session.user.groups = {
        "system:serviceaccounts", "system:serviceaccounts:" + ns, "system:authenticated"};
    session.expires = expires;
    std::string token = "sa-" + random_hex(rng_, 48);
    sessions_.emplace(token, std::move(session));
    return token;
}

std::optional<ApiReply> Api::serve_document(const ApiRequest& request) {
    const std::string& path = request.path;
    if (path == "/healthz" || path == "/readyz" || path == "/livez") {
        return text_reply("ok");
    }
    if (path == "/version" || path == "/version/") {
        return json_reply(200, server_version());
    }
    if (path == "/api" || path == "/apis") {
        const std::string format = aggregated_version(request.accept);
        if (format.empty()) {
            return json_reply(
                200,
                path == "/api"
                    ? api_versions(
                          options_.advertise_address + ":" + std::to_string(options_.advertise_port)
                      )
                    : api_group_list(registry_)
            );
        }
        ApiReply reply = json_reply(200, aggregated_discovery(registry_, path == "/api", format));
        reply.content_type =
            "application/json;g=apidiscovery.k8s.io;v=" + format + ";as=APIGroupDiscoveryList";
        return reply;
    }
    const std::vector<std::string> parts = split(path, '/');
    Json document;
    if (parts.size() == 3 && parts[1] == "api") {
        document = api_resource_list(registry_, "", parts[2]);
    } else if (parts.size() == 3 && parts[1] == "apis") {
        document = api_group(registry_, parts[2]);
    } else if (parts.size() == 4 && parts[1] == "apis") {
        document = api_resource_list(registry_, parts[2], parts[3]);
    } else if (parts.size() >= 3 && parts[1] == "openapi") {
        auto& [generation, text] = documents_[path + request.accept];
        if (generation != registry_.generation()) {
            text = openapi_document(registry_, path, request.accept);
            generation = registry_.generation();
        }
        if (!text.empty()) {
            ApiReply reply;
            reply.body = text;
            reply.content_type = openapi_content_type(path, request.accept);
            return reply;
        }
    } else {
        return std::nullopt;
    }
    return document.is_null() ? failure_reply(page_not_found()) : json_reply(200, document);
}

ApplyRequest Api::Call::apply_request(std::string manager) const {
    ApplyRequest apply;
    apply.manager = std::move(manager);
    apply.api_version = kind->api_version(route.version);
    apply.time = format_time(now);
    apply.subresource = route.subresource;
    return apply;
}

ApiReply Api::handle(const ApiRequest& request, WallTime now) {
    Exchange exchange = new_exchange();
    ApiReply reply = handle(request, now, exchange);
    return exchange.pending() ? failure_reply(pending_failure()) : reply;
}

ApiReply Api::handle(const ApiRequest& request, WallTime now, Exchange& exchange) {
    if (request.method == "GET" || request.method == "HEAD") {
        if (auto reply = serve_document(request)) {
            return std::move(*reply);
        }
    }
    auto route = parse_route(request.path);
    if (!route) {
        return failure_reply(page_not_found());
    }
    Call call{request, now, std::move(*route), {}, nullptr, nullptr, {}, exchange};
    call.verb = verb_of(request.method, call.route, request.query);
    return serve_resource(call);
}

ApiReply Api::serve_resource(Call& call) {
    auto outcome = dispatch(call);
    ApiReply reply = outcome ? std::move(*outcome) : failure_reply(outcome.error());
    for (const std::string& warning : call.warnings) {
        reply.headers.emplace_back("Warning", warning_header(warning));
    }
    return reply;
}

Outcome<ApiReply> Api::dispatch(Call& call) {
    const Route& route = call.route;
    if (call.verb.empty()) {
        return method_not_allowed();
    }
    if (route.group == "authorization.k8s.io") {
        return review_access(call);
    }
    call.kind = registry_.find_resource(route.group, route.version, route.plural);
    if (call.kind == nullptr) {
        return page_not_found();
    }
    call.version = call.kind->version(route.version);
    if (!call.version->deprecation.empty()) {
        call.warnings.push_back(call.version->deprecation);
    }
    if (!call.kind->namespaced && !route.ns.empty()) {
        return page_not_found();
    }
    if (options_.rbac) {
        const AccessQuestion question = access_question(call.verb, route, call.request.query);
        if (!allowed(store_, call.request.user, question)) {
            return forbidden(
                call.kind->subject(question.name), denial(call.request.user, question)
            );
        }
    }
    const bool token = call.kind->resource() == "serviceaccounts." && route.subresource == "token";
    if (token) {
        return call.verb == "create" ? issue_token(call) : Outcome<ApiReply>(method_not_allowed());
    }
    const std::string resource = call.kind->resource();
    const bool scalable = resource == "deployments.apps" || resource == "replicasets.apps";
    if (scalable && route.subresource == "scale") {
        const bool fits = call.verb == "get" || call.verb == "update" || call.verb == "patch";
        return fits ? scale(call) : Outcome<ApiReply>(method_not_allowed());
    }
    if (!route.subresource.empty() && (!call.status() || !call.version->has_status ||
                                       call.verb == "create" || call.verb == "delete")) {
        return page_not_found();
    }
    if (call.verb == "get") {
        return get(call);
    }
    if (call.verb == "list") {
        return list(call);
    }
    if (call.verb == "watch") {
        return watch(call);
    }
    if (call.kind->namespaced && route.ns.empty()) {
        return method_not_allowed();
    }
    if (call.verb == "create") {
        return route.name.empty() ? create(call) : Outcome<ApiReply>(method_not_allowed());
    }
    if (call.verb == "deletecollection") {
        return remove_collection(call);
    }
    if (route.name.empty()) {
        return method_not_allowed();
    }
    if (call.verb == "update") {
        return update(call);
    }
    return call.verb == "patch" ? patch(call) : remove(call);
}

}  // namespace steelyard::apiserver
