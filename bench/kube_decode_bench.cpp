#include "common/kube/watch/mirror.hpp"

#include <malloc.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <new>
#include <string>
#include <vector>

// 50 000 Services come in: as the events of a WatchList and as a LIST through the list-watch core,
// 16 KiB at a time, beside a client that reads the whole answer, parses it and decodes each item.
// CPU time, and the bytes on the heap at the worst moment over those that are left in the end.
namespace {

std::size_t live = 0;
std::size_t peak = 0;

}  // namespace

void* operator new(std::size_t size) {
    void* memory = std::malloc(size);
    if (memory == nullptr) {
        throw std::bad_alloc();
    }
    live += ::malloc_usable_size(memory);
    peak = std::max(peak, live);
    return memory;
}
void operator delete(void* memory) noexcept {
    live -= ::malloc_usable_size(memory);
    std::free(memory);
}
void operator delete(void* memory, std::size_t /*size*/) noexcept {
    operator delete(memory);
}

namespace {

using namespace steelyard;

constexpr std::size_t kServices = 50'000;
constexpr std::size_t kChunk = 16U << 10U;

double cpu_seconds() {
    timespec now{};
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) / 1e9;
}

// About what kubectl apply and a load balancer's controller leave behind: 2.3 KiB.
std::string service_text(std::size_t index) {
    const std::string number = std::to_string(index);
    std::string fields;
    for (const char* name : {"f:metadata", "f:spec", "f:status", "f:annotations"}) {
        fields += std::string(fields.empty() ? "" : ",") + "\"" + name + "\":{";
        for (int i = 0; i < 8; ++i) {
            fields += "\"f:field" + std::to_string(i) + "\":{\".\":{},\"f:inner\":{}},";
        }
        fields += "\"f:last\":{}}";
    }
    return R"({"metadata":{"name":"service-)" + number + R"(","namespace":"ns)" +
           std::to_string(index % 100) + R"(","uid":"9d1f3c1e-0000-4000-8000-)" + number +
           R"(","resourceVersion":")" + number +
           R"(","creationTimestamp":"2026-01-02T03:04:05Z","labels":{"app":"web","tier":"front"},)"
           R"("managedFields":[{"manager":"kubectl","operation":"Apply","fieldsV1":{)" +
           fields +
           R"(}}]},"spec":{"type":"LoadBalancer","clusterIP":"10.96.0.1","clusterIPs":)"
           R"(["10.96.0.1"],"ipFamilies":["IPv4"],"ipFamilyPolicy":"SingleStack",)"
           R"("externalTrafficPolicy":"Cluster","internalTrafficPolicy":"Cluster",)"
           R"("selector":{"app":"web"},"sessionAffinity":"None","ports":[{"name":"http",)"
           R"("protocol":"TCP","port":80,"targetPort":8080,"nodePort":30080},{"name":"https",)"
           R"("protocol":"TCP","port":443,"targetPort":8443,"nodePort":30443}]},)"
           R"("status":{"loadBalancer":{"ingress":[{"ip":"192.0.2.1","ipMode":"VIP"}]}}})";
}

struct Cost {
    double seconds = 0;
    std::size_t peak = 0;
    std::size_t held = 0;
    std::size_t bytes = 0;
};

// Measures what `client(feed)` costs, where feed(consume) makes the answer without keeping it.
class Meter {
public:
    Meter() : before_(live), begun_(cpu_seconds()) { peak = live; }
    void exclude(double seconds) { excluded_ += seconds; }
    [[nodiscard]] Cost done(std::size_t bytes) const {
        Cost cost;
        cost.seconds = cpu_seconds() - begun_ - excluded_;
        cost.peak = peak - before_;
        cost.held = live - before_;
        cost.bytes = bytes;
        return cost;
    }

private:
    std::size_t before_;
    double begun_;
    double excluded_ = 0;
};

