#pragma once

#include "common/base/error.hpp"

#include <string>
#include <vector>

// Kernel settings under /proc/sys, written only when they differ: a node may forbid writes to what
// is already right. Files are tiny, so the calls block.
namespace steelyard::netlink {

struct Sysctl {
    std::string name;  // with slashes: net/ipv4/ip_forward
    std::string value;
    bool optional = false;  // absent on some kernels
};

// True when it was written.
[[nodiscard]] Result<bool> ensure(const Sysctl& sysctl, const std::string& root = "/proc/sys/");

}  // namespace steelyard::netlink
