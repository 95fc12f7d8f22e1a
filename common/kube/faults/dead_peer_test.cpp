#include "common/kube/client/http_api.hpp"
#include "common/rt/task_group.hpp"
#include "common/testing/scripted_server.hpp"

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/read_until.hpp>
#include <boost/asio/write.hpp>
#include <gtest/gtest.h>

#include <sys/socket.h>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <list>
#include <string>

// Servers that vanish without a word: no FIN, no RST, no answer to probes.
namespace steelyard::kube::faults {
namespace {

using namespace std::chrono_literals;
using asio::ip::tcp;

// A classic BPF program of one instruction, "drop", on the server's socket: every segment is lost
// before TCP sees it, so for the client the machine is gone. (struct sock_filter, sock_fprog)
void vanish(tcp::socket& socket) {
    struct Instruction {
        std::uint16_t code;
        std::uint8_t jump_true;
        std::uint8_t jump_false;
        std::uint32_t value;
    };
    struct Program {
        std::uint16_t length;
        Instruction* first;
    };
    constexpr std::uint16_t kReturn = 6;
    Instruction drop{kReturn, 0, 0, 0};
    const Program program{1, &drop};
    ASSERT_EQ(
        ::setsockopt(
            socket.native_handle(), SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof program
        ),
        0
    );
}

class DeadPeerTest : public testing::Test {
protected:
    static constexpr std::size_t kWatches = 300;

    // Answers each watch and then vanishes, every third before it has answered.
    awaitable<void> serve() {
        for (std::size_t i = 0; i < kWatches; ++i) {
            auto [error, socket] = co_await acceptor_.async_accept(kAwait);
            EXPECT_FALSE(error);
            sockets_.push_back(std::move(socket));
            if (i % 3 == 0) {
                vanish(sockets_.back());
            } else {
                tasks_.spawn("answer", answer(sockets_.back()));
            }
        }
    }
    awaitable<void> answer(tcp::socket& socket) {
        std::string request;
        co_await asio::async_read_until(socket, asio::dynamic_buffer(request), "\r\n\r\n", kAwait);
        const std::string head = fakes::chunked_head() + fakes::chunk("{}\n");
        co_await asio::async_write(socket, asio::buffer(head), kAwait);
    }

    awaitable<void> watch(KubeApi& api) {
        const Instant begun = std::chrono::steady_clock::now();
        Instant last = begun;
        auto response = co_await api.stream("/watch");
        if (response) {
            auto first = co_await response->body->next(1h);
            EXPECT_TRUE(first);
            last = std::chrono::steady_clock::now();
            vanish_one();
            auto next = co_await response->body->next(1h);
            EXPECT_FALSE(next);
            EXPECT_TRUE(is(next.error(), Errc::Unavailable)) << to_string(next.error());
        }
        slowest_ = std::max(slowest_, std::chrono::steady_clock::now() - last);
        if (++ended_ == kWatches) {
            tasks_.cancel();
        }
    }
    // All of them, once all have answered; which one belongs to whom does not matter.
    void vanish_one() {
        if (++answered_ == kWatches - (kWatches + 2) / 3) {
            for (tcp::socket& socket : sockets_) {
                vanish(socket);
            }
        }
    }

    asio::io_context loop_{1};
    tcp::acceptor acceptor_{loop_, tcp::endpoint(asio::ip::address_v4::loopback(), 0)};
    std::list<tcp::socket> sockets_;
    rt::TaskGroup tasks_{loop_.get_executor(), [](const std::string&, std::exception_ptr) {
                         }};
    std::size_t answered_ = 0;
    std::size_t ended_ = 0;
    Duration slowest_{};
};

TEST_F(DeadPeerTest, ABlackHoledWatchIsFoundWithinTwentySeconds) {
    ClientConfig config;
    config.host = "127.0.0.1";
    config.port = acceptor_.local_endpoint().port();
    config.tls = false;
    const auto api = std::move(HttpKubeApi::make(config).value());
    tasks_.spawn("server", serve());
    for (std::size_t i = 0; i < kWatches; ++i) {
        tasks_.spawn("watch", watch(*api));
    }
    const Instant limit = std::chrono::steady_clock::now() + 60s;
    while (tasks_.size() > 0 && std::chrono::steady_clock::now() < limit) {
        loop_.run_for(100ms);
    }
    EXPECT_EQ(ended_, kWatches);
    EXPECT_LE(slowest_, 20s);
    EXPECT_GE(slowest_, 10s);
    tasks_.cancel();
    while (tasks_.size() > 0) {
        loop_.run_for(10ms);
    }
}

}  // namespace
}  // namespace steelyard::kube::faults
