#include "speaker/gossip/wire/crypto.hpp"

#include "speaker/gossip/wire/testing.hpp"

#include <gtest/gtest.h>

namespace steelyard::gossip_wire {
namespace {

KeyRing ring(std::vector<Key> keys) {
    return KeyRing::make(std::move(keys)).value();
}

TEST(CryptoTest, AShortSecretIsFilledUpWithTheHashOfNothing) {
    EXPECT_EQ(
        metallb_key("0123456789abcdefghijkl"),
        from_hex("303132333435363738396162636465666768696a6b6ce3b0c44298fc1c149afb")
    );
}

TEST(CryptoTest, ALongSecretIsCutAtThirtyTwoBytes) {
    EXPECT_EQ(metallb_key(std::string(32, 'a') + "b"), bytes_of(std::string(32, 'a')));
}

TEST(CryptoTest, KeysOfOtherSizesAreRefusedByName) {
    const auto refused = KeyRing::make({Key(15)});

    ASSERT_FALSE(refused.has_value());
    EXPECT_EQ(refused.error().context, "gossip key: 15 bytes, want 16, 24 or 32");
}

TEST(CryptoTest, BothVersionsAndAllKeySizesRoundTrip) {
    for (const std::size_t size : {16U, 24U, 32U}) {
        for (const auto version : {EncryptionVersion::Padded, EncryptionVersion::Plain}) {
            for (std::size_t length = 0; length < 40; ++length) {
                const Key key(size, std::byte{7});
                const wire::Bytes plain(length, std::byte{'x'});

                const auto sealed = seal(key, version, plain, bytes_of("aad"), counting_bytes());
                const auto opened = open(ring({key}), sealed, bytes_of("aad"));

                EXPECT_EQ(sealed.size(), sealed_size(version, length));
                ASSERT_TRUE(opened.has_value());
                EXPECT_EQ(*opened, plain);
            }
        }
    }
}

TEST(CryptoTest, ARotatedRingOpensWhatTheOldKeySealed) {
    const Key old_key(32, std::byte{1});
    const Key new_key(32, std::byte{2});
    const auto sealed =
        seal(old_key, EncryptionVersion::Plain, bytes_of("hello"), {}, counting_bytes());

    EXPECT_TRUE(open(ring({new_key, old_key}), sealed, {}).has_value());
    EXPECT_FALSE(open(ring({new_key}), sealed, {}).has_value());
}

TEST(CryptoTest, AnyChangedBitIsNoticed) {
    const Key key(32, std::byte{1});
    const auto sealed =
        seal(key, EncryptionVersion::Plain, bytes_of("hello"), bytes_of("aad"), counting_bytes());
    for (std::size_t i = 0; i < sealed.size(); ++i) {
        wire::Bytes changed = sealed;
        changed[i] ^= std::byte{0x40};
        EXPECT_FALSE(open(ring({key}), changed, bytes_of("aad")).has_value()) << i;
    }
    EXPECT_FALSE(open(ring({key}), sealed, bytes_of("AAD")).has_value());
}

// A peer with the key can still lie about padding: sealed as version 1, relabelled as version 0
// (the version byte is not authenticated).
TEST(CryptoTest, ALieAboutPaddingIsRefused) {
    const Key key(32, std::byte{1});
    for (const unsigned pad : {0U, 17U, 255U, 4U}) {
        wire::Bytes plain(16, std::byte{3});
        plain.back() = static_cast<std::byte>(pad);
        wire::Bytes sealed = seal(key, EncryptionVersion::Plain, plain, {}, counting_bytes());
        sealed[0] = std::byte{0};

        EXPECT_FALSE(open(ring({key}), sealed, {}).has_value()) << pad;
    }
}

TEST(CryptoTest, TooFewBytesAreRefused) {
    const Key key(32, std::byte{1});
    for (std::size_t size = 0; size < 45; ++size) {
        EXPECT_FALSE(open(ring({key}), wire::Bytes(size), {}).has_value()) << size;
    }
}

}  // namespace
}  // namespace steelyard::gossip_wire
