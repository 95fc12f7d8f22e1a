#include "speaker/proxy/tuning.hpp"

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

// Any text as each annotation: weights in their bounds, or complaints; never a wrong scheduler.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace steelyard;
    const std::string text(reinterpret_cast<const char*>(data), size);
    kube::Service service;
    for (const char* name :
         {"steelyard.io/ipvs-scheduler",
          "steelyard.io/ipvs-scheduler-flags",
          "steelyard.io/ipvs-weights",
          "steelyard.io/drain-seconds"}) {
        service.meta.annotations[name] = text;
    }
    const proxy::Tuning tuning = proxy::tuning_of(service, proxy::ProxyConfig());
    if (!proxy::is_scheduler(tuning.scheduling.scheduler)) {
        std::abort();
    }
    const kube::EndpointDetails details;
    proxy::Candidate candidate;
    candidate.details = &details;
    if (tuning.weights.of(net::IpAddress(), candidate, {}) > 65535) {
        std::abort();
    }
    return 0;
}
