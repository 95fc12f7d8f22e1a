#pragma once

#include "common/base/time.hpp"

#include <sys/types.h>

#include <cstddef>
#include <string>
#include <vector>

// The controller as the process it is, so that its memory is its own. Ended with this object.
namespace steelyard::bench {

class Daemon {
public:
    // Its output goes to `log`.
    Daemon(const std::string& binary, std::vector<std::string> arguments, const std::string& log);
    Daemon(const Daemon&) = delete;
    Daemon& operator=(const Daemon&) = delete;
    ~Daemon();

    [[nodiscard]] bool alive();
    struct Memory {
        double resident = 0;  // MB (10^6 bytes), VmRSS
        double peak = 0;      // VmHWM
        double own = 0;       // RssAnon: without the pages of the program's files
    };
    [[nodiscard]] Memory memory() const;
    [[nodiscard]] double cpu_seconds() const;

private:
    pid_t pid_ = -1;
};

}  // namespace steelyard::bench
