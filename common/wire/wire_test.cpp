#include "common/wire/reader.hpp"
#include "common/wire/writer.hpp"

#include <gtest/gtest.h>

#include <array>

namespace steelyard::wire {
namespace {

TEST(WireTest, ReaderReadsWhatWriterWrote) {
    Writer writer;
    writer.u8(0x12);
    writer.u16(0x3456);
    writer.u32(0x789abcde);
    writer.u64(0x0102030405060708);
    writer.text("hi");

    Reader reader(writer.view());

    EXPECT_EQ(reader.u8(), 0x12);
    EXPECT_EQ(reader.u16(), 0x3456);
    EXPECT_EQ(reader.u32(), 0x789abcdeU);
    EXPECT_EQ(reader.u64(), 0x0102030405060708U);
    EXPECT_EQ(reader.text(2), "hi");
    EXPECT_TRUE(reader.ok());
    EXPECT_EQ(reader.remaining(), 0U);
}

TEST(WireTest, ShortReadIsStickyAndYieldsZero) {
    const std::array bytes{std::byte{0x12}};
    Reader reader(bytes);

    EXPECT_EQ(reader.u16(), 0);
    EXPECT_FALSE(reader.ok());
    EXPECT_EQ(reader.u8(), 0);
    EXPECT_FALSE(reader.ok());
}

TEST(WireTest, ALoopOverWhatRemainsEndsWithAShortRead) {
    const std::array bytes{std::byte{1}, std::byte{2}, std::byte{3}};
    Reader reader(bytes);

    int rounds = 0;
    while (reader.remaining() > 0 && rounds < 10) {
        (void)reader.u16();
        ++rounds;
    }

    EXPECT_EQ(rounds, 2);
    EXPECT_FALSE(reader.ok());
}

TEST(WireTest, AClaimedLengthCannotReachPastTheEnd) {
    const std::array bytes{std::byte{1}, std::byte{2}};
    Reader reader(bytes);

    EXPECT_TRUE(reader.bytes(3).empty());
    EXPECT_FALSE(reader.ok());
}

TEST(WireTest, PatchFillsALengthInLater) {
    Writer writer;
    writer.u16(0);
    writer.text("abc");
    writer.patch_u16(0, 3);

    Reader reader(writer.view());

    EXPECT_EQ(reader.u16(), 3);
}

}  // namespace
}  // namespace steelyard::wire
