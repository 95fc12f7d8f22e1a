#include "controller/write/window.hpp"

#include <algorithm>

namespace steelyard::controller {
namespace {

constexpr Duration kPeriod = std::chrono::seconds(10);
constexpr unsigned kMostDoublings = 10;

}  // namespace

Window::Window(const WindowOptions& options, std::uint64_t seed)
    : options_(options),
      rng_(seed),
      size_(std::clamp(options.first, options.least, options.most)) {}

Window::Ticket Window::start(Instant now) {
    ++in_flight_;
    return Ticket{epoch_, now};
}

void Window::answered(const Ticket& ticket, bool whole, Instant now) {
    // A window that nobody fills tells nothing about a larger one.
    const bool full = in_flight_ >= size_;
    --in_flight_;
    if (ticket.epoch != epoch_) {
        return;
    }
    pushes_ = 0;
    if (whole) {
        measure(now - ticket.started, now);
    }
    if (full) {
        ++answers_;
    }
    if (answers_ >= size_) {
        grow();
    }
}

void Window::pushed_back(const Ticket& ticket, Duration retry_after, Instant now) {
    --in_flight_;
    if (ticket.epoch == epoch_) {
        ++epoch_;
        size_ = std::max(options_.least, size_ / 2);
        answers_ = 0;
        measured_ = 0;
        spent_ = Duration::zero();
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

void Window::grow() {
    const Duration fastest = std::min(fastest_, fastest_before_);
    const bool queueing =
        measured_ != 0 && static_cast<double>((spent_ / measured_).count()) >
                              options_.patience * static_cast<double>(fastest.count());
    if (!queueing && size_ < options_.most) {
        ++size_;
    }
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
