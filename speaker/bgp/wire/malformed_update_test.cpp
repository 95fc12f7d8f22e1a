#include "speaker/bgp/wire/loose_update.hpp"
#include "speaker/bgp/wire/samples.hpp"
#include "speaker/bgp/wire/update.hpp"

#include <gtest/gtest.h>

#include <array>

// A hundred thousand UPDATEs broken the way speakers break them. A session may end only where
// RFC 7606 says so; that is judged here a second time, by looking at the bytes in another way.
namespace steelyard::bgp_wire {
namespace {

using Octets = std::span<const std::byte>;

std::size_t octet(Octets bytes, std::size_t at) {
    return std::to_integer<std::size_t>(bytes[at]);
}

std::size_t two_octets(Octets bytes, std::size_t at) {
    return octet(bytes, at) * 256 + octet(bytes, at + 1);
}

bool prefixes_fit(Octets field, std::size_t longest) {
    std::size_t at = 0;
    while (at < field.size()) {
        const std::size_t length = octet(field, at);
        if (length > longest) {
            return false;
        }
        at += 1 + length / 8 + (length % 8 > 0 ? 1 : 0);
    }
    return at == field.size();
}

struct Seen {
    std::array<int, 256> times{};
    int others = 0;  // attributes that are not MP_UNREACH_NLRI
    bool unknown_well_known = false;
    bool illegible_family = false;
    bool reach_with_nlri = false;
};

// MP_REACH_NLRI without a single octet of NLRI, so that it announces nothing.
bool reach_is_empty(Octets value) {
    if (value.size() < 5 || octet(value, 2) != 1 || octet(value, 0) != 0 || octet(value, 1) == 0 ||
        octet(value, 1) > 2) {
        return false;
    }
    return value.size() == 5 + octet(value, 3);
}

Seen walk(Octets attributes) {
    constexpr std::string_view kNamed =
        "\x01\x02\x03\x04\x05\x06\x07\x08\x09\x0a\x0e\x0f\x10\x11\x12\x19\x20\x23";
    Seen seen;
    std::size_t at = 0;
    while (attributes.size() - at >= 3) {
        const bool extended = (octet(attributes, at) & 0x10U) != 0;
        if (extended && attributes.size() - at < 4) {
            break;
        }
        const std::size_t type = octet(attributes, at + 1);
        const std::size_t length =
            extended ? two_octets(attributes, at + 2) : octet(attributes, at + 2);
        const std::size_t start = at + (extended ? 4 : 3);
        const bool whole = length <= attributes.size() - start;
        const Octets value = attributes.subspan(start, std::min(length, attributes.size() - start));
        ++seen.times.at(type);
        seen.others += type != 15 ? 1 : 0;
        const bool named = kNamed.find(static_cast<char>(type)) != std::string_view::npos;
        seen.unknown_well_known |=
            !named && whole && seen.times.at(type) == 1 && (octet(attributes, at) & 0x80U) == 0;
        seen.illegible_family |= (type == 14 || type == 15) && value.size() < 3;
        seen.reach_with_nlri |= type == 14 && !(whole && reach_is_empty(value));
        at = start + value.size();
    }
    return seen;
}

enum class Reset : std::uint8_t { Demanded, Allowed, Forbidden };

Reset reset_is(Octets body) {
    if (body.size() < 4 || 4 + two_octets(body, 0) > body.size()) {
        return Reset::Demanded;
    }
    const std::size_t withdrawn = two_octets(body, 0);
    const std::size_t total = two_octets(body, 2 + withdrawn);
    if (4 + withdrawn + total > body.size()) {
        return Reset::Demanded;
    }
    const Octets nlri = body.subspan(4 + withdrawn + total);
    if (!prefixes_fit(body.subspan(2, withdrawn), 32) || !prefixes_fit(nlri, 32)) {
        return Reset::Demanded;
    }
    const Seen seen = walk(body.subspan(4 + withdrawn, total));
    if (seen.times[14] > 1 || seen.times[15] > 1 || seen.unknown_well_known ||
        seen.illegible_family) {
        return Reset::Demanded;
    }
    // RFC 7606 5.2: only together with an error, which is not looked for here.
    const bool reachable = !nlri.empty() || seen.reach_with_nlri;
    return seen.others > 0 && !reachable ? Reset::Allowed : Reset::Forbidden;
}

wire::Bytes any_body(Rng& rng, AnyUpdate& update) {
    do {
        update = any_update(rng);
        update.attributes.as_path.resize(std::min<std::size_t>(update.attributes.as_path.size(), 5)
        );
    } while (!UpdatePacker(update.family, update.attributes, update.nlri, kMaxMessage).usable());
    if (rng.below(8) == 0) {
        WithdrawalPacker packer(update.family, update.nlri, kMaxMessage);
        (void)packer.add(any_prefix(rng, update.family));
        wire::Writer out;
        packer.finish(out);
        return split_messages(out.view()).at(0).body;
    }
    UpdatePacker packer(update.family, update.attributes, update.nlri, kMaxMessage);
    return split_messages(pack_all(packer, some_prefixes(rng, update.family, 5))).at(0).body;
}

TEST(MalformedUpdateTest, OnlyWhatTheRfcSaysEndsASession) {
    constexpr std::uint64_t kSeed = 7606;
    constexpr int kRounds = 100000;
    Rng rng(kSeed);
    std::array<int, 5> verdicts{};
    AnyUpdate update;
    LooseUpdate valid;
    for (int round = 0; round < kRounds; ++round) {
        if (round % 16 == 0) {
            valid = take_apart(any_body(rng, update));
        }
        LooseUpdate loose = valid;
        for (std::uint64_t changes = 1 + rng.below(3); changes > 0; --changes) {
            mutate(loose, rng);
        }
        const wire::Bytes body = put_together(loose);
        const UpdateContext context{
            update.attributes.as4, update.ibgp, true, true, update.nlri == Nlri::Multiprotocol};

        const auto summary = decode_update(body, context);

        ++verdicts.at(static_cast<std::size_t>(summary.verdict));
        const bool reset = summary.verdict == Verdict::Reset;
        const Reset judged = reset_is(body);
        ASSERT_FALSE(reset && judged == Reset::Forbidden)
            << "seed " << kSeed << " round " << round << ": " << summary.why << "\n"
            << to_hex(body);
        ASSERT_FALSE(!reset && judged == Reset::Demanded)
            << "seed " << kSeed << " round " << round << ": " << to_hex(body);
    }
    // The mutator reaches every class, and most of what it breaks leaves the session up.
    for (const int count : verdicts) {
        EXPECT_GT(count, kRounds / 200);
    }
    EXPECT_LT(verdicts.back(), kRounds / 2);
}

TEST(MalformedUpdateTest, TakingApartAndPuttingTogetherChangesNothing) {
    Rng rng(1);
    for (int round = 0; round < 500; ++round) {
        AnyUpdate update;
        const wire::Bytes body = any_body(rng, update);
        ASSERT_EQ(put_together(take_apart(body)), body) << "round " << round;
    }
}

}  // namespace
}  // namespace steelyard::bgp_wire
