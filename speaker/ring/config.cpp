#include "speaker/ring/config.hpp"

#include <algorithm>

namespace steelyard::ring {

using namespace std::chrono_literals;

namespace {

Duration times(Duration interval, double factor) {
    return Duration(static_cast<Duration::rep>(static_cast<double>(interval.count()) * factor));
}

}  // namespace

Result<> validate(const Config& config) {
    if (config.name.empty() || config.name.size() > kMaxName) {
        return make_error(
            Errc::Invalid,
            "watch ring: name of " + std::to_string(config.name.size()) +
                " bytes, accepted are 1 to " + std::to_string(kMaxName)
        );
    }
    if (config.interval < 10ms || config.interval > 1s) {
        const auto span = std::chrono::duration_cast<std::chrono::microseconds>(config.interval);
        return make_error(
            Errc::Invalid,
            "watch ring: interval " + std::to_string(span.count()) + "us, accepted are 10ms to 1s"
        );
    }
    if (config.watchers < 1 || config.watchers > kMaxWatchers) {
        return make_error(
            Errc::Invalid,
            "watch ring: " + std::to_string(config.watchers) + " watchers, accepted are 1 to " +
                std::to_string(kMaxWatchers)
        );
    }
    return {};
}

Timing::Timing(Duration every)
    : interval(every),
      probe_after(times(every, 2.2)),
      probe_pause(times(every, 0.12)),
      accuse_after(times(every, 2.8)),
      recover_for(times(every, 1.9)),
      connected(times(every, 1.5)),
      late(times(every, 0.5)),
      lease(times(every, 2.7)),
      forget(times(every, 2.5)),
      repeat(std::min<Duration>(every / 5, 20ms)),
      remind(every * 5),
      opinion_life(every * 12),
      refresh(1s),
      verdict_life(3s),
      answer_limit(1s) {}

}  // namespace steelyard::ring
