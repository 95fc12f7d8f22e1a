#pragma once

#include "common/base/rng.hpp"
#include "common/base/time.hpp"
#include "e2e/apiserver/api/route.hpp"
#include "e2e/apiserver/api/watch.hpp"
#include "e2e/apiserver/callout/exchange.hpp"
#include "e2e/apiserver/json/failure.hpp"
#include "e2e/apiserver/patch/patch.hpp"
#include "e2e/apiserver/registry/kind.hpp"
#include "e2e/apiserver/storage/store.hpp"

#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

// The API server without its sockets: a request in, an answer out, the cluster's state inside.
// Pure: the time is a parameter, randomness an injected Rng. Watches are answered with a
// WatchRequest that the shell turns into a stream.
namespace steelyard::apiserver {

struct User {
    std::string name;
    std::vector<std::string> groups;
};

struct ApiRequest {
    std::string method;
    std::string path;
    Query query;
    std::string content_type;
    std::string accept;
    std::string user_agent;
    std::string body;
    User user;
};

struct ApiReply {
    unsigned status = 200;
    std::string content_type = "application/json";
    std::string body;
    std::vector<std::pair<std::string, std::string>> headers;
    std::optional<WatchRequest> watch;
};

struct ApiOptions {
    std::string advertise_address = "127.0.0.1";  // of the kubernetes Service's endpoint
    std::uint16_t advertise_port = 6443;
    std::string admin_token;  // empty: every request is the administrator's
    bool rbac = false;
    bool watch_list = true;             // false: as a server without that feature
    std::uint64_t first_version = 100;  // resourceVersions begin above it
};

class Api {
public:
    Api(ApiOptions options, Rng rng, WallTime now);

    // Who a bearer token stands for; nothing when it is unknown or has run out.
    [[nodiscard]] std::optional<User> authenticate(const std::string& token, WallTime now) const;
    // A try to answer. When the exchange is pending afterwards, nothing has changed, the reply
    // means nothing, and the request is to be tried again with the answers and the same `now`.
    ApiReply handle(const ApiRequest& request, WallTime now, Exchange& exchange);
    // The same without anyone to ask: what needs a webhook's answer fails.
    ApiReply handle(const ApiRequest& request, WallTime now);
    [[nodiscard]] Exchange new_exchange() { return Exchange(Rng(rng_.next())); }

    [[nodiscard]] const Store& store() const { return store_; }
    [[nodiscard]] const Registry& registry() const { return registry_; }

    // For tests and the lab: objects straight into the store, as if the server had made them.
    Object put(const std::string& resource, Json object, WallTime now);
    std::string mint_token(const std::string& ns, const std::string& account, WallTime expires);
    void forget_history() { store_.forget_history(); }
    // From now on whoever takes any state (resourceVersion "0") gets this one, as from a watch
    // cache that lags behind, until it thaws or the state is forgotten.
    void freeze_cache() { cache_version_ = store_.version(); }
    void thaw_cache() { cache_version_.reset(); }

private:
    struct Call;  // one request being worked on
    // The state a list shows, and what part of it.
    struct Snapshot {
        std::uint64_t version = 0;
        std::string after;      // key; "": from the first
        std::size_t limit = 0;  // 0: all
    };
    struct Session {
        User user;
        WallTime expires;
    };

    void bootstrap(WallTime now);
    std::optional<ApiReply> serve_document(const ApiRequest& request);
    ApiReply serve_resource(Call& call);
    Outcome<ApiReply> dispatch(Call& call);

    Outcome<ApiReply> get(Call& call);
    Outcome<ApiReply> list(Call& call);
    Outcome<ApiReply> watch(Call& call);
    Outcome<ApiReply> create(Call& call);
    Outcome<ApiReply> update(Call& call);
    Outcome<ApiReply> patch(Call& call);
    Outcome<ApiReply> remove(Call& call);
    Outcome<ApiReply> remove_collection(Call& call);
    Outcome<ApiReply> scale(Call& call);
    Outcome<ApiReply> issue_token(Call& call);
    Outcome<ApiReply> review_access(Call& call);

    Outcome<Snapshot> snapshot_for(const Query& query) const;
    [[nodiscard]] std::uint64_t cached_version() const;
    [[nodiscard]] std::vector<Object> objects_at(
        std::uint64_t version,
        const std::string& resource,
        const std::string& ns,
        const std::string& after
    ) const;
    Outcome<ApiReply> list_reply(
        const Call& call, const std::vector<Object>& objects, Json metadata
    ) const;
    Outcome<Selector> selector_of(const Call& call) const;
    Outcome<Json> body_of(const Call& call) const;
    Outcome<Json> patched(Call& call, const Json& live);
    Outcome<ApiReply> apply(Call& call, const Json& wanted);
    Outcome<ApiReply> store_new(Call& call, Json object);
    Outcome<ApiReply> store_changed(Call& call, const Json& live, Json object);
    Outcome<> check_removal(Call& call, const Json& live, const Json& options) const;
    ApiReply remove_object(Call& call, const Object& live, const Json& options);
    Outcome<> namespace_accepts(const Call& call) const;
    Outcome<> prepare(Call& call, Json& object, const Json* live);
    // A stored object in the version of the request, and the other way round.
    Outcome<Json> shown(const Call& call, const Json& object) const;
    Outcome<Json> to_storage(const Call& call, const Json& object) const;
    Outcome<> ask_admission(
        Call& call, const char* operation, const Json& object, const Json& old_object
    ) const;
    Outcome<ApiReply> reply(const Call& call, unsigned status, const Json& object) const;
    ApiReply reply_shown(const Call& call, unsigned status, const Json& object) const;
    // Of an object just stored: `seen` is how the request's version shows it.
    ApiReply reply_stored(const Call& call, unsigned status, Json seen, const Json& stored) const;
    [[nodiscard]] ListRules list_rules(const Call& call) const;

    void erase_now(const Kind& kind, const Json& object, bool orphan, WallTime now);
    void erase_dependents(const std::string& uid, bool orphan, WallTime now);
    void empty_namespace(const std::string& ns, WallTime now);
    void finish_namespace(const std::string& ns, WallTime now);
    void settle_crd(const Json& crd, WallTime now);

    ApiOptions options_;
    Rng rng_;
    Store store_;
    Registry registry_;
    std::optional<std::uint64_t> cache_version_;
    std::map<std::string, Session> sessions_;                                 // by token
    std::map<std::string, std::pair<std::uint64_t, std::string>> documents_;  // cache by path
};

}  // namespace steelyard::apiserver
