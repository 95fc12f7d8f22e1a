#include "speaker/l2/announcer.hpp"

#include "common/base/check.hpp"
#include "speaker/l2/arp.hpp"
#include "speaker/l2/ndp.hpp"

#include <utility>

namespace steelyard::l2 {
namespace {

constexpr double kRefreshJitter = 0.2;
constexpr unsigned kPacketsARound = 2;
// Before we claim what a live node still answers for: by then it knows of the move and gives way.
constexpr Duration kReliefTime = std::chrono::milliseconds(250);

Duration scaled(Duration duration, double factor) {
    return std::chrono::duration_cast<Duration>(std::chrono::duration<double, Duration::period>(
        static_cast<double>(duration.count()) * factor
    ));
}

Frame gratuitous(const net::MacAddress& mac, const net::IpAddress& address, bool second) {
    if (address.is_v4()) {
        const ArpOperation form = second ? ArpOperation::Reply : ArpOperation::Request;
        return encode_arp(gratuitous_arp(form, mac, address));
    }
    const net::IpAddress to = second ? all_routers() : all_nodes();
    return encode_ndp(unsolicited_advertisement(mac, address, to));
}

}  // namespace

Announcer::Announcer(const AnnouncerOptions& options, Rng& rng)
    : options_(options), rng_(&rng), announcements_(std::make_shared<const Announcements>()) {
    SY_CHECK(options.rounds > 0, "an address is announced at least once");
}

void Announcer::set_ports(std::vector<Port> ports, Instant now) {
    std::map<unsigned, Lane> next;
    for (Port& port : ports) {
        const unsigned index = port.index;
        auto known = lanes_.extract(index);
        if (known.empty()) {
            next.try_emplace(index, std::move(port), options_.packets_per_second);
        } else {
            Lane& lane = known.mapped();
            const bool same_mac = lane.port.mac == port.mac;
            lane.port = std::move(port);
            if (!same_mac) {
                restart(lane, false, now);  // in the same window: it is the same switch port
            }
            next.insert(std::move(known));
        }
        sync(next.at(index), now);
    }
    lanes_ = std::move(next);
}

void Announcer::set_announcements(std::shared_ptr<const Announcements> announcements, Instant now) {
    announcements_ = std::move(announcements);
    std::erase_if(gratuitous_sent_, [this](const auto& entry) {
        const auto found = announcements_->find(entry.first);
        return found == announcements_->end() || found->second.role != Role::Announce;
    });
    for (auto& [index, lane] : lanes_) {
        sync(lane, now);
    }
}

void Announcer::announce_again(unsigned interface_index, Instant now) {
    const auto lane = lanes_.find(interface_index);
    if (lane != lanes_.end()) {
        restart(lane->second, true, now);
    }
}

void Announcer::announce_all_again(Instant now) {
    for (auto& [index, lane] : lanes_) {
        restart(lane, true, now);
    }
}

void Announcer::on_asked(unsigned interface_index, const net::IpAddress& address, Instant now) {
    const auto lane = lanes_.find(interface_index);
    if (lane == lanes_.end()) {
        return;
    }
    const auto found = lane->second.addresses.find(address);
    if (found == lane->second.addresses.end()) {
        return;
    }
    Progress& progress = found->second;
    if (!progress.ready) {
        progress.asked = now;
        return;
    }
    lane->second.ready.erase(rank(address, progress));
    progress.asked = now;
    lane->second.ready.insert(rank(address, progress));
}

bool Announcer::defend(
    unsigned interface_index, const net::IpAddress& address, Instant now, Actions& out
) {
    const auto lane = lanes_.find(interface_index);
    if (lane == lanes_.end() || !lane->second.window.is_open(now)) {
        return false;
    }
    send(lane->second, address, false, now, out);
    return true;
}

bool Announcer::is_announced(const net::IpAddress& address, const Port& port) const {
    const auto found = announcements_->find(address);
    return found != announcements_->end() && found->second.role == Role::Announce &&
           is_on_port(address, found->second, port);
}

// Drops what the port no longer announces, starts what it newly does.
void Announcer::sync(Lane& lane, Instant now) {
    std::erase_if(lane.addresses, [&](const auto& entry) {
        if (is_announced(entry.first, lane.port)) {
            return false;
        }
        unqueue(lane, entry.first, entry.second);
        return true;
    });
    for (const auto& [address, announcement] : *announcements_) {
        if (!is_announced(address, lane.port)) {
            continue;
        }
        const auto [entry, is_new] = lane.addresses.try_emplace(address);
        Progress& progress = entry->second;
        const bool held_back = progress.step == 0 && !progress.ready;
        if (is_new && !announcement.relieves.empty()) {
            progress.due = now + kReliefTime;
            lane.waiting.emplace(progress.due, address);
        } else if (is_new) {
            queue(lane, address, progress, now);
        } else if (held_back && announcement.relieves.empty()) {
            unqueue(lane, address, progress);
            queue(lane, address, progress, now);
        }
    }
}

void Announcer::restart(Lane& lane, bool again, Instant now) {
    for (auto& [address, progress] : lane.addresses) {
        if (progress.step == 0 && (again || !progress.again)) {
            continue;
        }
        unqueue(lane, address, progress);
        progress.again = again;
        progress.step = 0;
        queue(lane, address, progress, now);
    }
}

Announcer::Rank Announcer::rank(const net::IpAddress& address, const Progress& progress) {
    const unsigned order = 2 * progress.step + (progress.again ? 1U : 0U);
    return {order, -progress.asked.time_since_epoch(), progress.due, address};
}

void Announcer::queue(Lane& lane, const net::IpAddress& address, Progress& progress, Instant now) {
    progress.due = now;
    progress.ready = true;
    lane.ready.insert(rank(address, progress));
}

void Announcer::unqueue(Lane& lane, const net::IpAddress& address, const Progress& progress) {
    if (progress.ready) {
        lane.ready.erase(rank(address, progress));
    } else {
        lane.waiting.erase({progress.due, address});
    }
}

void Announcer::on_deadline(Instant now, Actions& out) {
    for (auto& [index, lane] : lanes_) {
        run(lane, now, out);
    }
}

void Announcer::run(Lane& lane, Instant now, Actions& out) {
    while (!lane.waiting.empty() && lane.waiting.begin()->first <= now) {
        const auto [due, address] = *lane.waiting.begin();
        lane.waiting.erase(lane.waiting.begin());
        queue(lane, address, lane.addresses.at(address), due);
    }
    while (!lane.ready.empty() && lane.window.is_open(now)) {
        const net::IpAddress address = std::get<net::IpAddress>(*lane.ready.begin());
        lane.ready.erase(lane.ready.begin());
        send_step(lane, address, now, out);
    }
}

void Announcer::send_step(Lane& lane, const net::IpAddress& address, Instant now, Actions& out) {
    const unsigned takeover = options_.rounds * kPacketsARound;
    Progress& progress = lane.addresses.at(address);
    const bool second = progress.step < takeover && progress.step % kPacketsARound == 1;
    send(lane, address, second, now, out);
    progress.step = std::min(progress.step + 1, takeover);
    if (progress.step < takeover && progress.step % kPacketsARound == 1) {
        queue(lane, address, progress, now);
        return;
    }
    progress.ready = false;
    if (progress.step < takeover) {
        progress.due = now + options_.round_interval;
    } else if (options_.refresh_interval == Duration::zero()) {
        progress.due = Instant::max();
    } else {
        progress.due = now + refresh_delay();
    }
    lane.waiting.emplace(progress.due, address);
}

void Announcer::send(
    Lane& lane, const net::IpAddress& address, bool second, Instant now, Actions& out
) {
    out.emplace_back(Send{lane.port.index, gratuitous(lane.port.mac, address, second)});
    lane.window.count(now);
    ++gratuitous_sent_[address];
}

Duration Announcer::refresh_delay() {
    return scaled(options_.refresh_interval, 1.0 + kRefreshJitter * (2.0 * rng_->unit() - 1.0));
}

std::optional<Instant> Announcer::next_deadline() const {
    std::optional<Instant> next;
    const auto consider = [&](Instant instant) {
        if (instant != Instant::max() && (!next || instant < *next)) {
            next = instant;
        }
    };
    for (const auto& [index, lane] : lanes_) {
        if (!lane.ready.empty()) {
            consider(std::max(lane.window.next(), std::get<Instant>(*lane.ready.begin())));
        }
        if (!lane.waiting.empty()) {
            consider(lane.waiting.begin()->first);
        }
    }
    return next;
}

}  // namespace steelyard::l2
