#pragma once

#include "common/config/config.hpp"
#include "common/kube/client/event_recorder.hpp"
#include "common/kube/model/core.hpp"
#include "common/log/log.hpp"
#include "common/metrics/metrics.hpp"
#include "common/rt/task_group.hpp"
#include "speaker/app/bgp/wire_bgp.hpp"
#include "speaker/app/status/status_writer.hpp"
#include "speaker/plan/bgp_planner.hpp"
#include "speaker/plan/bgp_status.hpp"

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

// BGP on the control thread: plans routes, tells the wire thread what became different, and tells
// people what was sent and how the sessions are (ServiceBGPStatus, BGPSessionState, Events). It
// holds the planner, which is incremental: what happens between a Service's change and its UPDATE
// does not grow with the number of Services.
namespace steelyard::speaker {

class BgpSide {
public:
    struct Options {
        std::string node_name;
        std::string load_balancer_class;
        bool ignore_exclude_label = false;
        std::string ns;  // of the status objects
        std::uint64_t seed = 0;
    };
    // Where orders go.
    struct Wire {
        std::function<void(BgpPeers)> set_peers;
        std::function<void(bgp_rib::Changes, std::uint64_t sequence)> apply;
        std::function<void(bool)> set_draining;
    };
    // What the plan is made from, beside Services and slices.
    struct Facts {
        std::shared_ptr<const config::Config> config;  // null until one was valid
        std::shared_ptr<const kube::Node> node;        // this one; null: not seen yet
        // What this node's kernel forwards; null: another proxy does.
        std::shared_ptr<const std::set<net::IpAddress>> servable;
        // Every first list is in and the kernel was programmed. What is not planned before is not
        // known rather than gone: a peer that kept our routes must not lose them to that.
        bool complete = false;
        bool draining = false;
    };
    // An Event about a Service, or about a BGPPeer by its name.
    struct Telling {
        std::function<void(const speaker_plan::Event&)> service_event;
        std::function<void(const std::string& peer, bool warning, std::string reason, std::string)>
            peer_event;
    };

    // `api` and `log` outlive it.
    BgpSide(
        const asio::any_io_executor& executor,
        kube::KubeApi& api,
        const log::Logger& log,
        Options options,
        Wire wire,
        Telling telling
    );

    void spawn(rt::TaskGroup& tasks);

    // Null: the object is gone.
    void set_service(const kube::ObjectKey& key, std::shared_ptr<const kube::Service> service);
    void set_slice(const kube::ObjectKey& key, std::shared_ptr<const kube::EndpointSlice> slice);
    void plan(const Facts& facts);
    // What the first plan has was there before this process: no news.
    void set_restarted(bool restarted) { restarted_ = restarted; }

    void on_status(const std::shared_ptr<const io::BgpStatus>& status);
    void on_log(io::BgpDriver::Level level, const std::string& line) const;
    // Every few seconds: brings the numbers in BGPSessionState up to date.
    void upkeep();
    // Our own pod, which the status objects go with.
    void set_owner(std::optional<kube::PodOwner> pod);

    [[nodiscard]] const speaker_plan::BgpPlan& plan() const { return planner_.plan(); }

private:
    void follow_context(const Facts& facts);
    void follow_peers();
    void tell_services(const speaker_plan::BgpChanges& changes);
    void tell_session(const io::BgpPeerStatus* before, const io::BgpPeerStatus& now);
    void date(const io::BgpPeerStatus& peer);
    [[nodiscard]] bool knows_all_peers() const;
    [[nodiscard]] bool had_all_peers() const;
    [[nodiscard]] BgpStatusWriter::Changes service_statuses(
        const speaker_plan::Objects<kube::ServiceBgpStatus>& observed
    ) const;
    [[nodiscard]] SessionStateWriter::Changes session_states(
        const speaker_plan::Objects<kube::BgpSessionState>& observed
    ) const;

    Options options_;
    Wire wire_;
    Telling telling_;
    const log::Logger& log_;
    speaker_plan::BgpPlanner planner_;
    std::shared_ptr<const config::Config> config_;
    std::shared_ptr<const kube::Node> node_;
    std::shared_ptr<const std::set<net::IpAddress>> servable_;
    bool draining_ = false;
    bool told_context_ = false;
    bool restarted_ = false;
    bool applied_ = false;  // the wire thread has the first complete plan
    Instant applied_at_{};
    bool returned_ = false;  // nothing that an earlier run has told is held any more
    std::optional<std::uint32_t> router_id_;  // kept: another one would reset every session
    BgpPeers peers_;                          // as the wire thread has them
    std::shared_ptr<const io::BgpStatus> status_;
    std::map<std::string, std::set<std::string>> told_;  // troubles by peer, until it is up

    // How a session is, as people are told: a peer that is tried again and again is no news.
    struct Dated {
        bool up = false;
        std::string reason;
        WallTime since;
        std::size_t sent_v4 = 0;  // as told: not each change of them is worth a write
        std::size_t sent_v6 = 0;
    };
    std::map<std::string, Dated> dated_;  // by peer
    speaker_plan::StatusScope scope_;
    BgpStatusWriter service_statuses_;
    SessionStateWriter session_states_;
};

}  // namespace steelyard::speaker
