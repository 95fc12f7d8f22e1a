#pragma once

#include "common/kube/client/api.hpp"
#include "common/log/log.hpp"
#include "common/rt/signal.hpp"
#include "controller/ipam/allocator.hpp"

#include <map>
#include <string>
#include <vector>

// Keeps IPAddressPool.status equal to the allocator's counts. Counts change with every Service, so
// they are written at most once per interval and only where they differ from what was written.
namespace steelyard::controller {

class PoolStatusWriter {
public:
    PoolStatusWriter(
        const asio::any_io_executor& executor,
        kube::KubeApi& api,
        const log::Logger& logger,
        std::string ns,
        Duration interval
    );

    void put(const std::vector<ipam::PoolCount>& counts);
    // The object came back or somebody changed it: write it again.
    void forget(const std::string& pool) { written_.erase(pool); }
    awaitable<void> run();

private:
    awaitable<void> write(ipam::PoolCount count);

    kube::KubeApi& api_;
    log::Logger logger_;
    std::string ns_;
    Duration interval_;
    rt::Signal wake_;
    std::map<std::string, ipam::PoolCount> wanted_;
    std::map<std::string, ipam::PoolCount> written_;
};

}  // namespace steelyard::controller
