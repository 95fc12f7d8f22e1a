#include "speaker/app/node_meta/node_meta.hpp"

#include <gtest/gtest.h>

namespace steelyard::speaker {
namespace {

NodeMeta full() {
    NodeMeta meta;
    meta.ready = meta.settling = true;
    meta.ring = NodeMeta::Ring{7947, 0x0123456789abcdefU};
    meta.interfaces = {{"eth0", true, true, true}, {"wg0", false, true, false}};
    meta.unservable = {7, 0xffffffffU};
    return meta;
}

void append(wire::Bytes& bytes, std::initializer_list<unsigned> values) {
    for (const unsigned value : values) {
        bytes.push_back(std::byte(value));
    }
}

TEST(NodeMetaTest, EveryFieldComesBack) {
    NodeMeta draining;
    draining.draining = draining.unservable_overflow = draining.founder = true;
    NodeMeta without_interface;
    without_interface.interfaces.emplace();
    for (const NodeMeta& meta : {NodeMeta(), full(), draining, without_interface}) {
        EXPECT_EQ(decode_node_meta(encode(meta)), meta);
    }
}

TEST(NodeMetaTest, AForeignSpeakersMetaIsNothing) {
    const wire::Bytes other{std::byte{'S'}, std::byte{'X'}, std::byte{1}, std::byte{1}};

    EXPECT_EQ(decode_node_meta({}), std::nullopt);
    EXPECT_EQ(decode_node_meta(other), std::nullopt);
    EXPECT_EQ(decode_node_meta(std::span(other).first(3)), std::nullopt);
}

TEST(NodeMetaTest, ALaterVersionMayAddFields) {
    wire::Bytes later = encode(full());
    later[2] = std::byte{2};
    append(later, {200, 3, 1, 2, 3});

    EXPECT_EQ(decode_node_meta(later), full());
}

TEST(NodeMetaTest, AnythingCutShortInsideAFieldIsRefused) {
    const wire::Bytes whole = encode(full());
    const std::size_t ring_end = 4 + 12;
    const std::size_t interfaces_end = ring_end + 2 + 2 + 4 + 2 + 3;
    for (std::size_t size = 4; size < whole.size(); ++size) {
        const bool at_a_border = size == 4 || size == ring_end || size == interfaces_end;
        EXPECT_EQ(decode_node_meta(std::span(whole).first(size)).has_value(), at_a_border) << size;
    }
}

TEST(NodeMetaTest, FieldsThatLieAreRefused) {
    const struct {
        const char* name;
        std::initializer_list<unsigned> field;
    } cases[] = {
        {"ring without a port", {1, 10, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8}},
        {"ring too short", {1, 2, 31, 11}},
        {"name longer than the field", {2, 3, 1, 9, 'e'}},
        {"name longer than the kernel allows", {2,   18,  1,   16,  'a', 'a', 'a', 'a', 'a', 'a',
                                                'a', 'a', 'a', 'a', 'a', 'a', 'a', 'a', 'a', 'a'}},
        {"half a fingerprint", {3, 6, 0, 0, 0, 1, 0, 0}},
    };
    for (const auto& bad : cases) {
        wire::Bytes bytes = encode(NodeMeta());
        append(bytes, bad.field);
        EXPECT_EQ(decode_node_meta(bytes), std::nullopt) << bad.name;
    }
}

TEST(NodeMetaTest, InterfacesThatDoNotFitAreNotToldAtAll) {
    NodeMeta meta = full();
    for (int i = 0; i < 30; ++i) {
        meta.interfaces->push_back({"interface" + std::to_string(i), true, true, true});
    }

    const auto back = decode_node_meta(encode(meta));

    ASSERT_TRUE(back.has_value());
    EXPECT_EQ(back->interfaces, std::nullopt);
    EXPECT_EQ(back->unservable, meta.unservable);
}

TEST(NodeMetaTest, TooManyUnservableAddressesAreSaidToBeMore) {
    NodeMeta meta = full();
    meta.unservable.clear();
    for (std::uint32_t i = 8; i < 1000; ++i) {
        meta.unservable.push_back(i);
    }

    const wire::Bytes bytes = encode(meta);
    const auto back = decode_node_meta(bytes);

    EXPECT_LE(bytes.size(), NodeMeta::kMaxBytes);
    ASSERT_TRUE(back.has_value());
    EXPECT_TRUE(back->unservable_overflow);
    EXPECT_GE(back->unservable.size(), 100U);
    EXPECT_EQ(back->interfaces, meta.interfaces);
    EXPECT_EQ(encode(*back), bytes);
}

}  // namespace
}  // namespace steelyard::speaker
