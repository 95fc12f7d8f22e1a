#pragma once

#include "common/base/error.hpp"
#include "common/rt/asio.hpp"
#include "speaker/proxy/config.hpp"

#include <map>
#include <set>
#include <string>

// What a former run in another mode left in the kernel, told by ipsets that nobody but us makes.
// The sets of mode load-balancer have names of our own; those of mode full are kube-proxy's, but
// for the few it does not know.
namespace steelyard::dataplane {

// Each mode that left something, with a set that tells.
using Leftovers = std::map<proxy::Mode, std::string>;

[[nodiscard]] Leftovers leftovers_among(const std::set<std::string>& ipsets);
// Reads the names of the kernel's ipsets; needs NET_ADMIN.
[[nodiscard]] awaitable<Result<Leftovers>> find_leftovers(asio::any_io_executor executor);

}  // namespace steelyard::dataplane
