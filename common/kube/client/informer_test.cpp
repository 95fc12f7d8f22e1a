#include "common/kube/client/informer.hpp"

#include "common/kube/client/http_api.hpp"
#include "common/testing/loop.hpp"
#include "common/testing/scripted_server.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace steelyard::kube {
namespace {

using fakes::chunk;
using fakes::ScriptedConnection;
using testing::ElementsAre;

std::string line(const char* type, const char* name, const char* version, const char* more = "") {
    return std::string(R"({"type":")") + type + R"(","object":{"metadata":{"name":")" + name +
           R"(","resourceVersion":")" + version + "\"" + more + "}}}\n";
}

// An informer of Namespaces against a script; it ends when the script says so.
class InformerTest : public testing::Test {
protected:
    void play(fakes::ScriptedServer::Script script) {
        fakes::ScriptedServer server(loop_.executor(), std::move(script));
        ClientConfig config;
        config.host = "127.0.0.1";
        config.port = server.port();
        config.tls = false;
        auto api = std::move(HttpKubeApi::make(config).value());
        Informer<Namespace>::Callbacks callbacks;
        callbacks.on_change = [this](const Change<Namespace>& change) {
            const char* what = !change.before ? "+" : !change.after ? "-" : "~";
            heard_.push_back(what + change.key.name);
        };
        callbacks.on_synced = [this] {
            heard_.emplace_back("synced");
        };
        callbacks.on_error = [this](const Error* error) {
            heard_.emplace_back(error != nullptr ? "error" : "recovered");
        };
        callbacks.on_bad_object = [this](const ObjectKey& key, const Error&) {
            heard_.push_back("bad " + key.name);
        };
        Informer<Namespace> informer(
            *api, Collection(Resource<Namespace>::kType), std::move(callbacks), 1
        );
        loop_.spawn("server", server.run());
        loop_.spawn("informer", informer.run());
        const auto test = [this]() -> awaitable<void> {
            co_await done_.wait();
        };
        loop_.run(test());
        synced_ = informer.synced();
        size_ = informer.store().size();
        bad_ = informer.bad_objects().size();
    }

    static constexpr const char* kInitialEnd =
        R"(,"annotations":{"k8s.io/initial-events-end":"true"})";

    fakes::Loop loop_;
    rt::Signal done_{loop_.executor()};
    std::vector<std::string> heard_;
    std::vector<std::string> asked_;
    bool synced_ = false;
    std::size_t size_ = 0;
    std::size_t bad_ = 0;
};

TEST_F(InformerTest, FollowsAWatchListAndResumesWhenItEnds) {
    play([this](ScriptedConnection& connection, std::size_t number) -> awaitable<void> {
        asked_.push_back(co_await connection.read_request());
        co_await connection.write(fakes::chunked_head());
        if (number == 0) {
            co_await connection.write(chunk(
                line("ADDED", "a", "1") + line("ADDED", "b", "2") +
                line("BOOKMARK", "", "5", kInitialEnd)
            ));
            co_await connection.write(chunk(line("DELETED", "b", "6")) + fakes::last_chunk());
            co_return;
        }
        if (number == 2) {  // so the client has taken in what came before
            done_.notify();
            co_await connection.wait_closed();
            co_return;
        }
        co_await connection.write(
            chunk(line("MODIFIED", "a", "7", R"(,"labels":{"x":"y"})") + line("ADDED", "c", "8"))
        );
        co_await connection.write(fakes::last_chunk());
    });

    EXPECT_THAT(heard_, ElementsAre("+a", "+b", "synced", "-b", "~a", "+c"));
    EXPECT_THAT(asked_.at(0), testing::HasSubstr("sendInitialEvents=true"));
    EXPECT_THAT(asked_.at(1), testing::HasSubstr("resourceVersion=6&"));
    EXPECT_TRUE(synced_);
    EXPECT_EQ(size_, 2U);
}

TEST_F(InformerTest, ABadObjectKeepsItsLastGoodVersion) {
    play([this](ScriptedConnection& connection, std::size_t number) -> awaitable<void> {
        asked_.push_back(co_await connection.read_request());
        if (number > 0) {
            done_.notify();
            co_await connection.wait_closed();
            co_return;
        }
        co_await connection.write(fakes::chunked_head());
        co_await connection.write(chunk(
            line("ADDED", "a", "1") + line("BOOKMARK", "", "5", kInitialEnd) +
            line("MODIFIED", "a", "6", R"(,"labels":7)")
        ));
        co_await connection.write(fakes::last_chunk());
    });

    EXPECT_THAT(heard_, ElementsAre("+a", "synced", "bad a"));
    EXPECT_EQ(size_, 1U);
    EXPECT_EQ(bad_, 1U);
}

TEST_F(InformerTest, ABadObjectIsReportedOnceAndForgottenWhenItIsDeleted) {
    constexpr const char* kBroken = R"(,"labels":7)";
    play([this](ScriptedConnection& connection, std::size_t number) -> awaitable<void> {
        asked_.push_back(co_await connection.read_request());
        if (number > 0) {
            done_.notify();
            co_await connection.wait_closed();
            co_return;
        }
        co_await connection.write(fakes::chunked_head());
        co_await connection.write(chunk(
            line("ADDED", "a", "1", kBroken) + line("BOOKMARK", "", "5", kInitialEnd) +
            line("MODIFIED", "a", "6", kBroken) + line("DELETED", "a", "7", kBroken)
        ));
        co_await connection.write(fakes::last_chunk());
    });

    EXPECT_THAT(heard_, ElementsAre("bad a", "synced"));
    EXPECT_EQ(bad_, 0U);
}

TEST_F(InformerTest, FallsBackToAListAndReportsNothing) {
    play([this](ScriptedConnection& connection, std::size_t number) -> awaitable<void> {
        asked_.push_back(co_await connection.read_request());
        if (number == 0) {
            co_await connection.write(fakes::http_answer(422, R"({"kind":"Status","code":422})"));
        } else if (number == 1) {
            co_await connection.write(fakes::http_answer(
                200, R"({"metadata":{"resourceVersion":"9"},"items":[{"metadata":{"name":"a"}}]})"
            ));
        } else {
            done_.notify();
            co_await connection.wait_closed();
        }
    });

    EXPECT_THAT(heard_, ElementsAre("+a", "synced"));
    EXPECT_THAT(asked_.at(2), testing::HasSubstr("resourceVersion=9&"));
}

}  // namespace
}  // namespace steelyard::kube