Cost through_the_core(bool watch_list) {
    Meter meter;
    std::size_t bytes = 0;
    kube::ListWatch core("/services", {}, Rng(1));
    kube::Mirror<kube::Service> mirror({});
    kube::ActionCarrier carrier(mirror, {});
    kube::WatchActions actions;
    const Instant now(std::chrono::hours(1));
    const auto answer = [&](unsigned status) {
        static_cast<void>(core.next(now));
        kube::ResponseHead head;
        head.status = status;
        head.content_type = "application/json";
        core.on_response(std::move(head), now, actions);
    };
    if (!watch_list) {
        answer(422);
        core.on_closed(std::nullopt, now, actions);
    }
    answer(200);
    std::string pending;
    const auto deliver = [&](std::size_t size) {
        bytes += size;
        core.on_bytes(std::string_view(pending).substr(0, size), now, actions);
        pending.erase(0, size);
        carrier.apply(actions);
    };
    pending = watch_list ? "" : R"({"metadata":{"resourceVersion":"9"},"items":[)";
    for (std::size_t i = 0; i < kServices; ++i) {
        const double begun = cpu_seconds();
        const std::string text = service_text(i);
        meter.exclude(cpu_seconds() - begun);
        if (watch_list) {
            pending += R"({"type":"ADDED","object":)" + text + "}\n";
        } else {
            pending += (i == 0 ? "" : ",") + text;
        }
        while (pending.size() >= kChunk) {
            deliver(kChunk);
        }
    }
    pending += watch_list ? R"({"type":"BOOKMARK","object":{"metadata":{"resourceVersion":"9",)"
                            R"("annotations":{"k8s.io/initial-events-end":"true"}}}})"
                            "\n"
                          : "]}";
    deliver(pending.size());
    core.on_closed(std::nullopt, now, actions);
    carrier.apply(actions);
    if (mirror.store().size() != kServices) {
        std::fprintf(stderr, "only %zu Services arrived\n", mirror.store().size());
        std::exit(1);
    }
    return meter.done(bytes);
}

Cost read_whole() {
    Meter meter;
    std::string body = R"({"metadata":{"resourceVersion":"9"},"items":[)";
    for (std::size_t i = 0; i < kServices; ++i) {
        const double begun = cpu_seconds();
        const std::string text = service_text(i);
        meter.exclude(cpu_seconds() - begun);
        body += (i == 0 ? "" : ",") + text;
    }
    body += "]}";
    const std::size_t bytes = body.size();
    kube::Store<kube::Service> store;
    {
        const nlohmann::json list = nlohmann::json::parse(body, nullptr, false);
        kube::Store<kube::Service>::Objects objects;
        for (const nlohmann::json& item : list.at("items")) {
            auto service = std::make_shared<kube::Service>(kube::decode_service(item).value());
            objects.emplace(service->meta.key, std::move(service));
        }
        store.replace(std::move(objects));
    }
    body = std::string();
    return meter.done(bytes);
}

void tell(const char* name, const Cost& cost, const Cost& baseline) {
    constexpr double kMega = 1e6;
    const double speed = static_cast<double>(cost.bytes) / kMega / cost.seconds;
    std::printf(
        "%-12s %6.2f s  %6.0f MB/s  %6.1f MB held  %7.1f MB at most (%5.2f x held)  "
        "%.2f x as fast, %.2f x the memory\n",
        name,
        cost.seconds,
        speed,
        static_cast<double>(cost.held) / kMega,
        static_cast<double>(cost.peak) / kMega,
        static_cast<double>(cost.peak) / static_cast<double>(cost.held),
        baseline.seconds / cost.seconds,
        static_cast<double>(cost.peak) / static_cast<double>(baseline.peak)
    );
}

}  // namespace

int main() {
    const Cost whole = read_whole();
    const Cost list = through_the_core(false);
    const Cost watch_list = through_the_core(true);
    tell("whole answer", whole, whole);
    tell("LIST", list, whole);
    tell("WatchList", watch_list, whole);
    return 0;
}
