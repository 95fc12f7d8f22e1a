#include "speaker/app/bgp/bgp_side.hpp"

#include <algorithm>
#include <chrono>
#include <utility>

// What BgpSide writes about: ServiceBGPStatus and BGPSessionState objects.
namespace steelyard::speaker {
namespace {

// What an earlier run has told stays for so long while its sessions come back.
constexpr Duration kReturn = std::chrono::seconds(30);

std::string reason_of(const io::BgpPeerStatus& peer) {
    const bool up = peer.state == bgp::State::Established;
    return up || !peer.trouble ? "" : std::string(to_string(peer.trouble->kind));
}

speaker_plan::BgpPeerFacts facts_of(const io::BgpPeerStatus& peer) {
    speaker_plan::BgpPeerFacts facts;
    facts.peer = peer.name;
    if (peer.state == bgp::State::Established) {
        facts.v4 = peer.prefixes_v4 != 0;
        facts.v6 = peer.prefixes_v6 != 0;
        facts.synced = peer.synced;
    }
    return facts;
}

}  // namespace

void BgpSide::date(const io::BgpPeerStatus& peer) {
    const bool up = peer.state == bgp::State::Established;
    const std::string reason = reason_of(peer);
    const auto [it, fresh] = dated_.try_emplace(peer.name);
    if (fresh || it->second.up != up || it->second.reason != reason) {
        const WallTime now = std::chrono::system_clock::now();
        it->second = {up, reason, now, peer.prefixes_v4, peer.prefixes_v6};
    }
}

bool BgpSide::knows_all_peers() const {
    return status_->size() >= peers_.peers.size();
}

// Each was up once since this process began, or had the time for it.
bool BgpSide::had_all_peers() const {
    const auto was_up = [](const io::BgpPeerStatus& peer) {
        return peer.state == bgp::State::Established || peer.flaps != 0;
    };
    return std::chrono::steady_clock::now() > applied_at_ + kReturn ||
           (knows_all_peers() && std::all_of(status_->begin(), status_->end(), was_up));
}

void BgpSide::upkeep() {
    if (applied_ && !returned_) {
        returned_ = std::chrono::steady_clock::now() > applied_at_ + kReturn;
        service_statuses_.wake();
    }
    for (const io::BgpPeerStatus& peer : *status_) {
        Dated& dated = dated_[peer.name];
        if (dated.sent_v4 != peer.prefixes_v4 || dated.sent_v6 != peer.prefixes_v6) {
            dated.sent_v4 = peer.prefixes_v4;
            dated.sent_v6 = peer.prefixes_v6;
            session_states_.wake();
        }
    }
}

BgpStatusWriter::Changes BgpSide::service_statuses(
    const speaker_plan::Objects<kube::ServiceBgpStatus>& observed
) const {
    if (!applied_) {
        return {};  // what an earlier run has told may well still hold
    }
    std::vector<speaker_plan::BgpPeerFacts> peers;
    for (const io::BgpPeerStatus& peer : *status_) {
        peers.push_back(facts_of(peer));
    }
    const auto desired = speaker_plan::desired_bgp_statuses(scope_, planner_.plan(), peers);
    auto changes = speaker_plan::diff_bgp_statuses(scope_, desired, observed);
    if (!had_all_peers()) {
        changes.remove.clear();
    }
    return changes;
}

SessionStateWriter::Changes BgpSide::session_states(
    const speaker_plan::Objects<kube::BgpSessionState>& observed
) const {
    if (!applied_ && status_->empty()) {
        return {};  // the driver has not told yet
    }
    std::vector<kube::BgpSessionState> sessions;
    for (const io::BgpPeerStatus& peer : *status_) {
        kube::BgpSessionState session;
        session.peer = peer.name;
        if (!peer.remote.address.is_unspecified()) {
            session.address = to_string(peer.remote.address);
        }
        // A peer that is tried again and again goes through every state: no news.
        const bool steady = peer.state == bgp::State::Established || !peer.trouble;
        session.bgp = to_string(steady ? peer.state : bgp::State::Active);
        session.bfd = to_string(peer.bfd);
        session.reason = reason_of(peer);
        session.message = session.reason.empty() ? "" : peer.trouble->text;
        if (const auto dated = dated_.find(peer.name); dated != dated_.end()) {
            session.since = dated->second.since;
            session.sent_ipv4 = static_cast<std::int64_t>(dated->second.sent_v4);
            session.sent_ipv6 = static_cast<std::int64_t>(dated->second.sent_v6);
        }
        session.remote_asn = peer.negotiated ? peer.negotiated->remote_asn : 0;
        session.restarts = static_cast<std::int64_t>(peer.flaps);
        sessions.push_back(std::move(session));
    }
    const auto desired = speaker_plan::desired_session_states(scope_, std::move(sessions));
    auto changes = speaker_plan::diff_session_states(scope_, desired, observed);
    if (!knows_all_peers()) {
        changes.remove.clear();
    }
    return changes;
}

}  // namespace steelyard::speaker
