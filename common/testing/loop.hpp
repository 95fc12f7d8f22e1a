#pragma once

#include "common/rt/asio.hpp"
#include "common/rt/task_group.hpp"

#include <boost/asio/io_context.hpp>

#include <exception>
#include <string>

// One io_context for a test: run() drives a coroutine to its end together with whatever the test
// spawned beside it, then cancels and joins the rest. What the coroutine throws, the test sees; a
// test that hangs is ended after 20 s with an exception.
namespace steelyard::fakes {

class Loop {
public:
    Loop();
    Loop(const Loop&) = delete;
    Loop& operator=(const Loop&) = delete;
    ~Loop();

    [[nodiscard]] asio::any_io_executor executor() { return ioc_.get_executor(); }
    // A task beside the one under test; it may fail without failing the test.
    void spawn(std::string name, awaitable<void> task);
    void run(awaitable<void> test);

private:
    void cancel_all();

    asio::io_context ioc_{1};
    std::exception_ptr failure_;
    rt::TaskGroup beside_;
    rt::TaskGroup tested_;
};

}  // namespace steelyard::fakes
