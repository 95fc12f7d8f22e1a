#pragma once

#include "common/base/error.hpp"
#include "common/rt/asio.hpp"
#include "speaker/io/dataplane/observer.hpp"
#include "speaker/io/dataplane/outcome.hpp"
#include "speaker/proxy/conntrack/stale.hpp"
#include "speaker/proxy/diff/op.hpp"

#include <cstddef>
#include <optional>
#include <vector>

namespace steelyard::dataplane {

// What the mirror asks of a kernel: read it, write it. kernel.hpp has the real one; a test has one
// in memory that refuses and forgets at will. One call at a time.
class KernelPort {
public:
    KernelPort() = default;
    KernelPort(const KernelPort&) = delete;
    KernelPort& operator=(const KernelPort&) = delete;
    virtual ~KernelPort() = default;

    // Creates what everything else hangs on, if missing: link and sets.
    virtual awaitable<Result<>> ensure() = 0;
    virtual awaitable<Result<>> read(Observer& observer) = 0;
    virtual awaitable<Result<std::optional<proxy::VirtualServer>>> read_server(
        const proxy::VirtualServerKey& key
    ) = 0;
    virtual awaitable<Result<bool>> has(const proxy::VirtualServerKey& key) = 0;
    virtual awaitable<Outcome> execute(const std::vector<proxy::Op>& ops) = 0;
    virtual awaitable<Result<std::size_t>> purge_flows(const conntrack::Frontends& frontends) = 0;
};

}  // namespace steelyard::dataplane
