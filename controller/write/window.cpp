#include "controller/write/window.hpp"

#include <algorithm>

namespace steelyard::controller {
namespace {

constexpr Duration kPeriod = std::chrono::seconds(10);
constexpr Duration kCarefulStep = std::chrono::seconds(1);
constexpr unsigned kMostDoublings = 10;

}  // namespace

Window::Window(const WindowOptions& options, std::uint64_t seed)
    : options_(options),
      rng_(seed),
      size_(std::clamp(options.first, options.least, options.most)),
      careful_(options.most) {}

Window::Ticket Window::start(Instant now) {
    ++in_flight_;
    full_ = full_ || in_flight_ >= size_;
    return Ticket{epoch_, now};
}

void Window::answered(const Ticket& ticket, bool whole, Instant now) {
    --in_flight_;
    if (ticket.epoch != epoch_) {
        return;
    }
    pushes_ = 0;
    if (whole) {
        measure(now - ticket.started, now);
    }
    if (++answers_ >= size_) {
        end_round(now);
    }
}

void Window::pushed_back(const Ticket& ticket, Duration retry_after, Instant now) {
    --in_flight_;
    if (ticket.epoch == epoch_) {
        ++epoch_;
        probing_ = false;
        // Of a server that refuses everything the size is not the cause: the first one counts.
        if (pushes_ == 0) {
            careful_ = std::max(options_.least, size_ * 3 / 4);
        }
        size_ = std::max(options_.least, size_ / 2);
        begin_round();
        const Duration own = pause();
        resume_ = std::max(resume_, now + (retry_after > Duration::zero() ? retry_after : own));
    } else {
        resume_ = std::max(resume_, now + retry_after);
    }
}

void Window::measure(Duration round_trip, Instant now) {
    if (now - period_ >= kPeriod) {
        period_ = now;
        fastest_before_ = fastest_;
        fastest_ = Duration::max();
    }
    fastest_ = std::min(fastest_, round_trip);
    ++measured_;
    spent_ += round_trip;
}

void Window::end_round(Instant now) {
    const Duration fastest = std::min(fastest_, fastest_before_);
    const bool queueing =
        measured_ != 0 && static_cast<double>((spent_ / measured_).count()) >
                              options_.patience * static_cast<double>(fastest.count());
    if (queueing) {
        probing_ = false;
    } else if (full_ && (size_ < careful_ || now - grown_ >= kCarefulStep)) {
        // A window that nobody fills would tell nothing about a larger one.
        size_ = std::min(options_.most, size_ + (probing_ ? size_ : 1));
        grown_ = now;
    }
    begin_round();
}

void Window::begin_round() {
    full_ = false;
    answers_ = 0;
    measured_ = 0;
    spent_ = Duration::zero();
}

Duration Window::pause() {
    const unsigned doublings = std::min(pushes_++, kMostDoublings);
    const Duration pause =
        std::min<Duration>(options_.first_pause * (1U << doublings), options_.longest_pause);
    return std::chrono::duration_cast<Duration>(pause * (0.5 + rng_.unit() / 2));
}

}  // namespace steelyard::controller
