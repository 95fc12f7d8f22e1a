#include "speaker/l2/station.hpp"

#include <utility>

namespace steelyard::l2 {
namespace {

constexpr Duration kJudgeAfter = std::chrono::seconds(1);
constexpr Duration kDefendInterval = std::chrono::seconds(10);  // RFC 5227 1.1
// Of all addresses together: whoever spoofs them all shall not flood the one who listens.
constexpr double kReportsPerSecond = 10;

}  // namespace

Station::Station(const AnnouncerOptions& options, Rng& rng)
    : responder_(ownership_),
      echo_(ownership_),
      announcer_(options, rng),
      reports_(kReportsPerSecond, kReportsPerSecond) {}

void Station::set_ports(std::vector<Port> ports, Instant now) {
    ownership_.set_ports(ports);
    announcer_.set_ports(std::move(ports), now);
}

void Station::set_announcements(std::shared_ptr<const Announcements> announcements, Instant now) {
    ownership_.set_announcements(announcements, now, now < lease_);
    announcer_.set_announcements(std::move(announcements), now);
    responder_.forget_released();
    echo_.forget_released();
    std::erase_if(next_judgement_, [this](const auto& entry) {
        return !ownership_.is_answered(entry.first);
    });
}

bool Station::set_lease(Instant until, Instant now) {
    const bool renewed = lease_ <= now && until > now;
    lease_ = until;
    if (renewed) {
        lapsed_ = false;
        ownership_.resume(now);
        announcer_.announce_all_again(now);
    }
    return renewed;
}

void Station::announce_again(unsigned interface_index, Instant now) {
    announcer_.announce_again(interface_index, now);
}

void Station::announce_all_again(Instant now) {
    ownership_.retake(now);
    announcer_.announce_all_again(now);
}

void Station::on_frame(
    unsigned interface_index, std::span<const std::byte> frame, Instant now, Actions& out
) {
    if (const auto why = receive(interface_index, frame, now, out)) {
        drops_.count(*why);
    }
}

std::optional<Drop> Station::receive(
    unsigned interface_index, std::span<const std::byte> frame, Instant now, Actions& out
) {
    if (now >= lease_) {
        return Drop::NoLease;
    }
    const Port* const port = ownership_.port(interface_index);
    if (port == nullptr) {
        return Drop::NotForUs;
    }
    const std::uint16_t type = ether_type(frame);
    if (type == kEtherTypeArp) {
        return receive_neighbour(*port, responder_.on_arp(*port, frame, out), now);
    }
    if (type == kEtherTypeIpv4 || (type == kEtherTypeIpv6 && is_icmpv6_echo_request(frame))) {
        const auto answered = echo_.on_frame(*port, frame, now, out);
        return answered ? std::nullopt : std::optional(answered.why());
    }
    return receive_neighbour(*port, responder_.on_ndp(*port, frame, out), now);
}

std::optional<Drop> Station::receive_neighbour(const Port& port, const Heard& heard, Instant now) {
    if (const auto* asked = std::get_if<Asked>(&heard)) {
        announcer_.on_asked(port.index, asked->address, now);
        return std::nullopt;
    }
    if (const auto* claimed = std::get_if<Claimed>(&heard)) {
        on_claim(port, *claimed, now);
        return std::nullopt;
    }
    return std::get<Drop>(heard);
}

void Station::on_claim(const Port& port, const Claimed& claimed, Instant now) {
    if (ownership_.on_claim(claimed.address, port, now) != Ownership::Claim::Conflict) {
        return;
    }
    Instant& next = next_judgement_.try_emplace(claimed.address, now).first->second;
    if (now < next) {
        return;
    }
    next = now + kDefendInterval;
    const Conflict conflict{port.index, claimed.address, claimed.claimant, false};
    judgements_.push_back({now + kJudgeAfter, conflict});
}

void Station::judge(Instant now, Actions& out) {
    while (!judgements_.empty() && judgements_.front().due <= now) {
        Conflict conflict = judgements_.front().conflict;
        judgements_.pop_front();
        const Port* const port = ownership_.port(conflict.interface_index);
        const Announcement* const announcement =
            port == nullptr ? nullptr : ownership_.find(conflict.address, *port);
        if (announcement == nullptr || announcement->role != Role::Announce || now >= lease_) {
            continue;
        }
        if (!reports_.take(now)) {
            continue;
        }
        conflict.defended = announcer_.defend(port->index, conflict.address, now, out);
        out.emplace_back(conflict);
    }
}

void Station::on_deadline(Instant now, Actions& out) {
    ownership_.expire(now);
    judge(now, out);
    lapsed_ = now >= lease_;
    if (!lapsed_) {
        announcer_.on_deadline(now, out);
        note_claims();
    }
}

void Station::note_claims() {
    std::vector<net::IpAddress> claimed;
    for (const net::IpAddress& address : ownership_.relieving()) {
        if (announcer_.gratuitous_sent().contains(address)) {
            claimed.push_back(address);
        }
    }
    for (const net::IpAddress& address : claimed) {
        ownership_.on_claimed(address);
    }
}

std::optional<Instant> Station::next_deadline() const {
    auto next = ownership_.next_deadline();
    if (!judgements_.empty() && (!next || judgements_.front().due < *next)) {
        next = judgements_.front().due;
    }
    const auto announce = lapsed_ ? std::nullopt : announcer_.next_deadline();
    if (announce && (!next || *announce < *next)) {
        next = announce;
    }
    return next;
}

std::unordered_map<net::IpAddress, AddressCounters> Station::counters() const {
    auto merged = responder_.counters();
    for (const auto& [address, sent] : announcer_.gratuitous_sent()) {
        merged[address].gratuitous_sent = sent;
    }
    return merged;
}

}  // namespace steelyard::l2
