#pragma once

#include "common/rt/asio.hpp"

#include <boost/asio/steady_timer.hpp>

namespace steelyard::rt {

// Wakes one waiting coroutine of the same io_context. A notify() before the wait is remembered;
// several collapse into one. The waiter re-checks the shared state it waits for: the signal carries
// none. (A channel would do, but Asio 1.26's drops messages on close and after cancellation.)
class Signal {
public:
    explicit Signal(const asio::any_io_executor& executor);
    void notify();
    // Returns after a notify(); throws system_error(operation_aborted) when the task is cancelled.
    awaitable<void> wait();

private:
    asio::steady_timer timer_;
    bool set_ = false;
};

}  // namespace steelyard::rt
