#pragma once

#include "speaker/io/dataplane/dataplane.hpp"
#include "speaker/io/dataplane/kernel_port.hpp"
#include "speaker/proxy/diff/ledger.hpp"
#include "speaker/proxy/diff/retries.hpp"

#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

namespace steelyard::dataplane {

// Drives the ledger: reads the kernel into it, writes what differs, and sorts out what the kernel
// refused. An object that turns out other than known is read again by itself; one that is refused
// is tried again later by itself; only lost answers cost a reading of everything. The owner makes
// one call at a time and supplies the clock.
class Mirror {
public:
    Mirror(KernelPort& kernel, const proxy::ProxyConfig& config, Counters& counters);

    // Reads everything. An Error leaves the mirror unsure: is_sure() is false until a reading
    // works.
    awaitable<Result<>> read();
    [[nodiscard]] bool is_sure() const { return sure_; }
    void doubt() { sure_ = false; }

    void update(const proxy::Changes& changes) { ledger_.update(changes); }
    // Writes what differs, into `report`: ops, sends, failures, purges, what is servable.
    awaitable<Result<>> write(Report& report);
    // Makes what is due, drains that end and refusals to be tried again, part of the next write().
    void prepare_due(Instant now);
    [[nodiscard]] bool has_refusals() const { return !retries_.troubles().empty(); }
    // When something will be due.
    [[nodiscard]] std::optional<Instant> next_due() const;
    // Whether one of the known virtual servers, another one each time, is still there.
    awaitable<Result<bool>> look();
    // Failures and addresses, without having written.
    void fill(Report& report);
    [[nodiscard]] std::size_t settled() const { return ledger_.settled(); }

private:
    enum class Next { Done, Again, ReadAll };
    struct Pass;

    awaitable<Next> write_once(bool last, Report& report);
    awaitable<void> execute(const std::vector<proxy::Op>& ops, Pass& pass, Report& report);
    awaitable<Result<>> read_again(const std::set<proxy::VirtualServerKey>& servers);
    awaitable<void> purge(const std::set<proxy::VirtualServerKey>& changed, Report& report);
    void count(const proxy::Op& op);

    KernelPort& kernel_;
    Counters& counters_;
    proxy::Ledger ledger_;
    proxy::Retries retries_;
    proxy::VirtualServerKey looked_at_;
    bool sure_ = false;
    bool read_once_ = false;
};

}  // namespace steelyard::dataplane
