#include "speaker/bfd/session_table.hpp"

#include <algorithm>
#include <map>
#include <string_view>

namespace steelyard::bfd {
namespace {

// The peer's forwarding plane cannot send a link-local address back over the link it came from, and
// over several hops there is none to do it (RFC 5881 4, RFC 5883 4.3).
bool can_echo(const SessionConfig& config) {
    return !config.multihop && !(config.remote.is_link_local() && !config.remote.is_v4());
}

}  // namespace

SessionTable::SessionTable(Rng rng) : rng_(rng) {}

std::vector<SessionTable::Wanted> SessionTable::merge(std::vector<SessionConfig> sessions) {
    std::sort(sessions.begin(), sessions.end(), [](const auto& one, const auto& other) {
        return one.key < other.key;
    });
    std::vector<Wanted> out;
    for (SessionConfig& config : sessions) {
        const auto same = std::find_if(out.begin(), out.end(), [&](const Wanted& wanted) {
            return same_session(wanted.config, config);
        });
        if (same == out.end()) {
            std::vector<std::string> keys{config.key};
            out.push_back({std::move(config), std::move(keys)});
        } else {
            same->keys.push_back(config.key);
        }
    }
    return out;
}

void SessionTable::set_sessions(std::vector<SessionConfig> sessions, Instant now, Actions& out) {
    std::vector<Wanted> wanted = merge(std::move(sessions));
    release_moved(wanted, now, out);
    for (auto entry = slots_.begin(); entry != slots_.end();) {
        const auto here = entry++;
        Slot& slot = here->second;
        const auto still = std::find_if(wanted.begin(), wanted.end(), [&](const Wanted& one) {
            return same_session(one.config, slot.config);
        });
        if (still == wanted.end()) {
            close(here->first, slot, now, out);
            slots_.erase(here);
        } else {
            update(here->first, slot, std::move(*still), now, out);
            wanted.erase(still);
        }
    }
    for (Wanted& one : wanted) {
        open(std::move(one), now, out);
    }
}

// A key that goes to another session takes no state along. That the old one ended was intended, so
// it is no failure.
void SessionTable::release_moved(const std::vector<Wanted>& wanted, Instant now, Actions& out)
    const {
    std::map<std::string_view, const SessionConfig*> places;
    for (const Wanted& one : wanted) {
        for (const std::string& key : one.keys) {
            places.emplace(key, &one.config);
        }
    }
    for (const auto& [id, slot] : slots_) {
        for (const std::string& key : slot.keys) {
            const auto place = places.find(key);
            if (slot.told == State::Up && place != places.end() &&
                !same_session(*place->second, slot.config)) {
                out.push_back(Changed{key, State::AdminDown, Diagnostic::AdministrativelyDown, now}
                );
            }
        }
    }
}

void SessionTable::open(Wanted wanted, Instant now, Actions& out) {
    const SessionId id = new_id();
    demultiplexer_.add(id, wanted.config);
    Session session(id, wanted.config.profile, can_echo(wanted.config), rng_.next(), now);
    deadlines_.set(id, session.next_deadline());
    out.emplace_back(Opened{id});  // push_back: false alarms of GCC 12 at -O2
    for (const std::string& key : wanted.keys) {
        out.push_back(Changed{key, State::Down, Diagnostic::None, now});
    }
    Slot slot{std::move(wanted.config), std::move(wanted.keys), std::move(session)};
    slots_.emplace(id, std::move(slot));
}

// A key that joins an existing session learns where it stands.
void SessionTable::update(SessionId id, Slot& slot, Wanted wanted, Instant now, Actions& out) {
    for (const std::string& key : wanted.keys) {
        const bool known = std::binary_search(slot.keys.begin(), slot.keys.end(), key);
        if (!known) {
            out.push_back(Changed{key, slot.told, slot.session.diagnostic(), now});
        }
    }
    slot.keys = std::move(wanted.keys);
    if (wanted.config.profile != slot.config.profile) {
        slot.refusals.clear();  // another minimum TTL, perhaps
    }
    slot.config = std::move(wanted.config);
    slot.session.set_profile(slot.config.profile, now, out);
    tell(id, slot, now, out);
}

void SessionTable::close(SessionId id, Slot& slot, Instant now, Actions& out) {
    const std::size_t before = out.size();
    slot.session.set_admin_down(true, now, out);
    if (out.size() > before) {
        Action again = out.back();
        out.push_back(std::move(again));
    }
    out.emplace_back(Closed{id});
    demultiplexer_.remove(id);
    deadlines_.remove(id);
}

void SessionTable::set_admin_down(const std::string& key, bool down, Instant now, Actions& out) {
    for (auto& [id, slot] : slots_) {
        if (std::binary_search(slot.keys.begin(), slot.keys.end(), key)) {
            slot.session.set_admin_down(down, now, out);
            tell(id, slot, now, out);
        }
    }
}

void SessionTable::set_interface(SessionId id, std::optional<unsigned> index) {
    demultiplexer_.set_interface(id, index);
}

void SessionTable::set_looping(SessionId id, bool loops) {
    const auto entry = slots_.find(id);
    if (entry != slots_.end()) {
        entry->second.session.set_looping(loops);
    }
}

void SessionTable::on_packet(
    const Arrival& arrival, std::span<const std::byte> payload, Instant now, Actions& out
) {
    // Before anything in it is believed (RFC 5881 5): what was forwarded cannot have 255.
    if (!arrival.multihop && arrival.ttl != 255) {
        return refuse(Drop::TtlNot255, 0, arrival, now);
    }
    const auto decoded = decode(payload);
    if (const auto* reason = std::get_if<Drop>(&decoded)) {
        return refuse(*reason, 0, arrival, now);
    }
    const auto& packet = std::get<ControlPacket>(decoded);
    const auto found = demultiplexer_.find(packet, arrival);
    if (const auto* reason = std::get_if<Drop>(&found)) {
        return refuse(*reason, packet.your_discriminator, arrival, now);
    }
    const auto entry = slots_.find(std::get<SessionId>(found));
    Slot& slot = entry->second;
    std::optional<Drop> refused;
    if (arrival.multihop && arrival.ttl < slot.config.profile.minimum_ttl) {
        refused = Drop::TtlTooLow;
    } else if (packet.authentication) {
        refused = Drop::Authentication;
    }
    if (refused) {
        drop(*refused);
        slot.refusals.note(*refused, arrival, now);
        return;
    }
    slot.refusals.clear();
    slot.session.on_packet(packet, now, out);
    tell(entry->first, slot, now, out);
}

void SessionTable::on_echo(const EchoArrival& arrival, Instant now, Actions& out) {
    const auto entry = slots_.find(SessionId{arrival.echo.discriminator});
    if (entry == slots_.end() || !entry->second.session.on_echo(arrival.echo, now, out)) {
        return drop(Drop::EchoForeign);
    }
    tell(entry->first, entry->second, now, out);
}

void SessionTable::on_deadline(Instant now, Actions& out) {
    while (const auto id = deadlines_.pop(now)) {
        Slot& slot = slots_.at(*id);
        if (slot.session.next_deadline() <= now) {
            slot.session.on_deadline(now, out);
        }
        tell(*id, slot, now, out);
    }
}

// After every input to a session.
void SessionTable::tell(SessionId id, Slot& slot, Instant now, Actions& out) {
    deadlines_.set(id, slot.session.next_deadline());
    const State state = slot.session.visible_state();
    if (state == slot.told) {
        return;
    }
    slot.told = state;
    for (const std::string& key : slot.keys) {
        out.push_back(Changed{key, state, slot.session.diagnostic(), now});
    }
}

void SessionTable::drop(Drop reason) {
    ++drops_[static_cast<std::size_t>(reason)];
}

void SessionTable::refuse(
    Drop reason, std::uint32_t your_discriminator, const Arrival& arrival, Instant now
) {
    drop(reason);
    if (const auto id = demultiplexer_.nearest(your_discriminator, arrival)) {
        slots_.at(*id).refusals.note(reason, arrival, now);
    }
}

// Nonzero, unique, and not to be guessed from another one.
SessionId SessionTable::new_id() {
    for (;;) {
        const SessionId id{static_cast<std::uint32_t>(rng_.next())};
        if (id != SessionId{0} && !slots_.contains(id)) {
            return id;
        }
    }
}

const SessionConfig* SessionTable::config(SessionId id) const {
    const auto entry = slots_.find(id);
    return entry == slots_.end() ? nullptr : &entry->second.config;
}

std::vector<std::pair<std::string, SessionId>> SessionTable::keys() const {
    std::vector<std::pair<std::string, SessionId>> out;
    for (const auto& [id, slot] : slots_) {
        for (const std::string& key : slot.keys) {
            out.emplace_back(key, id);
        }
    }
    std::sort(out.begin(), out.end());
    return out;
}

SessionStatus SessionTable::status(SessionId id) const {
    const auto entry = slots_.find(id);
    return entry == slots_.end() ? SessionStatus{} : entry->second.session.status();
}

std::string SessionTable::trouble(SessionId id) const {
    const auto entry = slots_.find(id);
    return entry == slots_.end() ? "" : entry->second.refusals.text(entry->second.config);
}

}  // namespace steelyard::bfd
