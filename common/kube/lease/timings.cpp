#include "common/kube/lease/timings.hpp"

namespace steelyard::kube {

Result<> check(const ElectionTimings& timings) {
    using std::chrono::seconds;
    if (timings.lease_duration < seconds(1) ||
        timings.lease_duration % seconds(1) != Duration::zero()) {
        return make_error(
            Errc::Invalid, "lease duration: must be whole seconds, at least one, as in 15s"
        );
    }
    if (timings.lease_duration <= timings.renew_deadline) {
        return make_error(
            Errc::Invalid, "renew deadline: must be shorter than the lease duration, as 10s in 15s"
        );
    }
    if (timings.retry_period <= Duration::zero()) {
        return make_error(Errc::Invalid, "retry period: must be positive, as in 2s");
    }
    if (std::chrono::duration<double>(timings.retry_period) * kRetryJitter >=
        timings.renew_deadline) {
        return make_error(
            Errc::Invalid,
            "retry period: 1.2 times of it must be shorter than the renew deadline, as 2s in 10s"
        );
    }
    return {};
}

}  // namespace steelyard::kube
