#pragma once

#include "common/http/server/server.hpp"
#include "e2e/apiserver/api/api.hpp"
#include "e2e/apiserver/faults/counts.hpp"
#include "e2e/apiserver/faults/faults.hpp"
#include "e2e/apiserver/faults/shaper.hpp"
#include "e2e/apiserver/server/certificates.hpp"

#include <boost/asio/steady_timer.hpp>

#include <list>
#include <memory>
#include <string>
#include <vector>

// The lab's API server: the pure Api behind HTTP, its watches as streams, and switches for trouble.
// One io_context, no threads. The owner spawns run() in its rt::TaskGroup and destroys the server
// after that task has ended.
namespace steelyard::apiserver {

struct ApiServerOptions {
    ApiOptions api;
    std::string listen_address = "127.0.0.1";
    std::uint16_t port = 0;                // 0: any free one
    bool tls = false;                      // plain HTTP suits component tests
    std::optional<KeyPair> authority;      // made afresh when absent
    std::vector<std::string> extra_names;  // for the certificate, beside the usual ones
    std::chrono::seconds bookmark_interval{10};
    std::chrono::seconds watch_timeout{3600};  // when the client names none
    Duration latency{0};                       // of every request, before it is served
    std::uint64_t seed = 1;                    // of uids, generated names and tokens
};

class ApiServer {
public:
    static Result<std::unique_ptr<ApiServer>> listen(
        const asio::any_io_executor& executor, ApiServerOptions options
    );

    [[nodiscard]] std::uint16_t port() const { return http_->port(); }
    [[nodiscard]] std::string url() const;
    [[nodiscard]] const KeyPair& authority() const { return authority_; }
    // A kubeconfig with the administrator's token.
    [[nodiscard]] std::string kubeconfig() const;

    awaitable<void> run() { return http_->run(); }
    void stop() { http_->stop(); }

    [[nodiscard]] const Api& api() const { return *api_; }
    // Objects straight into the store; watches see them.
    Object put(const std::string& resource, Json object);
    std::string mint_token(const std::string& ns, const std::string& account);
    // A request without HTTP, for tests that only want the outcome. Webhooks are asked by the
    // second form alone; what needs one fails in the first.
    ApiReply call(ApiRequest request);
    awaitable<ApiReply> perform(ApiRequest request);

    [[nodiscard]] Faults& faults() { return faults_; }
    [[nodiscard]] RequestCounts& counts() { return counts_; }
    void set_latency(Duration latency) { options_.latency = latency; }
    // As if this machine's clock were wrong by that much.
    void set_clock_offset(std::chrono::seconds offset) { clock_offset_ = offset; }
    void drop_watches();
    // A bookmark now, on every watch that takes them.
    void send_bookmarks();
    // See Api::freeze_cache.
    void freeze_cache() { api_->freeze_cache(); }
    void thaw_cache() { api_->thaw_cache(); }
    // The next watch or list continuation from before gets 410.
    void forget_history();
    // As a new process with the old data: watches end, history is gone.
    void restart();
    [[nodiscard]] std::size_t watches() const { return watchers_.size(); }

private:
    struct Watcher {
        asio::steady_timer timer;
        bool dropped = false;
        bool bookmark = false;  // wanted at once
    };

    ApiServer(const asio::any_io_executor& executor, ApiServerOptions options);
    awaitable<http_server::Response> answer(http_server::Request request);
    awaitable<http_server::Response> serve(http_server::Request request, User user, RequestKey key);
    awaitable<void> stream(WatchRequest request, FaultRule fault, http_server::ChunkWriter& out);
    awaitable<void> write_events(
        WatchRequest request, EventFaults& faults, http_server::ChunkWriter& out
    );
    awaitable<std::string> next_lines(Watch& watch);
    http_server::Response to_response(ApiReply reply, const FaultRule& fault);
    http_server::Response serve_faults(const http_server::Request& request);
    Result<> control(const std::string& action, const Json& body);
    [[nodiscard]] WallTime now() const;
    std::optional<User> user_of(const http_server::Request& request) const;
    void wake_watches();

    asio::any_io_executor executor_;
    ApiServerOptions options_;
    std::unique_ptr<Api> api_;
    KeyPair authority_;
    Faults faults_;
    RequestCounts counts_;
    std::chrono::seconds clock_offset_{0};
    std::list<Watcher*> watchers_;
    std::unique_ptr<http_server::Server> http_;
};

}  // namespace steelyard::apiserver
