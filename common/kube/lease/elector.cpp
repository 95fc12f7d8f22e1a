#include "common/kube/lease/elector.hpp"

#include <algorithm>
#include <chrono>
#include <limits>
#include <utility>

namespace steelyard::kube {
namespace {

using std::chrono::microseconds;
using std::chrono::seconds;

// A lost answer must not cost the whole renew deadline: there is time for three attempts.
constexpr int kRequestsInDeadline = 3;
// After so many conflicts in a row the next attempt waits, in case the server refuses everything.
constexpr unsigned kQuickConflicts = 2;
// Attempts remembered; a forgotten one is taken for somebody else's, which only costs time.
constexpr std::size_t kMaxAttempts = 8;

bool same_record(const Lease& a, const Lease& b) {
    return a.holder == b.holder && a.duration == b.duration && a.acquire == b.acquire &&
           a.renew == b.renew && a.transitions == b.transitions;
}

// Released as client-go does it, or never held. An empty holder alone may be the work of an editor,
// of which the leader does not know yet.
bool is_released(const Lease& lease) {
    return lease.holder.empty() && (lease.duration <= seconds(1) || !lease.renew);
}

// Whether `lease` was written before `known`, by the order in which holders write.
bool is_older(const Lease& lease, const Lease& known) {
    if (lease.transitions != known.transitions) {
        return lease.transitions < known.transitions;
    }
    if (is_released(known) != is_released(lease)) {
        return is_released(known);
    }
    return lease.holder == known.holder && lease.renew < known.renew;
}

std::int64_t next_transition(std::int64_t transitions) {
    // An int32 in the API.
    return transitions >= std::numeric_limits<std::int32_t>::max() ? 0 : transitions + 1;
}

}  // namespace

std::string_view to_string(LostReason reason) {
    switch (reason) {
        case LostReason::RenewDeadline:
            return "could not renew the Lease in time";
        case LostReason::Taken:
            return "the Lease names another holder";
        case LostReason::Released:
            return "released";
    }
    return "";
}

Elector::Elector(ObjectKey lease, std::string identity, const ElectionTimings& timings, Rng rng)
    : key_(std::move(lease)), identity_(std::move(identity)), timings_(timings), rng_(rng) {}

void Elector::on_deadline(const Clocks& now, ElectionActions& out) {
    decide(now, out);
}

void Elector::on_watched(
    const std::optional<Lease>& lease, const Clocks& now, ElectionActions& out
) {
    if (lease && known_ && is_older(*lease, *known_)) {
        return;
    }
    observe(lease, Source::Watch, now, out);
    decide(now, out);
}

void Elector::on_read(const Result<Lease>& answer, const Clocks& now, ElectionActions& out) {
    if (pending_ != Pending::Read) {
        return;
    }
    pending_ = Pending::None;
    const bool absent = !answer && is(answer.error(), Errc::NotFound);
    if (answer || absent) {
        doubt_ = false;
        next_read_ = now.instant + jittered();
        observe(answer ? std::optional(*answer) : std::nullopt, Source::Read, now, out);
    } else if (role_ == Role::Standby) {
        next_read_ = now.instant + jittered();
    } else {
        next_read_ = std::max(now.instant, sent_ + timings_.retry_period);
    }
    decide(now, out);
}

void Elector::on_written(const Result<Lease>& answer, const Clocks& now, ElectionActions& out) {
    if (pending_ == Pending::None || pending_ == Pending::Read) {
        return;
    }
    const Pending what = std::exchange(pending_, Pending::None);
    if (answer) {
        succeeded(what, *answer, now.instant, out);
    } else {
        failed(what, answer.error(), now, out);
    }
    decide(now, out);
}

void Elector::release(const Clocks& now, ElectionActions& out) {
    if (role_ == Role::Releasing || role_ == Role::Gone) {
        return;
    }
    if (role_ == Role::Leading) {
        out.push_back(Lost{LostReason::Released});
    }
    role_ = Role::Releasing;
    doubt_ = doubt_ || !attempts_.empty();
    next_read_ = next_write_ = now.instant;
    if (pending_ == Pending::Read && !ours_ && !doubt_) {
        pending_ = Pending::None;  // nothing of ours is there, whatever the answer
    }
    decide(now, out);
}

void Elector::observe(
    const std::optional<Lease>& lease, Source source, const Clocks& now, ElectionActions& out
) {
    if (role_ == Role::Leading) {
        observe_as_leader(lease, source, now, out);
    } else {
        observe_as_other(lease, now.instant);
    }
    if (source == Source::Read) {
        settle_attempts(lease);
    }
    announce(out);
}

// A watch may be late, so that it only raises doubt; what a read says counts.
void Elector::observe_as_leader(
    const std::optional<Lease>& lease, Source source, const Clocks& now, ElectionActions& out
) {
    const bool ours = lease && recognise(*lease);
    if (source == Source::Watch) {
        if (!ours) {
            doubt_ = true;
            next_read_ = now.instant;
        }
        return;
    }
    if (lease && !ours) {
        role_ = Role::Standby;
        out.push_back(Lost{LostReason::Taken});
        observe_as_other(lease, now.instant);
        return;
    }
    // Deleted by hand: nobody who saw us in it takes it before our time is over, so make it again.
    known_ = lease;
    ours_ = ours;
    next_write_ = lease ? next_write_ : now.instant;
}

void Elector::observe_as_other(const std::optional<Lease>& lease, Instant now) {
    const bool first = !std::exchange(seen_, true);
    const bool changed = first || lease.has_value() != known_.has_value() ||
                         (lease && !same_record(*lease, *known_));
    known_ = lease;
    ours_ = lease && recognise(*lease);
    if (!changed) {
        return;
    }
    conflicts_ = 0;
    next_write_ = now;
    if (lease && (ours_ || is_released(*lease))) {
        bound_until_.reset();
        return;
    }
    if (!lease && first) {
        return;
    }
    confirmed_.reset();  // should it come back, from a backup, it would not be ours
    // A shorter duration may be an editor's; the one who led before him goes by ours.
    const Duration promised =
        std::max<Duration>(timings_.lease_duration, lease ? lease->duration : seconds(0));
    bound_until_ = std::max(bound_until_.value_or(Instant::min()), now + promised);
}

// Whether this object wrote that, and if so, that it happened.
bool Elector::recognise(const Lease& lease) {
    if (lease.holder != identity_) {
        return false;
    }
    const auto wrote = [&](const Attempt& attempt) {
        return attempt.acquire == lease.acquire && attempt.renew == lease.renew;
    };
    if (confirmed_ && wrote(*confirmed_)) {
        return true;
    }
    const auto found = std::find_if(attempts_.begin(), attempts_.end(), wrote);
    if (found == attempts_.end()) {
        return false;
    }
    if (!confirmed_ || confirmed_->sent < found->sent) {
        confirmed_ = *found;
    }
    return true;
}

// Writes that were conditional on an earlier version cannot happen any more.
void Elector::settle_attempts(const std::optional<Lease>& lease) {
    const std::string version = lease ? lease->meta.resource_version : std::string();
    std::erase_if(attempts_, [&](const Attempt& attempt) { return attempt.base != version; });
}

void Elector::decide(const Clocks& now, ElectionActions& out) {
    if (role_ == Role::Leading && now.instant >= lead_until()) {
        role_ = Role::Standby;
        next_read_ = now.instant;
        out.push_back(Lost{LostReason::RenewDeadline});
    }
    if (pending_ != Pending::None) {
        return;
    }
    switch (role_) {
        case Role::Standby:
            decide_standby(now, out);
            return;
        case Role::Leading:
            decide_leading(now, out);
            return;
        case Role::Releasing:
            decide_releasing(now, out);
            return;
        case Role::Gone:
            return;
    }
}

void Elector::decide_standby(const Clocks& now, ElectionActions& out) {
    if (!doubt_ && now.instant >= free_from()) {
        write_claim(Pending::Acquire, now, out);
    } else if (now.instant >= next_read_) {
        read(now.instant, out);
    }
}

void Elector::decide_leading(const Clocks& now, ElectionActions& out) {
    if (doubt_) {
        if (now.instant >= next_read_) {
            read(now.instant, out);
        }
    } else if (now.instant >= next_write_) {
        write_claim(Pending::Renew, now, out);
    }
}

void Elector::decide_releasing(const Clocks& now, ElectionActions& out) {
    if (doubt_) {
        if (now.instant >= next_read_) {
            read(now.instant, out);
        }
    } else if (!known_ || !ours_) {
        role_ = Role::Gone;
        out.push_back(Released{});
    } else if (now.instant >= next_write_) {
        write_release(now, out);
    }
}

// From when on the Lease may be written to take it; never while it was not seen.
Instant Elector::free_from() const {
    if (!seen_) {
        return Instant::max();
    }
    return bound_until_ ? std::max(*bound_until_, next_write_) : next_write_;
}

// Counted from when the renewal was sent: nobody can have seen it earlier.
Instant Elector::lead_until() const {
    return confirmed_ ? confirmed_->sent + timings_.renew_deadline : Instant::min();
}

bool Elector::leading(Instant now) const {
    return role_ == Role::Leading && now < lead_until();
}

std::optional<Instant> Elector::next_deadline() const {
    const bool waiting = pending_ != Pending::None;
    switch (role_) {
        case Role::Standby:
            if (waiting) {
                return std::nullopt;
            }
            return doubt_ ? next_read_ : std::min(next_read_, free_from());
        case Role::Leading:
            return waiting ? lead_until()
                           : std::min(lead_until(), doubt_ ? next_read_ : next_write_);
        case Role::Releasing:
            if (waiting) {
                return std::nullopt;
            }
            return doubt_ ? next_read_ : next_write_;
        case Role::Gone:
            break;
    }
    return std::nullopt;
}

Instant Elector::give_up(Instant now) const {
    const Instant limit = now + timings_.renew_deadline / kRequestsInDeadline;
    return role_ == Role::Leading ? std::min(limit, lead_until()) : limit;
}

void Elector::read(Instant now, ElectionActions& out) {
    pending_ = Pending::Read;
    sent_ = now;
    out.push_back(ReadLease{give_up(now)});
}

// Takes the Lease, renews it, or makes it.
void Elector::write_claim(Pending as, const Clocks& now, ElectionActions& out) {
    Lease lease = known_.value_or(Lease{});
    lease.meta.key = key_;
    if (known_ && !ours_) {
        lease.transitions = next_transition(lease.transitions);
    }
    lease.renew = fresh(now.wall);
    lease.acquire = ours_ ? lease.acquire : lease.renew;
    lease.holder = identity_;
    lease.duration = std::chrono::ceil<seconds>(timings_.lease_duration);

    pending_ = as;
    sent_ = now.instant;
    if (!known_) {
        // Nothing fences a creation: one that arrives late may come after another leader's time,
        // so that it is not recognised without its answer.
        out.push_back(CreateLease{std::move(lease), give_up(now.instant)});
        return;
    }
    if (attempts_.size() == kMaxAttempts) {
        attempts_.erase(attempts_.begin());
    }
    attempts_.push_back({lease.acquire, lease.renew, now.instant, lease.meta.resource_version});
    out.push_back(UpdateLease{std::move(lease), give_up(now.instant)});
}

void Elector::write_release(const Clocks& now, ElectionActions& out) {
    Lease lease = *known_;
    lease.holder.clear();
    lease.duration = seconds(1);  // so that older candidates, too, need not wait
    lease.renew = fresh(now.wall);
    lease.acquire = lease.renew;
    pending_ = Pending::Release;
    sent_ = now.instant;
    out.push_back(UpdateLease{std::move(lease), give_up(now.instant)});
}

// As precise as the API keeps it, and unlike every time we wrote before: others tell a renewal by
// its difference, even when the clock of the day was set back.
WallTime Elector::fresh(WallTime wall) const {
    WallTime time = std::chrono::floor<microseconds>(wall);
    const auto used = [&](const Attempt& attempt) {
        return attempt.renew == time;
    };
    while ((confirmed_ && used(*confirmed_)) || (known_ && known_->renew == time) ||
           std::any_of(attempts_.begin(), attempts_.end(), used)) {
        time += microseconds(1);
    }
    return time;
}

void Elector::succeeded(Pending what, const Lease& lease, Instant now, ElectionActions& out) {
    seen_ = true;
    known_ = lease;
    conflicts_ = 0;
    if (what == Pending::Release) {
        ours_ = false;
        announce(out);
        return;
    }
    ours_ = true;
    bound_until_.reset();
    confirmed_ = Attempt{lease.acquire, lease.renew, sent_, ""};
    attempts_.clear();
    if (role_ == Role::Releasing) {
        doubt_ = false;
        next_write_ = now;
        announce(out);
        return;
    }
    next_write_ = std::max(now, sent_ + timings_.retry_period);
    announce(out);
    if (role_ == Role::Standby && now < lead_until()) {
        role_ = Role::Leading;
        out.push_back(Elected{lease.transitions});
    }
}

void Elector::failed(Pending what, const Error& error, const Clocks& now, ElectionActions& out) {
    if (is(error, Errc::Conflict)) {
        after_conflict(now.instant);
        return;
    }
    if (is(error, Errc::NotFound) && known_) {
        // As good as a read. A creation that is answered so lacks its namespace.
        doubt_ = false;
        observe(std::nullopt, Source::Read, now, out);
        return;
    }
    // It may have happened, or may still happen.
    switch (role_) {
        case Role::Standby:
            next_read_ = next_write_ = now.instant + jittered();
            return;
        case Role::Leading:
            next_write_ = std::max(now.instant, sent_ + timings_.retry_period);
            return;
        case Role::Releasing:
            doubt_ = doubt_ || what != Pending::Release;
            next_read_ = next_write_ = std::max(now.instant, sent_ + timings_.retry_period / 2);
            return;
        case Role::Gone:
            return;
    }
}

// Somebody wrote first, perhaps we ourselves in an attempt whose answer was lost.
void Elector::after_conflict(Instant now) {
    doubt_ = true;
    next_read_ = now;
    next_write_ = ++conflicts_ <= kQuickConflicts ? now : now + timings_.retry_period;
}

void Elector::announce(ElectionActions& out) {
    std::string holder = known_ ? known_->holder : std::string();
    if (announced_ != holder) {
        announced_ = holder;
        out.push_back(HolderChanged{std::move(holder)});
    }
}

Duration Elector::jittered() {
    const double factor = 1 + kRetryJitter * rng_.unit();
    return std::chrono::duration_cast<Duration>(timings_.retry_period * factor);
}

}  // namespace steelyard::kube
