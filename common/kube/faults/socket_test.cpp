#include "common/kube/client/http_api.hpp"
#include "common/kube/client/informer.hpp"
#include "common/kube/faults/kind_list.hpp"
#include "common/kube/faults/kinds.hpp"
#include "common/rt/sleep.hpp"
#include "common/rt/task_group.hpp"
#include "e2e/apiserver/server/api_server.hpp"
#include "e2e/apiserver/server/yaml.hpp"

#include <boost/asio/io_context.hpp>
#include <gtest/gtest.h>

#include <chrono>
#include <filesystem>
#include <fstream>
#include <functional>
#include <memory>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

// The same over real sockets: worlds of one API server and an informer of every kind each, all in
// one loop, while the server's answers are cut, garbled, stalled and refused and it forgets,
// restarts and lags behind.
namespace steelyard::kube::faults {
namespace {

using namespace std::chrono_literals;
using apiserver::ApiServer;
using apiserver::FaultRule;

class WatchedKind {
public:
    WatchedKind() = default;
    WatchedKind(const WatchedKind&) = delete;
    WatchedKind& operator=(const WatchedKind&) = delete;
    virtual ~WatchedKind() = default;
    [[nodiscard]] virtual const ResourceType& type() const = 0;
    [[nodiscard]] virtual awaitable<void> run() = 0;
    // "" when the store holds exactly `items`, else what differs.
    [[nodiscard]] virtual std::string differs(const nlohmann::json& items) const = 0;
};

template <class T>
class Watched final : public WatchedKind {
public:
    Watched(KubeApi& api, std::uint64_t seed)
        : informer_(api, Collection(Resource<T>::kType), {}, seed) {}

    [[nodiscard]] const ResourceType& type() const override { return kType; }
    [[nodiscard]] awaitable<void> run() override { return informer_.run(); }
    [[nodiscard]] std::string differs(const nlohmann::json& items) const override {
        const auto& store = informer_.store().objects();
        if (!informer_.synced() || store.size() != items.size()) {
            return std::to_string(store.size()) + " instead of " + std::to_string(items.size());
        }
        for (const nlohmann::json& item : items) {
            const auto wanted = Resource<T>::decode(item);
            const auto have = store.find(key_of(item));
            if (!wanted || have == store.end() || !(*have->second == *wanted)) {
                return to_string(key_of(item)) + " differs";
            }
        }
        return {};
    }

private:
    static constexpr ResourceType kType = Resource<T>::kType;
    Informer<T> informer_;
};

template <class... Kinds>
void watch_all(
    testing::Types<Kinds...> /*kinds*/,
    KubeApi& api,
    std::uint64_t seed,
    std::vector<std::unique_ptr<WatchedKind>>& out
) {
    (out.push_back(std::make_unique<Watched<Kinds>>(api, seed++)), ...);
}

// A random rule for the next request that it matches.
FaultRule random_rule(Rng& rng) {
    FaultRule rule;
    constexpr std::uint64_t kKinds = 13;
    const std::size_t at = rng.below(2500);
    switch (rng.below(kKinds)) {
        case 0:
            rule.status = 429;
            rule.retry_after = 1;
            break;
        case 1:
            rule.status = rng.below(2) == 0 ? 500 : 403;
            break;
        case 2:
            rule = apiserver::html_page(502);
            break;
        case 3:
            rule.status = 504;
            rule.cause = "ResourceVersionTooLarge";
            break;
        case 4:
            rule.drop_connection = true;
            break;
        case 5:
        case 6:
            rule.cut_at = at;
            rule.mid_chunk = rng.below(2) == 0;
            rule.reset = rng.below(2) == 0;
            break;
        case 7:
            rule.garbage_at = at;
            rule.garbage = "\x01<html>\n";
            rule.raw_garbage = rng.below(2) == 0;
            break;
        case 8:
            rule.error_after = static_cast<unsigned>(rng.below(8));
            break;
        case 9:
            rule.duplicate_bookmarks = true;
            break;
        case 10:
            rule.late_bookmarks = true;
            break;
        case 11:
            rule.stall_at = at;
            rule.stall = 300ms;
            rule.bytes_per_second = 20000;
            break;
        default:
            rule.content_type = "text/html";
            break;
    }
    return rule;
}

class World {
public:
    World(const asio::any_io_executor& executor, std::uint64_t seed) : rng_(seed) {
        apiserver::ApiServerOptions options;
        options.seed = seed;
        options.api.watch_list = seed % 3 != 0;
        options.bookmark_interval = 1s;
        server_ = std::move(ApiServer::listen(executor, std::move(options)).value());
        for (const auto& file : std::filesystem::directory_iterator(SY_CRD_FOLDER)) {
            if (file.path().extension() == ".yaml") {
                define(file.path());
            }
        }
        ClientConfig config;
        config.host = "127.0.0.1";
        config.port = server_->port();
        config.tls = false;
        api_ = std::move(HttpKubeApi::make(std::move(config)).value());
        watch_all(WatchedKinds{}, *api_, seed, kinds_);
    }

