#pragma once

#include "common/config/config.hpp"
#include "common/daemon/configuration_state.hpp"
#include "common/kube/client/api.hpp"
#include "common/kube/client/event_recorder.hpp"
#include "common/log/log.hpp"
#include "common/metrics/metrics.hpp"
#include "common/rt/signal.hpp"
#include "common/rt/task_group.hpp"
#include "speaker/app/bgp/bgp_side.hpp"
#include "speaker/app/conflicts.hpp"
#include "speaker/app/node_meta/node_meta.hpp"
#include "speaker/app/proxy/proxy_side.hpp"
#include "speaker/app/status/status_writer.hpp"
#include "speaker/app/watches.hpp"
#include "speaker/app/wire_side.hpp"
#include "speaker/io/netlink/link_monitor.hpp"
#include "speaker/options/options.hpp"
#include "speaker/plan/l2_status.hpp"
#include "speaker/plan/plan.hpp"

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

// The control thread of the speaker: watches the API, keeps the kernel equal to the proxy's plan,
// and tells the wire thread what to announce. Everything is level-triggered: any change wakes two
// loops, which plan from what is known then: one programs the kernel (proxy/proxy_side), the other
// announces and never waits for it. Decisions live in speaker/proxy and speaker/plan; BGP's part is
// bgp/bgp_side.
namespace steelyard::speaker {

class Speaker {
public:
    // `api` and `registry` outlive it.
    Speaker(
        const asio::any_io_executor& executor,
        const Options& options,
        kube::KubeApi& api,
        const log::Logger& log,
        metrics::Registry& registry,
        std::uint64_t seed
    );

    // Prepares the node, then works until `stop` is notified or a task fails; hands over, leaves
    // the kernel as it is, and returns. An Error is what kept it from starting or running.
    awaitable<Result<>> run(rt::Signal& stop);

    // Why this node cannot serve yet, in one line; "" when it can.
    [[nodiscard]] std::string not_ready() const;
    // What is wrong though it serves, in one line; "" when nothing is.
    [[nodiscard]] std::string remark() const { return proxy_.refusal(); }
    awaitable<void> refresh_metrics();

private:
    awaitable<Result<>> prepare();
    void spawn_tasks();
    awaitable<void> hand_over();
    awaitable<void> yield_addresses();
    void wake();
    awaitable<void> plan_loop();
    awaitable<void> meta_loop();
    awaitable<void> upkeep_loop();
    void meet_others();
    awaitable<void> end_meeting();
    void met();
    void begin_settling();
    void review_settling();
    awaitable<void> end_settling(std::uint64_t mine);
    void count_announced();
    void count_members();
    void become_ready();
    void note_kernel();
    void record_node(std::string reason, std::string message);
    void announce();
    void route();
    bool load_config();  // whether it is another one now
    void tell_services(const speaker_plan::Announcements& next);
    void tell_statuses();
    [[nodiscard]] L2StatusWriter::Changes l2_statuses(
        const speaker_plan::ObservedL2Statuses& observed
    ) const;
    [[nodiscard]] config::StateOf state_of() const;
    [[nodiscard]] std::optional<daemon::ConfigurationStateWriter::Known> known_state() const;
    void record(const speaker_plan::Event& event);
    void tell_meta();
    void follow_peers();
    void reload_keys();
    void on_sight(const WireSide::SightRef& sight);
    void on_conflict(const l2::Conflict& conflict);
    void end(const Error& error);
    void record_peer(const std::string& peer, bool warning, std::string reason, std::string text);
    [[nodiscard]] awaitable<bool> forwarding_kept();
    void open_bgp(bool forwarding_kept);
    [[nodiscard]] bool told_to_drain() const;
    [[nodiscard]] bool drains() const;
    [[nodiscard]] NodeMeta own_meta() const;
    [[nodiscard]] bool answers_ping() const;
    [[nodiscard]] std::optional<ProxySide::Facts> proxy_facts() const;
    void follow_nodes();
    [[nodiscard]] ProxySide::Telling proxy_telling();
    [[nodiscard]] speaker_plan::Snapshot snapshot() const;
    [[nodiscard]] WireSide::Callbacks wire_callbacks();
    [[nodiscard]] BgpSide::Options bgp_options() const;
    [[nodiscard]] BgpSide::Wire bgp_wire();
    [[nodiscard]] BgpSide::Telling bgp_telling();
    [[nodiscard]] Result<WireConfig> wire_config();
    void on_task_end(const std::string& name, const std::exception_ptr& error);

    asio::any_io_executor executor_;
    Options options_;
    kube::KubeApi& api_;
    log::Logger log_;
    metrics::Registry& registry_;
    std::uint64_t seed_;

    rt::Signal replan_;
    rt::Signal tell_;             // the others, about this node
    rt::Signal* stop_ = nullptr;  // valid while run() runs
    std::optional<Error> failure_;
    kube::EventRecorder events_;
    netlink::LinkMonitor links_;
    ProxySide proxy_;
    std::unique_ptr<WireSide> wire_;
    BgpSide bgp_;
    Watches watches_;
    speaker_plan::StatusScope status_scope_;
    L2StatusWriter l2_statuses_;
    daemon::ConfigurationStateWriter configuration_state_;

    config::LastGood config_;
    std::uint64_t parsed_version_ = 0;  // of the objects it was made from
    std::optional<config::Scope> parsed_scope_;
    gossip_wire::KeyRing keys_;
    std::string key_failure_;   // as logged
    WireSide::SightRef sight_;  // null until gossip told
    std::vector<net::Endpoint> peers_;

    std::vector<std::uint32_t> unservable_;  // what the kernel refused
    // Zones of all nodes, made anew when a Node changes.
    std::map<std::string, std::string, std::less<>> zones_;

    std::shared_ptr<const speaker_plan::Announcements> announcements_;  // never null
    l2::Announcements answered_;  // what the wire thread was last told to answer for
    bool announced_once_ = false;
    bool announced_draining_ = false;         // by a plan that knew that this node drains
    std::optional<double> failover_seconds_;  // from the last verdict to its announcements
    std::optional<Instant> judged_;           // the last verdict that was planned for
    Conflicts conflicts_;

    NodeMeta told_;  // of this node, to the others
    bool ready_ = false;
    bool meeting_ = false;  // the peers are known; since then they are waited for
    bool met_ = false;      // another speaker was seen, or none answered in time
    bool settling_ = false;
    bool founder_ = false;         // settled at once, for want of anybody who had something to keep
    std::uint64_t settlings_ = 0;  // begun so far: the last one ends it
    bool cut_off_ = false;         // the others hold this node unreachable
    bool leaving_ = false;         // others take over what we still answer for

    rt::TaskGroup tasks_;  // last: joined before anything its tasks use dies
};

}  // namespace steelyard::speaker
