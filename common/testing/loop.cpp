#include "common/testing/loop.hpp"

#include <boost/asio/steady_timer.hpp>

#include <chrono>
#include <stdexcept>
#include <utility>

namespace steelyard::fakes {

Loop::Loop()
    : beside_(ioc_.get_executor(), [](const std::string&, const std::exception_ptr&) {}),
      tested_(ioc_.get_executor(), [this](const std::string&, std::exception_ptr error) {
          failure_ = std::move(error);
      }) {}

Loop::~Loop() {
    cancel_all();
}

void Loop::spawn(std::string name, awaitable<void> task) {
    beside_.spawn(std::move(name), std::move(task));
}

void Loop::run(awaitable<void> test) {
    tested_.spawn("test", std::move(test));
    bool late = false;
    asio::steady_timer watchdog(ioc_, std::chrono::seconds(20));
    watchdog.async_wait([&](const boost::system::error_code& ec) { late = late || !ec; });
    ioc_.restart();
    while (tested_.size() > 0 && !late && ioc_.run_one() > 0) {
    }
    watchdog.cancel();
    cancel_all();
    if (late) {
        throw std::runtime_error("the test did not end within 20 s");
    }
    if (failure_) {
        std::rethrow_exception(std::exchange(failure_, nullptr));
    }
}

void Loop::cancel_all() {
    // A task may spawn another on its way out; cancelled ones end within a few turns.
    for (int turn = 0; turn < 1000 && beside_.size() + tested_.size() > 0; ++turn) {
        tested_.cancel();
        beside_.cancel();
        ioc_.restart();
        ioc_.poll();
    }
    ioc_.restart();
    ioc_.poll();
}

}  // namespace steelyard::fakes
