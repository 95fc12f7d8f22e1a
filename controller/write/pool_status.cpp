#include "controller/write/pool_status.hpp"

#include "common/rt/sleep.hpp"
#include "controller/write/status_patch.hpp"

#include <optional>
#include <utility>

namespace steelyard::controller {
namespace {

constexpr Duration kRetryDelay = std::chrono::seconds(5);

}  // namespace

PoolStatusWriter::PoolStatusWriter(
    const asio::any_io_executor& executor,
    kube::KubeApi& api,
    const log::Logger& logger,
    std::string ns,
    Duration interval
)
    : api_(api),
      logger_(logger.with_component("pool-status")),
      ns_(std::move(ns)),
      interval_(interval),
      wake_(executor) {}

void PoolStatusWriter::put(const std::vector<ipam::PoolCount>& counts) {
    std::map<std::string, ipam::PoolCount> wanted;
    for (const ipam::PoolCount& count : counts) {
        wanted.emplace(count.pool, count);
    }
    if (wanted != wanted_) {
        wanted_ = std::move(wanted);
        std::erase_if(written_, [&](const auto& entry) { return !wanted_.contains(entry.first); });
    }
    wake_.notify();
}

awaitable<void> PoolStatusWriter::run() {
    for (;;) {
        // A copy: the counts may change while one of them is written.
        const auto wanted = wanted_;
        for (const auto& [pool, count] : wanted) {
            const auto before = written_.find(pool);
            if (before == written_.end() || before->second != count) {
                co_await write(count);
            }
        }
        co_await rt::sleep_for(interval_);
        if (wanted == wanted_) {
            co_await wake_.wait();
        }
    }
}

awaitable<void> PoolStatusWriter::write(ipam::PoolCount count) {
    const kube::ObjectKey key{ns_, count.pool};
    const kube::ObjectRef ref(kube::Resource<kube::IpAddressPool>::kType, key, "status");
    const nlohmann::json patch = pool_status_patch(count);
    const auto answer = co_await api_.patch_only(ref, kube::PatchType::Merge, patch);
    if (answer || is(answer.error(), Errc::NotFound)) {
        written_.insert_or_assign(count.pool, count);
        co_return;
    }
    logger_.warn(
        "writing the pool's counts failed, will retry",
        {{"pool", count.pool}, {"error", to_string(answer.error())}}
    );
    wake_.notify();
    co_await rt::sleep_for(kRetryDelay);
}

}  // namespace steelyard::controller
