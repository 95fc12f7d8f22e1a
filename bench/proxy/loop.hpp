#pragma once

#include "common/rt/run_one.hpp"
#include "speaker/io/dataplane/dataplane.hpp"

#include <boost/asio/io_context.hpp>

#include <chrono>
#include <utility>

namespace steelyard::bench {

// An event loop that runs one awaitable at a time to its end.
class Loop {
public:
    template <class T>
    T wait(awaitable<T> work) {
        return rt::run_one(ioc_, std::move(work));
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
