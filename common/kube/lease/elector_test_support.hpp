#pragma once

#include "common/kube/lease/elector.hpp"

#include <chrono>
#include <optional>
#include <string>

// An Elector on a clock set by hand. What it does reads as words: "read", "create(a 0)",
// "update(a 1 @41)" with holder, transitions and version, "elected", "lost taken", "holder b".
namespace steelyard::kube::test {

using std::chrono::seconds;

inline constexpr const char* kName = "leader";

inline std::string word(const Lease& lease) {
    return (lease.holder.empty() ? "nobody" : lease.holder) + " " +
           std::to_string(lease.transitions);
}

struct Word {
    std::string operator()(const ReadLease&) const { return "read"; }
    std::string operator()(const CreateLease& action) const {
        return "create(" + word(action.lease) + ")";
    }
    std::string operator()(const UpdateLease& action) const {
        return "update(" + word(action.lease) + " @" + action.lease.meta.resource_version + ")";
    }
    std::string operator()(const Elected&) const { return "elected"; }
    std::string operator()(const Lost& action) const {
        switch (action.reason) {
            case LostReason::RenewDeadline:
                return "lost late";
            case LostReason::Taken:
                return "lost taken";
            case LostReason::Released:
                return "lost released";
        }
        return "";
    }
    std::string operator()(const HolderChanged& action) const {
        return "holder " + (action.holder.empty() ? "nobody" : action.holder);
    }
    std::string operator()(const Released&) const { return "released"; }
};

class Script {
public:
    explicit Script(const std::string& identity = "a")
        : elector(ObjectKey{"ns", kName}, identity, ElectionTimings{}, Rng(1)) {}

    // Each returns what came out of it, joined by ", ".
    std::string start() { return deadline(); }
    std::string deadline() {
        elector.on_deadline(now, out_);
        return take();
    }
    std::string watched(const std::optional<Lease>& lease) {
        elector.on_watched(lease, now, out_);
        return take();
    }
    std::string read(const Lease& lease) {
        elector.on_read(lease, now, out_);
        return take();
    }
    std::string read_fails(Errc errc) {
        elector.on_read(make_error(errc, "test"), now, out_);
        return take();
    }
    // The server takes the pending write and gives it that version.
    std::string written(const std::string& version) {
        elector.on_written(sent_as(version), now, out_);
        return take();
    }
    std::string write_fails(Errc errc) {
        elector.on_written(make_error(errc, "test"), now, out_);
        return take();
    }
    std::string release() {
        elector.release(now, out_);
        return take();
    }
    void pass(Duration duration) {
        now.instant += duration;
        now.wall += std::chrono::duration_cast<WallTime::duration>(duration);
    }
    // Goes to the next deadline and past it.
    std::string wait() {
        const auto due = elector.next_deadline();
        if (!due) {
            return "waits for an answer";
        }
        pass(std::max(*due, now.instant) - now.instant);
        return deadline();
    }
    [[nodiscard]] bool leading() const { return elector.leading(now.instant); }
    // The last write, as the server would keep it.
    [[nodiscard]] Lease sent_as(const std::string& version) const {
        Lease lease = sent;
        lease.meta.resource_version = version;
        return lease;
    }

    // From a new process to the leader, with version 10, renewed at `now`.
    void lead() {
        start();
        read_fails(Errc::NotFound);
        written("10");
    }

    Clocks now{Instant(seconds(1000)), WallTime(seconds(1'767'355'200))};
    Elector elector;
    Lease sent;         // the last write
    Instant give_up{};  // of the last request

private:
    std::string take() {
        std::string text;
        for (const ElectionAction& action : out_) {
            text += (text.empty() ? "" : ", ") + std::visit(Word{}, action);
            if (const auto* create = std::get_if<CreateLease>(&action)) {
                sent = create->lease;
                give_up = create->give_up;
            } else if (const auto* update = std::get_if<UpdateLease>(&action)) {
                sent = update->lease;
                give_up = update->give_up;
            } else if (const auto* read = std::get_if<ReadLease>(&action)) {
                give_up = read->give_up;
            }
        }
        out_.clear();
        return text;
    }
    ElectionActions out_;
};

// Held by another; `renewals` makes it differ.
inline Lease held_by(const std::string& holder, const std::string& version, int renewals = 0) {
    constexpr WallTime kLongAgo = WallTime(seconds(1'500'000'000));
    Lease lease;
    lease.meta.key = {"ns", kName};
    lease.meta.resource_version = version;
    lease.holder = holder;
    lease.duration = seconds(15);
    lease.acquire = kLongAgo;
    lease.renew = kLongAgo + seconds(2 * renewals);
    lease.transitions = 4;
    return lease;
}

inline Lease released(const std::string& version) {
    Lease lease = held_by("", version, 9);
    lease.duration = seconds(1);
    return lease;
}

}  // namespace steelyard::kube::test
