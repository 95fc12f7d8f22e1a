#pragma once

#include "common/base/error.hpp"
#include "common/base/time.hpp"
#include "common/net/ip.hpp"
#include "common/rt/asio.hpp"
#include "speaker/io/dataplane/dataplane.hpp"
#include "speaker/io/iptables/iptables.hpp"
#include "speaker/proxy/rules/rules.hpp"

#include <string>
#include <vector>

namespace steelyard::dataplane {

// Keeps the constant rules in place: one look a family, and one restore only where some are
// missing.
class RuleKeeper {
public:
    RuleKeeper(const proxy::ProxyConfig& config, Counters& counters);

    // Settles which iptables to use; an Error names the missing program.
    awaitable<Result<>> start();
    [[nodiscard]] const std::vector<std::string>& warnings() const { return iptables_.warnings(); }
    // Whether the rules for this are others than those kept so far.
    bool reconfigure(const proxy::ProxyConfig& config);
    // All families are tried; the Error is the first one's.
    awaitable<Result<>> ensure();
    // Takes chains and jumps out; a line for each family that had some.
    awaitable<Result<std::vector<std::string>>> remove();

private:
    awaitable<Result<>> ensure(net::Family family);

    proxy::ProxyConfig config_;
    Counters& counters_;
    iptables::Iptables iptables_;
};

}  // namespace steelyard::dataplane
