#pragma once

#include "common/net/ip.hpp"
#include "common/rt/run_one.hpp"

#include <boost/asio/io_context.hpp>
#include <gtest/gtest.h>

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
        return rt::run_one(ioc_, std::move(work));
    }

    asio::io_context ioc_{1};
};

}  // namespace steelyard::dataplane
