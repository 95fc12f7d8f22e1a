#include "speaker/ring/watching.hpp"

#include <algorithm>

namespace steelyard::ring {
namespace {

constexpr int kHeardEnough = 3;

}  // namespace

Watching::Watching(NodeId subject, NodeId self, Instant now)
    : subject_(subject), self_(self), heard_(now), quiet_since_(now) {}

void Watching::set_watchers(const WatcherSet& watchers) {
    if (watchers == watchers_) {
        return;
    }
    const WatcherSet old_set = watchers_;
    const auto old_opinions = opinions_;
    watchers_ = watchers;
    opinions_ = {};
    for (std::size_t i = 0; i < old_set.count; ++i) {
        for (std::size_t j = 0; j < watchers_.count; ++j) {
            if (old_set.ids[i] == watchers_.ids[j]) {
                opinions_[j] = old_opinions[i];
            }
        }
    }
}

bool Watching::on_heard(const Timing& timing, Instant now) {
    const bool after_gap = heard_count_ == 0 || now - heard_ > timing.probe_after;
    heard_ = now;
    quiet_since_ = now;
    probe_at_ = Instant();
    accuse_at_ = Instant();
    if (!accused_) {
        return false;
    }
    if (after_gap) {
        heard_again_ = now;
        heard_count_ = 0;
    }
    ++heard_count_;
    if (heard_count_ < kHeardEnough || now - heard_again_ < timing.recover_for) {
        return false;
    }
    change_opinion(false, now);
    return true;
}

void Watching::give_fresh_period(Instant now) {
    quiet_since_ = now;
    probe_at_ = Instant();
    accuse_at_ = Instant();
}

void Watching::forget(Instant now) {
    give_fresh_period(now);
    accused_ = false;
    opinions_ = {};
    tell_at_ = Instant::max();
}

void Watching::on_opinion(NodeId fellow, bool silent, std::uint64_t counter, Instant now) {
    for (std::size_t i = 0; i < watchers_.count; ++i) {
        if (watchers_.ids[i] == fellow && opinions_[i].counter < counter) {
            opinions_[i] = {silent, now, counter};
        }
    }
}

Watching::Due Watching::due(const Timing& timing, Instant now) const {
    if (accused_) {
        return Due::Nothing;
    }
    const Duration silence = now - quiet_since_;
    if (silence >= timing.accuse_after && now >= accuse_at_) {
        return Due::Accuse;
    }
    return silence >= timing.probe_after && now >= probe_at_ ? Due::Probe : Due::Nothing;
}

void Watching::probed(const Timing& timing, Instant now) {
    probe_at_ = now + timing.probe_pause;
}

void Watching::postpone(const Timing& timing, Instant now) {
    accuse_at_ = now + timing.probe_pause;
}

void Watching::accuse(Instant now) {
    change_opinion(true, now);
}

void Watching::change_opinion(bool accused, Instant now) {
    accused_ = accused;
    heard_count_ = 0;
    tell_at_ = now;
    copies_left_ = kCopies;
}

bool Watching::condemned(const Timing& timing, Instant now) const {
    if (!accused_) {
        return false;
    }
    unsigned accusers = 1;
    for (std::size_t i = 0; i < watchers_.count; ++i) {
        const FellowOpinion& opinion = opinions_[i];
        const bool counts = opinion.silent && now - opinion.at < timing.opinion_life;
        accusers += counts && watchers_.ids[i] != self_ ? 1U : 0U;
    }
    return accusers >= watchers_.quorum();
}

bool Watching::acquitted() const {
    if (!accused_) {
        return true;
    }
    unsigned accusers = 1;
    for (std::size_t i = 0; i < watchers_.count; ++i) {
        accusers += opinions_[i].silent && watchers_.ids[i] != self_ ? 1U : 0U;
    }
    return accusers < watchers_.quorum();
}

void Watching::told(const Timing& timing, Instant now) {
    copies_left_ = std::max(0, copies_left_ - 1);
    if (copies_left_ > 0) {
        tell_at_ = now + timing.repeat;
    } else {
        tell_at_ = accused_ ? now + timing.remind : Instant::max();
    }
}

Instant Watching::deadline(const Timing& timing) const {
    if (accused_) {
        return tell_at_;
    }
    const Instant probe = std::max(quiet_since_ + timing.probe_after, probe_at_);
    const Instant accuse = std::max(quiet_since_ + timing.accuse_after, accuse_at_);
    return std::min({probe, accuse, tell_at_});
}

}  // namespace steelyard::ring
