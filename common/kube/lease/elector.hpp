#pragma once

#include "common/base/error.hpp"
#include "common/base/rng.hpp"
#include "common/base/time.hpp"
#include "common/kube/lease/timings.hpp"
#include "common/kube/model/lease.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

// Leader election over a Lease, client-go's algorithm as a core without I/O, made stricter: two
// Electors never lead at once while their clocks run at rates within lease_duration /
// renew_deadline, whatever is lost, late or written twice, and even when somebody deletes or edits
// the Lease by hand. Times that others wrote are never compared with our clocks; all that counts is
// when we saw the record change.
//
// The driver performs one request at a time, reports its answer, and calls on_deadline() when
// next_deadline() comes. `identity` names this process and no other, ever: a Lease that carries it
// but was not written by this object belongs to somebody else.
namespace steelyard::kube {

// `instant` must count while the machine sleeps (CLOCK_BOOTTIME); `wall` is what people read.
struct Clocks {
    Instant instant;
    WallTime wall;
};

// Requests. The driver reports each one's end with on_read() or on_written(), with Errc::Timeout
// when none came until `give_up`.
struct ReadLease {  // a consistent read
    Instant give_up;
};
struct CreateLease {
    Lease lease;
    Instant give_up;
};
struct UpdateLease {  // conditional on lease.meta.resource_version
    Lease lease;
    Instant give_up;
};

// Notices.
enum class LostReason {
    RenewDeadline,  // could not renew in time
    Taken,          // the Lease names somebody else
    Released,       // release() was called
};
[[nodiscard]] std::string_view to_string(LostReason reason);
struct Elected {
    std::int64_t transitions = 0;
};
struct Lost {
    LostReason reason{};
};
struct HolderChanged {  // whom the Lease names, "" for nobody; also at the first look
    std::string holder;
};
struct Released {};  // the end: nothing of ours is left in the Lease

using ElectionAction =
    std::variant<ReadLease, CreateLease, UpdateLease, Elected, Lost, HolderChanged, Released>;
using ElectionActions = std::vector<ElectionAction>;

class Elector {
public:
    // `timings` have passed check().
    Elector(ObjectKey lease, std::string identity, const ElectionTimings& timings, Rng rng);

    // The first call starts it; safe to call early or late.
    void on_deadline(const Clocks& now, ElectionActions& out);
    // What a watch shows, which may be old; nullopt when the Lease was deleted.
    void on_watched(const std::optional<Lease>& lease, const Clocks& now, ElectionActions& out);
    // The answer to ReadLease; Errc::NotFound: there is none.
    void on_read(const Result<Lease>& answer, const Clocks& now, ElectionActions& out);
    // The answer to CreateLease or UpdateLease: the object as the server has it now.
    void on_written(const Result<Lease>& answer, const Clocks& now, ElectionActions& out);
    // Stops leading at once and gives the Lease back; ends with Released, however long that takes.
    void release(const Clocks& now, ElectionActions& out);

    [[nodiscard]] std::optional<Instant> next_deadline() const;
    // False from the renew deadline on, even before on_deadline() was called.
    [[nodiscard]] bool leading(Instant now) const;

private:
    enum class Role { Standby, Leading, Releasing, Gone };
    enum class Pending { None, Read, Acquire, Renew, Release };
    enum class Source { Watch, Read };
    // A renewal of ours, to be recognised in the Lease when its answer was lost.
    struct Attempt {
        std::optional<WallTime> acquire;
        std::optional<WallTime> renew;
        Instant sent;
        std::string base;  // the version it was conditional on
    };

    void observe(
        const std::optional<Lease>& lease, Source source, const Clocks& now, ElectionActions& out
    );
    void observe_as_leader(
        const std::optional<Lease>& lease, Source source, const Clocks& now, ElectionActions& out
    );
    void observe_as_other(const std::optional<Lease>& lease, Instant now);
    [[nodiscard]] bool recognise(const Lease& lease);
    void settle_attempts(const std::optional<Lease>& lease);

    void decide(const Clocks& now, ElectionActions& out);
    void decide_standby(const Clocks& now, ElectionActions& out);
    void decide_leading(const Clocks& now, ElectionActions& out);
    void decide_releasing(const Clocks& now, ElectionActions& out);
    [[nodiscard]] Instant free_from() const;
    [[nodiscard]] Instant lead_until() const;

    void read(Instant now, ElectionActions& out);
    void write_claim(Pending as, const Clocks& now, ElectionActions& out);
    void write_release(const Clocks& now, ElectionActions& out);
    [[nodiscard]] WallTime fresh(WallTime wall) const;
    [[nodiscard]] Instant give_up(Instant now) const;
    void succeeded(Pending what, const Lease& lease, Instant now, ElectionActions& out);
    void failed(Pending what, const Error& error, const Clocks& now, ElectionActions& out);
    void after_conflict(Instant now);
    void announce(ElectionActions& out);
    [[nodiscard]] Duration jittered();

    ObjectKey key_;
    std::string identity_;
    ElectionTimings timings_;
    Rng rng_;

    Role role_ = Role::Standby;
    Pending pending_ = Pending::None;
    Instant sent_{};              // of the pending request, or of the last one
    bool seen_ = false;           // we looked at least once
    std::optional<Lease> known_;  // as last seen; none: there is no Lease
    bool ours_ = false;           // known_ was written by this object
    // Somebody else may lead until then: the record was seen to change a lease duration before, or
    // was deleted then, of which its leader may not know.
    std::optional<Instant> bound_until_;
    std::optional<Attempt> confirmed_;  // the newest write of ours known to have happened
    std::vector<Attempt> attempts_;     // those that may have happened, or still may
    bool doubt_ = false;                // read before the next write
    unsigned conflicts_ = 0;            // in a row
    Instant next_read_ = Instant::min();
    Instant next_write_ = Instant::min();
    std::optional<std::string> announced_;
};

}  // namespace steelyard::kube
