#include "common/rt/sleep.hpp"

#include <boost/asio/error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/system/system_error.hpp>

namespace steelyard::rt {

awaitable<void> sleep_for(Duration duration) {
    return sleep_until(std::chrono::steady_clock::now() + duration);
}

awaitable<void> sleep_until(Instant instant) {
    asio::steady_timer timer(co_await asio::this_coro::executor, instant);
    auto [error] = co_await timer.async_wait(kAwait);
    if (error) {
        throw boost::system::system_error(error);
    }
}

}  // namespace steelyard::rt
