#include "controller/app/allocator_gauges.hpp"

#include <map>
#include <string>

namespace steelyard::controller {
namespace {

struct Gauge {
    const char* name;
    const char* help;
    double (*value)(const ipam::PoolCount&);
};

double real(std::uint64_t count) {
    return static_cast<double>(count);
}

constexpr Gauge kGauges[] = {
    {"metallb_allocator_addresses_total",
     "Addresses of the pool.",
     [](const ipam::PoolCount& count) {
         return real(count.v4.total) + real(count.v6.total);
     }},
    {"metallb_allocator_ipv4_addresses_total",
     "IPv4 addresses of the pool.",
     [](const ipam::PoolCount& count) {
         return real(count.v4.total);
     }},
    {"metallb_allocator_ipv6_addresses_total",
     "IPv6 addresses of the pool.",
     [](const ipam::PoolCount& count) {
         return real(count.v6.total);
     }},
    {"metallb_allocator_addresses_in_use_total",
     "Addresses of the pool that Services hold.",
     [](const ipam::PoolCount& count) {
         return real(count.v4.assigned) + real(count.v6.assigned);
     }},
    {"metallb_allocator_ipv4_addresses_in_use_total",
     "IPv4 addresses of the pool that Services hold.",
     [](const ipam::PoolCount& count) {
         return real(count.v4.assigned);
     }},
    {"metallb_allocator_ipv6_addresses_in_use_total",
     "IPv6 addresses of the pool that Services hold.",
     [](const ipam::PoolCount& count) {
         return real(count.v6.assigned);
     }},
};

}  // namespace

void update_allocator_gauges(
    metrics::Registry& registry, const std::vector<ipam::PoolCount>& counts
) {
    for (const Gauge& gauge : kGauges) {
        std::map<metrics::Labels, double> samples;
        for (const ipam::PoolCount& count : counts) {
            samples[{{"pool", count.pool}}] = gauge.value(count);
        }
        registry.gauge(gauge.name, gauge.help).replace(samples);
    }
}

}  // namespace steelyard::controller
