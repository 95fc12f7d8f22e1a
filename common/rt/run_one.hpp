#pragma once

#include "common/rt/asio.hpp"
#include "common/rt/task_group.hpp"

#include <boost/asio/io_context.hpp>

#include <exception>
#include <optional>
#include <string>
#include <utility>

// Runs one awaitable to its end on an event loop that nobody runs, and returns its result: for
// programs and tests that go step by step. It must not throw.
namespace steelyard::rt {

template <class T>
T run_one(asio::io_context& ioc, awaitable<T> work) {
    std::optional<T> result;
    TaskGroup tasks(ioc.get_executor(), [](const std::string&, std::exception_ptr) {});
    const auto task = [&]() -> awaitable<void> {
        result = co_await std::move(work);
    };
    tasks.spawn("step", task());
    ioc.restart();
    ioc.run();
    return std::move(*result);
}

}  // namespace steelyard::rt
