#include "speaker/l2/ownership.hpp"

#include <algorithm>
#include <utility>

namespace steelyard::l2 {

Ownership::Ownership() : announcements_(std::make_shared<const Announcements>()) {}

void Ownership::set_announcements(
    std::shared_ptr<const Announcements> announcements, Instant now, bool answering
) {
    const bool may_yield = answering && (!resumed_ || now >= *resumed_ + kYieldTime);
    std::erase_if(held_, [&](const auto& entry) { return !announcements->contains(entry.first); });
    for (const auto& [address, announcement] : *announcements) {
        const auto known = held_.find(address);
        if (known == held_.end()) {
            if (announcement.role == Role::Announce) {
                take(address, announcement, now);
            }
            continue;
        }
        Held& held = known->second;
        held.announcement = &announcement;
        if (held.role == announcement.role) {
            continue;
        }
        if (announcement.role == Role::Announce) {
            // What was not yet given up is simply kept.
            held = Held{&announcement, Role::Announce, now, {}, {}};
            continue;
        }
        begin_yield(held, now);
        if (!may_yield || relieving_.contains(address) || !is_held_anywhere(address, held)) {
            held_.erase(known);
        }
    }
    std::erase_if(relieving_, [&](const net::IpAddress& address) {
        const auto found = announcements->find(address);
        return found == announcements->end() || found->second.role != Role::Announce ||
               found->second.relieves.empty();
    });
    announcements_ = std::move(announcements);
    count_yielding();
}

void Ownership::take(const net::IpAddress& address, const Announcement& announcement, Instant now) {
    held_.emplace(address, Held{&announcement, Role::Announce, now, {}, {}});
    if (!announcement.relieves.empty()) {
        relieving_.insert(address);
    }
}

void Ownership::on_claimed(const net::IpAddress& address) {
    relieving_.erase(address);
}

void Ownership::count_yielding() {
    yielding_ =
        static_cast<std::size_t>(std::count_if(held_.begin(), held_.end(), [](const auto& entry) {
            return entry.second.role == Role::Yield;
        }));
    find_next_expiry();
}

void Ownership::begin_yield(Held& held, Instant now) {
    for (const auto& [port, heard] : held.claims) {
        if (now < heard + kClaimTime) {
            held.given_up_on.push_back(port);
        }
    }
    held.claims.clear();
    held.role = Role::Yield;
    held.since = now;
}

bool Ownership::is_held_anywhere(const net::IpAddress& address, const Held& held) const {
    return std::any_of(ports_.begin(), ports_.end(), [&](const Port& port) {
        return is_held(address, held, port);
    });
}

void Ownership::retake(Instant now) {
    for (auto& [address, held] : held_) {
        if (held.role == Role::Announce) {
            held.since = now;
        }
    }
}

void Ownership::resume(Instant now) {
    std::erase_if(held_, [](const auto& entry) { return entry.second.role == Role::Yield; });
    count_yielding();
    retake(now);
    resumed_ = now;
}

bool Ownership::is_held(const net::IpAddress& address, const Held& held, const Port& port) const {
    const auto& given_up = held.given_up_on;
    return is_on_port(address, *held.announcement, port) &&
           std::find(given_up.begin(), given_up.end(), port.index) == given_up.end();
}

const Announcement* Ownership::find(const net::IpAddress& address, const Port& port) const {
    const auto found = held_.find(address);
    if (found == held_.end() || !is_held(address, found->second, port)) {
        return nullptr;
    }
    return found->second.announcement;
}

Ownership::Claim Ownership::on_claim(const net::IpAddress& address, const Port& port, Instant now) {
    const auto found = held_.find(address);
    if (found == held_.end() || !is_held(address, found->second, port)) {
        return Claim::NotOurs;
    }
    Held& held = found->second;
    if (held.role == Role::Announce) {
        std::erase_if(held.claims, [&](const auto& claim) { return claim.first == port.index; });
        held.claims.emplace_back(port.index, now);
        return now < held.since + kTakeoverTime ? Claim::Settling : Claim::Conflict;
    }
    held.given_up_on.push_back(port.index);
    if (!is_held_anywhere(address, held)) {
        held_.erase(found);
        --yielding_;
    }
    return Claim::Yielded;
}

void Ownership::expire(Instant now) {
    if (!next_expiry_ || now < *next_expiry_) {
        return;
    }
    yielding_ -= std::erase_if(held_, [now](const auto& entry) {
        return entry.second.role == Role::Yield && now >= entry.second.since + kYieldTime;
    });
    std::erase_if(relieving_, [&](const net::IpAddress& address) {
        return now >= held_.at(address).since + kYieldTime;
    });
    find_next_expiry();
}

void Ownership::find_next_expiry() {
    next_expiry_.reset();
    const auto consider = [this](const Held& held) {
        const Instant end = held.since + kYieldTime;
        next_expiry_ = next_expiry_ ? std::min(*next_expiry_, end) : end;
    };
    for (const net::IpAddress& address : relieving_) {
        consider(held_.at(address));
    }
    if (yielding_ == 0) {
        return;
    }
    for (const auto& [address, held] : held_) {
        if (held.role == Role::Yield) {
            consider(held);
        }
    }
}

const Port* Ownership::port(unsigned interface_index) const {
    const auto found = std::find_if(ports_.begin(), ports_.end(), [&](const Port& candidate) {
        return candidate.index == interface_index;
    });
    return found == ports_.end() ? nullptr : &*found;
}

std::vector<net::IpAddress> Ownership::answered(const Port& port, bool echo) const {
    std::vector<net::IpAddress> out;
    for (const auto& [address, held] : held_) {
        if ((!echo || held.announcement->echo) && is_held(address, held, port)) {
            out.push_back(address);
        }
    }
    std::sort(out.begin(), out.end());
    return out;
}

}  // namespace steelyard::l2