    void start(rt::TaskGroup& tasks) {
        tasks.spawn("server", server_->run());
        for (const auto& kind : kinds_) {
            tasks.spawn("watch " + std::string(kind->type().plural), kind->run());
        }
        tasks.spawn("trouble", trouble());
    }
    [[nodiscard]] bool peaceful() const { return peaceful_; }
    // What is not equal, "" in the end.
    [[nodiscard]] std::string differs() const {
        for (const auto& kind : kinds_) {
            const auto path = path_of(Collection(kind->type()));
            const auto list = nlohmann::json::parse(request("GET", path).body);
            if (auto what = kind->differs(list.at("items")); !what.empty()) {
                return path + ": " + what;
            }
        }
        return {};
    }

private:
    void define(const std::filesystem::path& file) {
        std::ifstream stream(file);
        std::ostringstream text;
        text << stream.rdbuf();
        const auto definition = apiserver::yaml_to_json(text.str()).value();
        const auto reply = request(
            "POST", "/apis/apiextensions.k8s.io/v1/customresourcedefinitions", definition.dump()
        );
        EXPECT_EQ(reply.status, 201U) << reply.body;
    }

    apiserver::ApiReply request(std::string method, std::string path, std::string body = "") const {
        apiserver::ApiRequest request;
        request.method = std::move(method);
        request.path = std::move(path);
        request.body = std::move(body);
        request.content_type = "application/json";
        return server_->call(std::move(request));
    }

    void write() {
        const ResourceType& type = kinds_[rng_.below(kinds_.size())]->type();
        ObjectKey key;
        key.name = "object" + std::to_string(rng_.below(4));
        key.ns = type.namespaced ? "default" : "";
        if (rng_.below(3) == 0) {
            request("DELETE", path_of(ObjectRef(type, key)));
            return;
        }
        server_->put(
            std::string(type.plural) + "." + std::string(type.group), random_object(type, key, rng_)
        );
    }

    void strike() {
        switch (rng_.below(12)) {
            case 0:
                server_->drop_watches();
                break;
            case 1:
                server_->forget_history();
                break;
            case 2:
                server_->restart();
                break;
            case 3:
                server_->freeze_cache();
                break;
            case 4:
                server_->thaw_cache();
                break;
            case 5:
                server_->send_bookmarks();
                break;
            default:
                server_->faults().add(random_rule(rng_));
                break;
        }
    }

    awaitable<void> trouble() {
        constexpr int kSteps = 60;
        for (int step = 0; step < kSteps; ++step) {
            write();
            write();
            if (rng_.below(2) == 0) {
                strike();
            }
            co_await rt::sleep_for(std::chrono::milliseconds(rng_.below(60)));
        }
        server_->faults().clear();
        server_->thaw_cache();
        peaceful_ = true;
    }

    Rng rng_;
    std::unique_ptr<ApiServer> server_;
    std::unique_ptr<HttpKubeApi> api_;
    std::vector<std::unique_ptr<WatchedKind>> kinds_;
    bool peaceful_ = false;
};

// Runs worlds at the same time until each of them is equal to its server.
void run_worlds(std::uint64_t first_seed, std::uint64_t count) {
    asio::io_context loop(1);
    rt::TaskGroup tasks(
        loop.get_executor(),
        [](const std::string& name, const std::exception_ptr& error) {
            EXPECT_FALSE(error) << name << ": " << rt::describe(error);
        }
    );
    std::vector<std::pair<std::uint64_t, std::unique_ptr<World>>> worlds;
    for (std::uint64_t seed = first_seed; seed < first_seed + count; ++seed) {
        worlds.emplace_back(seed, std::make_unique<World>(loop.get_executor(), seed));
        worlds.back().second->start(tasks);
    }
    const Instant limit = std::chrono::steady_clock::now() + 120s;
    for (const auto& [seed, world] : worlds) {
        while (!world->peaceful() || !world->differs().empty()) {
            loop.run_for(50ms);
            if (std::chrono::steady_clock::now() > limit) {
                ADD_FAILURE() << "seed " << seed << ": " << world->differs();
                break;
            }
        }
    }
    tasks.cancel();
    while (tasks.size() > 0) {
        loop.run_for(10ms);
    }
}

TEST(FaultsOverSockets, EveryStoreEqualsItsServerAfterTrouble) {
    run_worlds(1, 7);
}

TEST(FaultsOverSockets, AndWithOtherSeeds) {
    run_worlds(101, 7);
}

TEST(FaultsOverSockets, AndWithOthersAgain) {
    run_worlds(201, 7);
}

}  // namespace
}  // namespace steelyard::kube::faults
