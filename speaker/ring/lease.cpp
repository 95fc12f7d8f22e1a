#include "speaker/ring/lease.hpp"

#include <algorithm>

namespace steelyard::ring {
namespace {

constexpr int kQuickQuestions = 10;  // at the pace of probes, then slower

}  // namespace

void Lease::unlimited() {
    until_ = Instant::max();
    asking_ = false;
    watchers_ = {};
}

void Lease::limit(const Timing& timing, Instant now) {
    if (until_ == Instant::max()) {
        until_ = now + timing.lease;
    }
}

void Lease::on_heartbeat(const Timing& timing, Instant now) {
    if (!asking_) {
        until_ = now + timing.lease;
    }
}

void Lease::begin_asking(std::uint32_t token, Instant now) {
    asking_ = true;
    token_ = token;
    since_ = now;
    ask_at_ = now;
    asked_ = 0;
    words_ = {};
}

void Lease::set_watchers(const WatcherSet& watchers) {
    const WatcherSet old_set = watchers_;
    const auto old_words = words_;
    watchers_ = watchers;
    words_ = {};
    for (std::size_t i = 0; i < old_set.count; ++i) {
        for (std::size_t j = 0; j < watchers_.count; ++j) {
            if (old_set.ids[i] == watchers_.ids[j]) {
                words_[j] = old_words[i];
            }
        }
    }
}

void Lease::on_answer(NodeId watcher, std::uint32_t token, View view, Instant now) {
    if (!asking_ || token != token_) {
        return;
    }
    const bool good = view == View::Heard || view == View::None;
    for (std::size_t i = 0; i < watchers_.count; ++i) {
        if (watchers_.ids[i] == watcher) {
            words_[i] = good ? Word::Good : Word::Bad;
        }
    }
    if (!good) {
        since_ = now;
    }
}

void Lease::on_accused(Instant now) {
    if (asking_) {
        since_ = now;
    }
}

bool Lease::decide(const Timing& timing, bool held_unreachable, Instant now) {
    if (!asking_) {
        return false;
    }
    const auto words = std::span(words_).first(watchers_.count);
    const auto good = static_cast<unsigned>(std::count(words.begin(), words.end(), Word::Good));
    const bool bad = std::find(words.begin(), words.end(), Word::Bad) != words.end();
    // So many that at least one of any quorum against us is among them.
    const unsigned enough = watchers_.count - watchers_.quorum() + 1U;
    const bool cleared = good >= enough && !bad && !held_unreachable;
    if (!cleared && now - since_ < timing.answer_limit) {
        return false;
    }
    asking_ = false;
    until_ = now + timing.lease;
    return true;
}

void Lease::asked(const Timing& timing, Instant now) {
    ++asked_;
    ask_at_ = now + (asked_ < kQuickQuestions ? timing.probe_pause : timing.interval / 2);
}

Instant Lease::deadline(const Timing& timing) const {
    return asking_ ? std::min(ask_at_, since_ + timing.answer_limit) : Instant::max();
}

}  // namespace steelyard::ring
