#include "speaker/app/bgp/bgp_side.hpp"

#include "speaker/app/bgp/bgp_view.hpp"

#include <algorithm>
#include <utility>

namespace steelyard::speaker {
namespace {

const io::BgpPeerStatus* find(const io::BgpStatus& status, const std::string& name) {
    const auto found = std::find_if(status.begin(), status.end(), [&](const auto& peer) {
        return peer.name == name;
    });
    return found == status.end() ? nullptr : &*found;
}

constexpr std::size_t kTroublesTold = 8;

// Other nodes' objects are theirs, and many.
std::string own_objects(const std::string& node_name) {
    return std::string(speaker_plan::kNodeLabel) + "=" + speaker_plan::label_value(node_name);
}

bool is_up(const io::BgpPeerStatus* peer) {
    return peer != nullptr && peer->state == bgp::State::Established;
}

}  // namespace

BgpSide::BgpSide(
    const asio::any_io_executor& executor,
    kube::KubeApi& api,
    const log::Logger& log,
    Options options,
    Wire wire,
    Telling telling
)
    : options_(std::move(options)),
      wire_(std::move(wire)),
      telling_(std::move(telling)),
      log_(log),
      status_(std::make_shared<const io::BgpStatus>()),
      scope_{options_.node_name, options_.ns, std::nullopt},
      service_statuses_(
          executor,
          api,
          log,
          options_.ns,
          own_objects(options_.node_name),
          [this](const auto& observed) { return service_statuses(observed); },
          options_.seed
      ),
      session_states_(
          executor,
          api,
          log,
          options_.ns,
          own_objects(options_.node_name),
          [this](const auto& observed) { return session_states(observed); },
          options_.seed + 1
      ) {}

void BgpSide::spawn(rt::TaskGroup& tasks) {
    service_statuses_.spawn(tasks);
    session_states_.spawn(tasks);
}

void BgpSide::set_owner(std::optional<kube::PodOwner> pod) {
    if (pod != scope_.pod) {
        scope_.pod = std::move(pod);
        service_statuses_.wake();
        session_states_.wake();
    }
}

void BgpSide::set_service(
    const kube::ObjectKey& key, std::shared_ptr<const kube::Service> service
) {
    planner_.set_service(key, std::move(service));
}

void BgpSide::set_slice(
    const kube::ObjectKey& key, std::shared_ptr<const kube::EndpointSlice> slice
) {
    planner_.set_slice(key, std::move(slice));
}

void BgpSide::plan(const Facts& facts) {
    follow_context(facts);
    if (!facts.complete) {
        return;
    }
    if (facts.servable != servable_) {
        servable_ = facts.servable;
        std::optional<std::vector<net::IpAddress>> addresses;
        if (servable_) {
            addresses.emplace(servable_->begin(), servable_->end());
        }
        planner_.set_servable(std::move(addresses));
    }
    const speaker_plan::BgpChanges changes = planner_.update();
    const bool first = !std::exchange(applied_, true);
    if (first) {
        applied_at_ = std::chrono::steady_clock::now();
    }
    if (first || changes.changes_routes()) {
        wire_.apply(rib_changes(changes), changes.sequence);
        service_statuses_.wake();
    }
    if (!first || !restarted_) {
        tell_services(changes);
    }
}

void BgpSide::follow_context(const Facts& facts) {
    const bool same = told_context_ && facts.config == config_ && facts.node == node_ &&
                      facts.draining == draining_;
    if (same) {
        return;
    }
    told_context_ = true;
    config_ = facts.config;
    node_ = facts.node;
    if (std::exchange(draining_, facts.draining) != facts.draining) {
        wire_.set_draining(draining_);
    }
    speaker_plan::BgpContext context;
    context.node_name = options_.node_name;
    context.load_balancer_class = options_.load_balancer_class;
    context.ignore_exclude_label = options_.ignore_exclude_label;
    context.draining = draining_;
    context.config = config_;
    context.node = node_;
    planner_.set_context(std::move(context));
    follow_peers();
}

void BgpSide::follow_peers() {
    if (config_ == nullptr || node_ == nullptr) {
        return;
    }
    if (!router_id_) {
        router_id_ = default_router_id(*node_);
    }
    // Not the planner's, which lags until routes may be planned: sessions open before.
    speaker_plan::Snapshot here;
    here.node_name = options_.node_name;
    here.config = config_;
    here.nodes.emplace(node_->meta.key, node_);
    BgpPeers peers = wire_peers(speaker_plan::active_peers(here), *config_, *router_id_);
    if (peers != peers_) {
        peers_ = peers;
        wire_.set_peers(std::move(peers));
    }
}

void BgpSide::tell_services(const speaker_plan::BgpChanges& changes) {
    for (const auto& event : speaker_plan::bgp_events(options_.node_name, changes)) {
        telling_.service_event(event);
    }
    if (!log_.enabled(log::Level::Debug)) {
        return;
    }
    for (const speaker_plan::BgpChanges::Upsert& upsert : changes.upsert) {
        log_.debug("route announced", {{"prefix", to_string(upsert.prefix)}});
    }
    for (const net::Prefix& prefix : changes.remove) {
        log_.debug("route withdrawn", {{"prefix", to_string(prefix)}});
    }
}

void BgpSide::on_log(io::BgpDriver::Level level, const std::string& line) const {
    if (level == io::BgpDriver::Level::Warning) {
        log_.warn(line);
    } else {
        log_.info(line);
    }
}

void BgpSide::on_status(const std::shared_ptr<const io::BgpStatus>& status) {
    for (const io::BgpPeerStatus& peer : *status) {
        tell_session(find(*status_, peer.name), peer);
        date(peer);
    }
    const auto gone = [&](const auto& entry) {
        return find(*status, entry.first) == nullptr;
    };
    std::erase_if(told_, gone);
    std::erase_if(dated_, gone);
    status_ = status;
    service_statuses_.wake();
    session_states_.wake();
}

// Each trouble once, until the session was up again.
void BgpSide::tell_session(const io::BgpPeerStatus* before, const io::BgpPeerStatus& now) {
    const std::string on_node = " on node \"" + options_.node_name + "\"";
    if (is_up(&now)) {
        told_.erase(now.name);
        if (!is_up(before)) {
            telling_.peer_event(now.name, false, "sessionUp", "session is established" + on_node);
        }
        return;
    }
    // Texts come from the other side too, so there may be any number of them.
    std::set<std::string>& told = told_[now.name];
    if (now.trouble && told.size() < kTroublesTold && told.insert(now.trouble->text).second) {
        telling_.peer_event(
            now.name,
            now.trouble->kind != bgp::Trouble::Kind::Stopped,
            "sessionDown",
            now.trouble->text + on_node
        );
    }
}

}  // namespace steelyard::speaker
