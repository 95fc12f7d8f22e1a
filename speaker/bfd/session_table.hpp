#pragma once

#include "speaker/bfd/deadlines.hpp"
#include "speaker/bfd/demultiplexer.hpp"
#include "speaker/bfd/refusals.hpp"
#include "speaker/bfd/session.hpp"

#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

// All BFD sessions of a node, without I/O: which there are, whose packet it is, who is due next.
// Two keys that name the same session (two BGP peers at one address) share it; the profile is then
// that of the first key in order. Everything that happens is appended to the caller's Actions.
namespace steelyard::bfd {

class SessionTable {
public:
    explicit SessionTable(Rng rng);

    // All that are wanted from now on. One that is gone says AdminDown, twice, since a lost packet
    // would look like a failure to the peer.
    void set_sessions(std::vector<SessionConfig> sessions, Instant now, Actions& out);
    void set_admin_down(const std::string& key, bool down, Instant now, Actions& out);
    // Index of the interface that the session's config names, nothing while it has none.
    void set_interface(SessionId id, std::optional<unsigned> index);
    void set_looping(SessionId id, bool loops);

    void on_packet(
        const Arrival& arrival, std::span<const std::byte> payload, Instant now, Actions& out
    );
    void on_echo(const EchoArrival& echo, Instant now, Actions& out);
    void on_deadline(Instant now, Actions& out);
    [[nodiscard]] Instant next_deadline() const { return deadlines_.next(); }

    [[nodiscard]] const SessionConfig* config(SessionId id) const;
    // By key.
    [[nodiscard]] std::vector<std::pair<std::string, SessionId>> keys() const;
    [[nodiscard]] SessionStatus status(SessionId id) const;
    // Why its peer's packets are refused, "" when they are not.
    [[nodiscard]] std::string trouble(SessionId id) const;
    [[nodiscard]] const DropCounters& drops() const { return drops_; }

private:
    struct Slot {
        SessionConfig config;
        std::vector<std::string> keys;  // sorted; who wants it
        Session session;
        State told = State::Down;
        Refusals refusals{};
    };
    struct Wanted {
        SessionConfig config;
        std::vector<std::string> keys;
    };

    static std::vector<Wanted> merge(std::vector<SessionConfig> sessions);
    void release_moved(const std::vector<Wanted>& wanted, Instant now, Actions& out) const;
    void open(Wanted wanted, Instant now, Actions& out);
    void update(SessionId id, Slot& slot, Wanted wanted, Instant now, Actions& out);
    void close(SessionId id, Slot& slot, Instant now, Actions& out);
    void tell(SessionId id, Slot& slot, Instant now, Actions& out);
    void drop(Drop reason);
    void refuse(Drop reason, std::uint32_t your_discriminator, const Arrival& arrival, Instant now);
    [[nodiscard]] SessionId new_id();

    Rng rng_;
    std::map<SessionId, Slot> slots_;
    Demultiplexer demultiplexer_;
    Deadlines deadlines_;
    DropCounters drops_{};
};

}  // namespace steelyard::bfd
