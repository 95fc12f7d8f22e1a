#include "speaker/io/bfd/bfd_driver.hpp"

#include <pthread.h>
#include <sched.h>

#include <cerrno>

namespace steelyard::io {

Result<> set_realtime_priority() {
    sched_param parameters{};
    parameters.sched_priority = ::sched_get_priority_min(SCHED_FIFO);
    const int error = ::pthread_setschedparam(::pthread_self(), SCHED_FIFO, &parameters);
    if (error == EPERM) {
        return make_error(
            Errc::Unauthorized,
            "real-time priority: not permitted, needs CAP_SYS_NICE (and a real-time budget of the "
            "cgroup)"
        );
    }
    if (error != 0) {
        return errno_error(error, "real-time priority");
    }
    return {};
}

}  // namespace steelyard::io
