#pragma once

#include "common/rt/task_group.hpp"
#include "speaker/io/dataplane/dataplane.hpp"

#include <boost/asio/io_context.hpp>

#include <chrono>
#include <exception>
#include <optional>
#include <string>
#include <utility>

namespace steelyard::bench {

// An event loop that runs one awaitable at a time to its end.
class Loop {
public:
    template <class T>
    T wait(awaitable<T> work) {
        std::optional<T> result;
        rt::TaskGroup tasks(ioc_.get_executor(), [](const std::string&, std::exception_ptr) {});
        const auto task = [&]() -> awaitable<void> {
            result = co_await std::move(work);
        };
        tasks.spawn("bench", task());
        ioc_.restart();
        ioc_.run();
        return std::move(*result);
    }
    [[nodiscard]] asio::any_io_executor executor() { return ioc_.get_executor(); }

private:
    asio::io_context ioc_{1};
};

class Stopwatch {
public:
    [[nodiscard]] double seconds() const {
        return std::chrono::duration<double>(std::chrono::steady_clock::now() - start_).count();
    }

private:
    std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();
};

}  // namespace steelyard::bench
