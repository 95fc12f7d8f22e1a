#include "speaker/l2/announcer.hpp"

#include "common/base/check.hpp"
#include "speaker/l2/arp.hpp"
#include "speaker/l2/ndp.hpp"

#include <algorithm>
#include <cmath>

namespace steelyard::l2 {
namespace {

constexpr double kRefreshJitter = 0.2;

Duration scaled(Duration duration, double factor) {
    return std::chrono::duration_cast<Duration>(std::chrono::duration<double, Duration::period>(
        static_cast<double>(duration.count()) * factor
    ));
}

}  // namespace

Announcer::Announcer(const AnnouncerOptions& options, Rng& rng)
    : options_(options), rng_(&rng), announcements_(std::make_shared<const Announcements>()) {
    SY_CHECK(options.rounds > 0, "an address is announced at least once");
    SY_CHECK(options.packets_per_second > 0, "a paced port still sends");
    SY_CHECK(options.burst >= 2, "one ARP round is two packets");
}

void Announcer::set_ports(std::vector<Port> ports, Instant now) {
    std::map<unsigned, Lane> next;
    for (Port& port : ports) {
        const unsigned index = port.index;
        auto known = lanes_.extract(index);
        Lane& lane = next[index];
        if (known && known.mapped().port.mac == port.mac) {
            lane = std::move(known.mapped());
        } else {
            lane.tokens = options_.burst;
            lane.tokens_at = now;
        }
        lane.port = std::move(port);
        sync(lane, now);
    }
    lanes_ = std::move(next);
}

void Announcer::set_announcements(std::shared_ptr<const Announcements> announcements, Instant now) {
    announcements_ = std::move(announcements);
    std::erase_if(gratuitous_sent_, [this](const auto& entry) {
        return !announcements_->contains(entry.first);
    });
    for (auto& [index, lane] : lanes_) {
        sync(lane, now);
    }
}

void Announcer::on_link_up(unsigned interface_index, Instant now) {
    const auto lane = lanes_.find(interface_index);
    if (lane != lanes_.end()) {
        restart(lane->second, now);
    }
}

// Drops what the port no longer announces, starts what it newly does.
void Announcer::sync(Lane& lane, Instant now) {
    for (auto it = lane.addresses.begin(); it != lane.addresses.end();) {
        const auto found = announcements_->find(it->first);
        if (found != announcements_->end() && is_on_port(it->first, found->second, lane.port)) {
            ++it;
        } else {
            unqueue(lane, it->first, it->second);
            it = lane.addresses.erase(it);
        }
    }
    for (const auto& [address, announcement] : *announcements_) {
        if (is_on_port(address, announcement, lane.port) && !lane.addresses.contains(address)) {
            start(lane, address, now);
        }
    }
}

void Announcer::restart(Lane& lane, Instant now) {
    lane.waiting.clear();
    lane.ready.clear();
    lane.addresses.clear();
    sync(lane, now);
}

void Announcer::start(Lane& lane, const net::IpAddress& address, Instant now) {
    lane.addresses[address] = Progress{0, now, true};
    lane.ready.emplace(0U, now, address);
}

void Announcer::unqueue(Lane& lane, const net::IpAddress& address, const Progress& progress) {
    if (progress.ready) {
        lane.ready.erase({progress.rounds_sent, progress.due, address});
    } else {
        lane.waiting.erase({progress.due, address});
    }
}

void Announcer::on_deadline(Instant now, Actions& out) {
    for (auto& [index, lane] : lanes_) {
        run(lane, now, out);
    }
}

void Announcer::refill(Lane& lane, Instant now) const {
    if (now <= lane.tokens_at) {
        return;
    }
    const double seconds = std::chrono::duration<double>(now - lane.tokens_at).count();
    const double grown = lane.tokens + seconds * options_.packets_per_second;
    lane.tokens = std::min(grown, static_cast<double>(options_.burst));
    lane.tokens_at = now;
}

void Announcer::run(Lane& lane, Instant now, Actions& out) {
    while (!lane.waiting.empty() && lane.waiting.begin()->first <= now) {
        const auto [due, address] = *lane.waiting.begin();
        lane.waiting.erase(lane.waiting.begin());
        Progress& progress = lane.addresses.at(address);
        progress.ready = true;
        lane.ready.emplace(progress.rounds_sent, due, address);
    }
    refill(lane, now);
    while (!lane.ready.empty() && lane.tokens >= 1.0) {
        const net::IpAddress address = std::get<2>(*lane.ready.begin());
        lane.ready.erase(lane.ready.begin());
        send_round(lane, address, now, out);
    }
}

void Announcer::send_round(Lane& lane, const net::IpAddress& address, Instant now, Actions& out) {
    Progress& progress = lane.addresses.at(address);
    const bool refresh = progress.rounds_sent >= options_.rounds;
    const auto send = [&](const Frame& frame) {
        out.emplace_back(Send{lane.port.index, frame});
        lane.tokens -= 1.0;
        ++gratuitous_sent_[address];
    };
    if (address.is_v4()) {
        send(encode_arp(gratuitous_arp(ArpOperation::Request, lane.port.mac, address)));
        if (!refresh) {  // a taken-over address: for those that learn from replies only
            send(encode_arp(gratuitous_arp(ArpOperation::Reply, lane.port.mac, address)));
        }
    } else {
        send(encode_ndp(unsolicited_advertisement(lane.port.mac, address)));
    }
    progress.rounds_sent = std::min(progress.rounds_sent + 1, options_.rounds);
    progress.ready = false;
    const bool last = progress.rounds_sent == options_.rounds;
    if (last && options_.refresh_interval == Duration::zero()) {
        progress.due = Instant::max();
    } else {
        progress.due = now + (last ? refresh_delay() : options_.round_interval);
    }
    lane.waiting.emplace(progress.due, address);
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
            const double missing = std::max(0.0, 1.0 - lane.tokens);
            const auto delay = std::chrono::duration<double>(missing / options_.packets_per_second);
            // Rounded up, so that the token is there when the timer fires.
            consider(lane.tokens_at + std::chrono::ceil<std::chrono::microseconds>(delay));
        }
        if (!lane.waiting.empty()) {
            consider(lane.waiting.begin()->first);
        }
    }
    return next;
}

}  // namespace steelyard::l2
