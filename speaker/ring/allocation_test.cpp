#include "speaker/ring/watch_ring.hpp"

#include <gtest/gtest.h>

#include <cstdlib>
#include <new>

namespace {

std::size_t allocations = 0;

void* allocate(std::size_t size) {
    ++allocations;
    void* out = std::malloc(size);
    if (out == nullptr) {
        throw std::bad_alloc();
    }
    return out;
}

}  // namespace

void* operator new(std::size_t size) {
    return allocate(size);
}
void operator delete(void* memory) noexcept {
    std::free(memory);
}
void operator delete(void* memory, std::size_t /*size*/) noexcept {
    std::free(memory);
}

namespace steelyard::ring {
namespace {

using namespace std::chrono_literals;

TEST(RingAllocationTest, AHeartbeatAllocatesItsPacketAndNothingElse) {
    const Instant start = Instant() + 1h;
    const Peer a{"a", {net::IpAddress::v4(1), 1}, 1};
    const Peer b{"b", {net::IpAddress::v4(2), 1}, 2};
    WatchRing sender({"a", 1, {}, 100ms, 3}, Rng(1), start);
    WatchRing receiver({"b", 2, {}, 100ms, 3}, Rng(2), start);
    Actions out;
    sender.set_peers({b}, start, out);
    receiver.set_peers({a}, start, out);
    Actions heard;
    heard.reserve(16);
    for (int beat = 0; beat < 100; ++beat) {
        out.clear();
        const Instant now = sender.next_deadline();
        const std::size_t before = allocations;
        sender.on_deadline(now, out);
        const std::size_t sending = allocations - before;
        ASSERT_EQ(out.size(), 1U);
        const auto& packet = std::get<SendPacket>(out.front());
        receiver.on_packet(a.address, packet.bytes, now, heard);
        const std::size_t receiving = allocations - before - sending;
        if (beat > 0) {  // the first derives the pair's key
            ASSERT_EQ(sending, 1U);
            ASSERT_EQ(receiving, 0U);
        }
    }
}

}  // namespace
}  // namespace steelyard::ring
