#include "speaker/proxy/marks.hpp"

#include "speaker/proxy/tables.hpp"

#include <gtest/gtest.h>

namespace steelyard::proxy {
namespace {

MarkAllocator::Port port(const std::string& name) {
    return {name, net::Protocol::Tcp, MarkKind::ClusterWide};
}

TEST(MarkAllocatorTest, MarksAreOursAndKeepClearOfOthersBits) {
    MarkAllocator marks(7);
    for (int i = 0; i < 2000; ++i) {
        const std::uint32_t mark = marks.mark({"ns", "s" + std::to_string(i)}, port("http"));
        EXPECT_EQ(mark & kMarkMask, kMarkBase);
        EXPECT_EQ(mark & (0x4000U | 0x8000U | 1U << 7U), 0U);
    }
}

TEST(MarkAllocatorTest, TheSameAfterARestart) {
    MarkAllocator before(14);
    before.mark({"ns", "other"}, port("http"));
    const std::uint32_t mark = before.mark({"ns", "web"}, port("http"));
    MarkAllocator after(14);
    EXPECT_EQ(after.mark({"ns", "web"}, port("http")), mark);
    EXPECT_EQ(before.mark({"ns", "web"}, port("http")), mark);
}

TEST(MarkAllocatorTest, EveryPortProtocolAndKindHasItsOwn) {
    MarkAllocator marks(14);
    const std::set<std::uint32_t> all{
        marks.mark({"ns", "web"}, {"a", net::Protocol::Tcp, MarkKind::ClusterWide}),
        marks.mark({"ns", "web"}, {"a", net::Protocol::Tcp, MarkKind::NodeLocal}),
        marks.mark({"ns", "web"}, {"a", net::Protocol::Udp, MarkKind::ClusterWide}),
        marks.mark({"ns", "web"}, {"b", net::Protocol::Tcp, MarkKind::ClusterWide}),
        marks.mark({"nsw", "eb"}, {"a", net::Protocol::Tcp, MarkKind::ClusterWide})};
    EXPECT_EQ(all.size(), 5U);
}

TEST(MarkAllocatorTest, WhereTwoHashToOneTheLaterTakesAnotherAndKeepsIt) {
    MarkAllocator marks = MarkAllocator::with_bits(0x70);  // eight marks
    std::map<std::string, std::uint32_t> given;
    std::set<std::uint32_t> all;
    for (int i = 0; i < 8; ++i) {
        const std::string name = "s" + std::to_string(i);
        given[name] = marks.mark({"ns", name}, port(""));
        EXPECT_EQ(given[name] & ~0x70U, kMarkBase);
        all.insert(given[name]);
    }
    EXPECT_EQ(all.size(), 8U);
    marks.keep_only({"ns", "s3"}, {});
    marks.keep_only({"ns", "s4"}, {given["s4"]});
    for (const auto& [name, mark] : given) {
        if (name != "s3") {
            EXPECT_EQ(marks.mark({"ns", name}, port("")), mark) << name;
        }
    }
    EXPECT_EQ(marks.mark({"ns", "new"}, port("")), given["s3"]);  // the only one that is free
}

TEST(MarkKeyTest, ReadsAsIpvsadmHasIt) {
    EXPECT_EQ(to_string(by_mark(0x80001234, net::Family::V4)), "FWM 0x80001234 IPv4");
    EXPECT_EQ(to_string(by_mark(0x80001234, net::Family::V6)), "FWM 0x80001234 IPv6");
    EXPECT_NE(by_mark(0x80001234, net::Family::V4), by_mark(0x80001234, net::Family::V6));
}

}  // namespace
}  // namespace steelyard::proxy
