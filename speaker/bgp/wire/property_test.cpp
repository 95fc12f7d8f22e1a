#include "speaker/bgp/wire/framer.hpp"
#include "speaker/bgp/wire/loose_update.hpp"
#include "speaker/bgp/wire/route_refresh.hpp"
#include "speaker/bgp/wire/samples.hpp"
#include "speaker/bgp/wire/update.hpp"

#include <gtest/gtest.h>

#include <functional>
#include <memory>

// What holds for every value and for any bytes. Seeds are fixed and printed on failure.
namespace steelyard::bgp_wire {
namespace {

wire::Bytes single_body(const wire::Writer& out) {
    return split_messages(out.view()).at(0).body;
}

TEST(PropertyTest, AnyOpenDecodesToItself) {
    for (std::uint64_t seed = 1; seed <= 2000; ++seed) {
        Rng rng(seed);
        const Open open = any_open(rng);
        wire::Writer out;
        encode_open(out, open);

        const auto decoded = decode_open(single_body(out));

        ASSERT_TRUE(std::holds_alternative<Open>(decoded)) << "seed " << seed;
        ASSERT_EQ(std::get<Open>(decoded), open) << "seed " << seed;
    }
}

TEST(PropertyTest, AnyNotificationDecodesToItself) {
    for (std::uint64_t seed = 1; seed <= 2000; ++seed) {
        Rng rng(seed);
        Notification notification;
        notification.code = static_cast<std::uint8_t>(rng.next());
        notification.subcode = static_cast<std::uint8_t>(rng.next());
        notification.data.resize(rng.below(300));
        wire::Writer out;
        encode_notification(out, notification);

        ASSERT_EQ(decode_notification(single_body(out)), notification) << "seed " << seed;
    }
}

TEST(PropertyTest, AnyPackedRoutesAreReadBackAndAccepted) {
    for (std::uint64_t seed = 1; seed <= 1000; ++seed) {
        Rng rng(seed);
        const AnyUpdate update = any_update(rng);
        const std::size_t limit = coin(rng) ? kMaxMessage : kMaxExtendedMessage;
        UpdatePacker packer(update.family, update.attributes, update.nlri, limit);
        if (!packer.usable()) {
            continue;
        }
        const auto prefixes = some_prefixes(rng, update.family, 2000);
        const UpdateContext context{
            update.attributes.as4, update.ibgp, true, true, update.nlri == Nlri::Multiprotocol};

        std::vector<net::Prefix> back;
        for (const Message& message : split_messages(pack_all(packer, prefixes))) {
            ASSERT_LE(message.body.size() + kHeaderSize, limit) << "seed " << seed;
            const auto read = read_update(message.body, update.attributes.as4);
            const auto summary = decode_update(message.body, context);
            const auto& counted = update.family == net::Family::V4 ? summary.v4 : summary.v6;
            ASSERT_EQ(read.attributes, update.attributes) << "seed " << seed;
            ASSERT_EQ(summary.verdict, Verdict::Accept) << summary.why << " seed " << seed;
            ASSERT_EQ(counted.announced, read.announced.size()) << "seed " << seed;
            back.insert(back.end(), read.announced.begin(), read.announced.end());
        }
        ASSERT_EQ(back, prefixes) << "seed " << seed;
    }
}

// A copy that ends where its allocation does, so that a sanitizer sees the first octet beyond.
std::unique_ptr<std::byte[]> exact(std::span<const std::byte> bytes) {
    auto out = std::make_unique<std::byte[]>(bytes.size());
    std::copy(bytes.begin(), bytes.end(), out.get());
    return out;
}

using Use = std::function<void(std::span<const std::byte>)>;

// Every cut, every bit flipped, every octet one up and one down, and random damage on top.
void damage(const wire::Bytes& body, Rng& rng, const Use& use) {
    const auto give = [&](std::span<const std::byte> bytes) {
        const auto copy = exact(bytes);
        use({copy.get(), bytes.size()});
    };
    for (std::size_t size = 0; size <= body.size(); ++size) {
        give(std::span(body).first(size));
    }
    for (std::size_t at = 0; at < body.size(); ++at) {
        const auto old = std::to_integer<unsigned>(body[at]);
        for (const unsigned value : {old + 1, old - 1, old ^ 0x80U, old ^ 0x10U, 0U, 255U}) {
            wire::Bytes changed = body;
            changed[at] = static_cast<std::byte>(value);
            give(changed);
        }
    }
    for (int round = 0; round < 200; ++round) {
        wire::Bytes changed = body;
        for (std::size_t count = 1 + rng.below(4); count > 0 && !changed.empty(); --count) {
            changed[rng.below(changed.size())] = static_cast<std::byte>(rng.next());
        }
        changed.resize(rng.below(changed.size() + 8));
        give(changed);
    }
}

TEST(PropertyTest, DamagedOpensAlwaysHaveAnAnswer) {
    for (std::uint64_t seed = 1; seed <= 20; ++seed) {
        Rng rng(seed);
        wire::Writer out;
        encode_open(out, any_open(rng));
        damage(single_body(out), rng, [&](std::span<const std::byte> bytes) {
            const auto decoded = decode_open(bytes);
            if (const auto* refused = std::get_if<Notification>(&decoded)) {
                EXPECT_TRUE(is(*refused, ErrorCode::Open)) << "seed " << seed;
                return;
            }
            // What was accepted can be said again.
            const Open& open = std::get<Open>(decoded);
            EXPECT_NE(open.asn, 0U) << "seed " << seed;
            EXPECT_NE(open.router_id, 0U) << "seed " << seed;
        });
    }
}

TEST(PropertyTest, DamagedUpdatesAlwaysHaveAVerdict) {
    for (std::uint64_t seed = 1; seed <= 30; ++seed) {
        Rng rng(seed);
        const AnyUpdate update = any_update(rng);
        UpdatePacker packer(update.family, update.attributes, update.nlri, kMaxMessage);
        const auto stream = pack_all(packer, some_prefixes(rng, update.family, 4));
        const UpdateContext context{coin(rng), update.ibgp, true, true, coin(rng)};
        const wire::Bytes body = split_messages(stream).at(0).body;
        if (body.size() > 600) {
            continue;
        }
        damage(body, rng, [&](std::span<const std::byte> bytes) {
            const auto summary = decode_update(bytes, context);
            EXPECT_EQ(summary.reset.has_value(), summary.verdict == Verdict::Reset);
            EXPECT_EQ(summary.why.empty(), summary.verdict == Verdict::Accept);
            EXPECT_LT(summary.why.size(), 200U);
            EXPECT_LE(summary.v4.announced + summary.v6.announced, bytes.size());
        });
    }
}

TEST(PropertyTest, DamagedNotificationsAndRefreshesAreHarmless) {
    Rng rng(1);
    wire::Writer notification;
    encode_notification(
        notification, hard_reset(cease(Cease::AdministrativeShutdown, "gr\xc3\xbc"))
    );
    damage(single_body(notification), rng, [](std::span<const std::byte> bytes) {
        EXPECT_LT(to_string(decode_notification(bytes)).size(), 2000U);
    });
    wire::Writer refresh;
    encode_route_refresh(refresh, {net::Family::V6, RouteRefresh::Kind::Begin});
    damage(single_body(refresh), rng, [](std::span<const std::byte> bytes) {
        (void)decode_route_refresh(bytes);
    });
}

TEST(PropertyTest, DamagedStreamsEndInARefusalOrInMessages) {
    Rng rng(1);
    wire::Writer stream;
    encode_keepalive(stream);
    encode_open(stream, any_open(rng));
    encode_notification(stream, hold_timer_expired());
    damage(stream.view(), rng, [](std::span<const std::byte> bytes) {
        Framer framer;
        framer.push(bytes);
        std::size_t taken = 0;
        while (true) {
            const auto next = framer.next(kMaxMessage);
            const auto* frame = std::get_if<Frame>(&next);
            if (frame == nullptr) {
                break;
            }
            taken += kHeaderSize + frame->body.size();
        }
        EXPECT_LE(taken + framer.held(), bytes.size());
    });
}

}  // namespace
}  // namespace steelyard::bgp_wire
