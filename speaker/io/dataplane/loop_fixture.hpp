#pragma once

#include "common/net/ip.hpp"
#include "common/rt/asio.hpp"
#include "common/rt/task_group.hpp"

#include <boost/asio/io_context.hpp>
#include <gtest/gtest.h>

#include <exception>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

// What the tests of this room share, those in the guest and those that need no kernel.
namespace steelyard::dataplane {

inline net::IpAddress ip(std::string_view text) {
    return net::IpAddress::parse(text).value();
}

// A test with an event loop that runs one awaitable at a time to its end.
class LoopTest : public testing::Test {
protected:
    template <class T>
    T wait(awaitable<T> work) {
        std::optional<T> result;
        rt::TaskGroup tasks(ioc_.get_executor(), [](const std::string&, std::exception_ptr) {});
        const auto task = [&]() -> awaitable<void> {
            result = co_await std::move(work);
        };
        tasks.spawn("test", task());
        ioc_.restart();
        ioc_.run();
        return std::move(*result);
    }

    asio::io_context ioc_{1};
};

}  // namespace steelyard::dataplane
