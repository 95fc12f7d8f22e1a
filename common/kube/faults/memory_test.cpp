#include "common/kube/faults/kinds.hpp"
#include "common/kube/watch/mirror.hpp"

#include <gtest/gtest.h>

#include <malloc.h>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdio>
#include <cstdlib>
#include <new>
#include <string>

// What a full state of 10 000 Services costs while it comes in. This program counts the bytes of
// every allocation, so it holds nothing but this test.
namespace {

std::size_t live = 0;
std::size_t peak = 0;

void* counted(std::size_t size) {
    void* memory = std::malloc(size);
    if (memory == nullptr) {
        throw std::bad_alloc();
    }
    live += ::malloc_usable_size(memory);
    peak = std::max(peak, live);
    return memory;
}

void uncounted(void* memory) {
    live -= ::malloc_usable_size(memory);
    std::free(memory);
}

}  // namespace

void* operator new(std::size_t size) {
    return counted(size);
}
void operator delete(void* memory) noexcept {
    uncounted(memory);
}
void operator delete(void* memory, std::size_t /*size*/) noexcept {
    uncounted(memory);
}

namespace steelyard::kube::faults {
namespace {

using namespace std::chrono_literals;

// A Service as it really comes: most of it is managed fields, which nobody decodes.
std::string service_text(std::size_t index) {
    Rng rng(index + 1);
    ObjectKey key;
    key.ns = "ns" + std::to_string(index % 50);
    key.name = "service-" + std::to_string(index);
    nlohmann::json object = random_object(Resource<Service>::kType, key, rng);
    object["metadata"]["resourceVersion"] = std::to_string(index + 1);
    nlohmann::json managed;
    managed["manager"] = "kubectl";
    managed["fieldsV1"]["f:metadata"] = std::string(1500, 'x');
    object["metadata"]["managedFields"].push_back(managed);
    return object.dump();
}

class MemoryTest : public testing::Test {
protected:
    static constexpr std::size_t kServices = 10000;

    void begin(const char* wanted) {
        const auto step = core_.next(now_);
        EXPECT_NE(std::get<OpenStream>(step).target.find(wanted), std::string::npos);
        ResponseHead head;
        head.status = 200;
        head.content_type = "application/json";
        core_.on_response(std::move(head), now_, actions_);
        carrier_.apply(actions_);
    }
    // As the transport hands it over: 16 KiB at a time.
    void send(const std::string& text) {
        pending_ += text;
        while (pending_.size() > kChunk) {
            deliver(kChunk);
        }
    }
    void send_all() {
        mirror_.begin_replace();
        constexpr std::size_t kFew = 2000;
        for (std::size_t i = 0; i < kFew; ++i) {
            mirror_.add(nlohmann::json::parse(service_text(i)));
        }
        mirror_.end_replace();
    }
    void flush() { deliver(pending_.size()); }
    void deliver(std::size_t size) {
        sent_ += size;
        core_.on_bytes(std::string_view(pending_).substr(0, size), now_, actions_);
        pending_.erase(0, size);
        carrier_.apply(actions_);
    }
    void expect_little_beside_the_result(std::size_t before) {
        ASSERT_EQ(mirror_.store().size(), kServices);
        const std::size_t held = live - before;
        const std::size_t most = peak - before;
        std::printf(
            "%zu bytes of JSON, %zu held, %zu at most (%.2f x)\n",
            sent_,
            held,
            most,
            static_cast<double>(most) / static_cast<double>(held)
        );
        EXPECT_LE(most, held + held * 3 / 10);
        constexpr std::size_t kEach = 2048;
        EXPECT_LE(held, kServices * kEach);
    }

    static constexpr std::size_t kChunk = 16U << 10U;
    Instant now_{1h};
    ListWatch core_{"/api/v1/services", {}, Rng(1)};
    Mirror<Service> mirror_{{}};
    ActionCarrier carrier_{mirror_, {}};
    WatchActions actions_;
    std::string pending_;
    std::size_t sent_ = 0;
};

TEST_F(MemoryTest, AWatchListCostsLittleMoreThanItsResult) {
    begin("sendInitialEvents");
    const std::size_t before = live;
    peak = live;
    for (std::size_t i = 0; i < kServices; ++i) {
        send(R"({"type":"ADDED","object":)" + service_text(i) + "}\n");
    }
    send(R"({"type":"BOOKMARK","object":{"metadata":{"resourceVersion":"20000",)"
         R"("annotations":{"k8s.io/initial-events-end":"true"}}}})"
         "\n");
    flush();
    expect_little_beside_the_result(before);
}

TEST_F(MemoryTest, AListCostsLittleMoreThanItsResult) {
    static_cast<void>(core_.next(now_));
    ResponseHead head;
    head.status = 422;
    core_.on_response(std::move(head), now_, actions_);
    core_.on_closed(std::nullopt, now_, actions_);
    begin("limit=500");
    const std::size_t before = live;
    peak = live;
    send(R"({"metadata":{"resourceVersion":"20000"},"items":[)");
    for (std::size_t i = 0; i < kServices; ++i) {
        send((i == 0 ? "" : ",") + service_text(i));
    }
    send("]}");
    flush();
    core_.on_closed(std::nullopt, now_, actions_);
    carrier_.apply(actions_);
    expect_little_beside_the_result(before);
}

// After a 410, say: everything comes again, and hardly anything has changed.
TEST_F(MemoryTest, TheSameStateAgainCostsLittle) {
    const std::size_t empty = live;
    send_all();
    const std::size_t before = live;
    peak = live;
    send_all();
    EXPECT_LE(live - empty, (before - empty) * 21 / 20);
    EXPECT_LE(peak - empty, (before - empty) * 13 / 10);
}

}  // namespace
}  // namespace steelyard::kube::faults
