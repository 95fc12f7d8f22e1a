#include "common/rt/signal.hpp"

#include <boost/asio/error.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/system/system_error.hpp>

namespace steelyard::rt {

Signal::Signal(const asio::any_io_executor& executor)
    : timer_(executor, asio::steady_timer::time_point::max()) {}

void Signal::notify() {
    set_ = true;
    timer_.cancel();
}

awaitable<void> Signal::wait() {
    while (!set_) {
        co_await timer_.async_wait(kAwait);
        const auto state = co_await asio::this_coro::cancellation_state;
        if (state.cancelled() != asio::cancellation_type::none) {
            throw boost::system::system_error(asio::error::operation_aborted);
        }
    }
    set_ = false;
}

}  // namespace steelyard::rt
