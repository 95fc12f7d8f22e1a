#pragma once

#include "common/base/error.hpp"
#include "common/base/time.hpp"
#include "common/rt/asio.hpp"

#include <string>
#include <vector>

namespace steelyard::iptables {

struct Output {
    int status = 0;  // exit status; 128 + signal when one ended it
    std::string out;
    std::string err;
};

// Runs a program found through PATH, feeds it `input` and collects what it prints, without blocking
// the loop. NotFound when there is no such program; Timeout when it outlived `deadline` and was
// killed. A cancelled task kills and reaps it too.
[[nodiscard]] awaitable<Result<Output>> run_process(
    std::vector<std::string> arguments, std::string input, Duration deadline
);

}  // namespace steelyard::iptables
