#include "speaker/bgp/wire/update.hpp"

#include "speaker/bgp/wire/testing.hpp"

#include <gtest/gtest.h>

namespace steelyard::bgp_wire {
namespace {

constexpr std::string_view kOrigin = "40010100";
constexpr std::string_view kAsPath = "40020602010000fc00";
constexpr std::string_view kNextHop = "4003040a000001";
constexpr std::string_view kLocalPref = "40050400000064";
constexpr std::string_view kPrefix = "18c00002";
constexpr std::string_view kReachV6 =
    "800e1a000201"
    "10"
    "20010db8000000000000000000000001"
    "00"
    "2020010db8";

constexpr UpdateContext kExternal{true, false, true, true, false};
constexpr UpdateContext kInternal{true, true, true, true, false};

std::string join(std::initializer_list<std::string_view> parts) {
    std::string out;
    for (const std::string_view part : parts) {
        out += part;
    }
    return out;
}

// An UPDATE whose length fields are right.
wire::Bytes update(std::string_view withdrawn, std::string_view attributes, std::string_view nlri) {
    wire::Writer out;
    const auto field = [&](std::string_view hex) {
        const wire::Bytes bytes = from_hex(hex);
        out.u16(static_cast<std::uint16_t>(bytes.size()));
        out.bytes(std::span<const std::byte>(bytes));
    };
    field(withdrawn);
    field(attributes);
    const wire::Bytes bytes = from_hex(nlri);
    out.bytes(std::span<const std::byte>(bytes));
    return out.take();
}

// A route with everything it needs on eBGP, and one attribute more.
UpdateSummary with_attribute(std::string_view attribute, const UpdateContext& context) {
    const std::string local_pref = context.ibgp ? std::string(kLocalPref) : "";
    return decode_update(
        update("", join({kOrigin, kAsPath, kNextHop, local_pref, attribute}), kPrefix), context
    );
}

// The mandatory attributes, of which one is replaced.
UpdateSummary with_instead(
    std::string_view old, std::string_view attribute, const UpdateContext& context
) {
    std::string all = join({kOrigin, kAsPath, kNextHop});
    if (context.ibgp) {
        all += kLocalPref;
    }
    all.replace(all.find(old), old.size(), attribute);
    return decode_update(update("", all, kPrefix), context);
}

TEST(UpdateTest, AValidRouteIsAcceptedAndCounted) {
    const auto v4 = decode_update(
        update(
            "18c63364"
            "10ac10",
            join({kOrigin, kAsPath, kNextHop}),
            "18c00002"
            "00"
            "20c6336401"
        ),
        kExternal
    );
    EXPECT_EQ(v4.verdict, Verdict::Accept) << v4.why;
    EXPECT_EQ(v4.v4.announced, 3U);
    EXPECT_EQ(v4.v4.withdrawn, 2U);
    EXPECT_EQ(v4.why, "");

    const auto v6 = decode_update(update("", join({kReachV6, kOrigin, kAsPath}), ""), kExternal);
    EXPECT_EQ(v6.verdict, Verdict::Accept) << v6.why;
    EXPECT_EQ(v6.v6.announced, 1U);
    EXPECT_EQ(v6.v4.announced, 0U);
}

TEST(UpdateTest, MultiprotocolAttributesMayStandAnywhereAndBesideTheClassicFields) {
    const auto summary = decode_update(
        update(
            "10ac10",
            join(
                {kOrigin,
                 "800f08000201"
                 "2020010db9",
                 kAsPath,
                 kNextHop,
                 kReachV6}
            ),
            kPrefix
        ),
        kExternal
    );

    EXPECT_EQ(summary.verdict, Verdict::Accept) << summary.why;
    EXPECT_EQ(summary.v4.announced, 1U);
    EXPECT_EQ(summary.v4.withdrawn, 1U);
    EXPECT_EQ(summary.v6.announced, 1U);
    EXPECT_EQ(summary.v6.withdrawn, 1U);
}

TEST(UpdateTest, EndOfRibIsKnownForEachFamily) {
    EXPECT_EQ(decode_update(update("", "", ""), kExternal).end_of_rib, net::Family::V4);
    EXPECT_EQ(decode_update(update("", "800f03000101", ""), kExternal).end_of_rib, net::Family::V4);
    EXPECT_EQ(decode_update(update("", "800f03000201", ""), kExternal).end_of_rib, net::Family::V6);
    EXPECT_EQ(
        decode_update(update("", "900f0003000201", ""), kExternal).end_of_rib, net::Family::V6
    );
}

TEST(UpdateTest, LookAlikesAreNoEndOfRib) {
    struct Case {
        std::string_view name;
        std::string_view withdrawn;
        std::string attributes;
        std::string_view nlri;
        Verdict verdict;
    };
    const Case cases[] = {
        {"another attribute", "", join({"800f03000201", kOrigin}), "", Verdict::Accept},
        {"only an attribute", "", std::string(kOrigin), "", Verdict::Accept},
        {"only unknown transitive ones", "", "c0630100", "", Verdict::Accept},
        {"with a withdrawal", "18c00002", "800f03000201", "", Verdict::Accept},
        {"with NLRI", "", "800f03000201", kPrefix, Verdict::TreatAsWithdraw},
        {"with a prefix inside",
         "",
         "800f04000201"
         "00",
         "",
         Verdict::Accept},
        {"family not negotiated", "", "800f03000180", "", Verdict::Discard},
        {"empty MP_UNREACH", "", "800f00", "", Verdict::Reset},
        {"MP_UNREACH of two", "", "800f020002", "", Verdict::Reset},
        {"flags of another class", "", "c00f03000201", "", Verdict::TreatAsWithdraw},
        {"empty MP_REACH", "", "800e00", "", Verdict::Reset},
    };
    for (const Case& test : cases) {
        const auto summary =
            decode_update(update(test.withdrawn, test.attributes, test.nlri), kExternal);

        EXPECT_EQ(summary.end_of_rib, std::nullopt) << test.name;
        EXPECT_EQ(summary.verdict, test.verdict) << test.name << ": " << summary.why;
    }
}

TEST(UpdateTest, LengthsBeyondTheMessageReset) {
    for (const std::string_view body : {
             "",
             "00",
             "0000",
             "000000",
             "00010000",  // withdrawn routes would eat the attributes' length
             "0003"
             "0000",  // and beyond
             "ffff0000",
             "0000"
             "0001",
             "0000"
             "ffff",
             "0000"
             "0005"
             "40010100",
             "0001"
             "00"
             "0001",
         }) {
        const auto summary = decode_update(from_hex(body), kExternal);

        EXPECT_EQ(summary.verdict, Verdict::Reset) << body;
        EXPECT_EQ(summary.reset, make_notification(UpdateError::MalformedAttributeList)) << body;
    }
}

TEST(UpdateTest, ClassicPrefixesThatCannotBeParsedReset) {
    const std::string mandatory = join({kOrigin, kAsPath, kNextHop});
    for (const std::string_view field : {"21c0000201", "ff", "18c000", "20c00002", "18c0000201"}) {
        for (const bool withdrawn : {false, true}) {
            const auto summary = decode_update(
                withdrawn ? update(field, "", "") : update("", mandatory, field), kExternal
            );

            EXPECT_EQ(summary.verdict, Verdict::Reset) << field;
            EXPECT_EQ(summary.reset, make_notification(UpdateError::InvalidNetworkField)) << field;
            EXPECT_EQ(summary.v4.announced + summary.v4.withdrawn, 0U);
        }
    }
}

TEST(UpdateTest, EachAttributeErrorHasItsClass) {
    struct Case {
        std::string_view name;
        std::string_view attribute;
        Verdict external;
        Verdict internal;
    };
    constexpr auto kAccept = Verdict::Accept;
    constexpr auto kDiscard = Verdict::Discard;
    constexpr auto kWithdraw = Verdict::TreatAsWithdraw;
    const Case cases[] = {
        {"MED", "80040400000001", kAccept, kAccept},
        {"MED of three", "800403000000", kWithdraw, kWithdraw},
        {"MED of none", "800400", kWithdraw, kWithdraw},
        {"MED transitive", "c0040400000001", kWithdraw, kWithdraw},
        {"MED partial", "a0040400000001", kAccept, kAccept},
        {"LOCAL_PREF twice", "40050400000064", kDiscard, kDiscard},
        {"ATOMIC_AGGREGATE", "400600", kAccept, kAccept},
        {"ATOMIC_AGGREGATE of one", "40060100", kDiscard, kDiscard},
        {"ATOMIC_AGGREGATE optional", "c00600", kDiscard, kDiscard},
        {"AGGREGATOR", "c007080000fc000a000001", kAccept, kAccept},
        {"AGGREGATOR of old speakers", "c00706fc000a000001", kDiscard, kDiscard},
        {"AGGREGATOR of AS 0", "c00708000000000a000001", kDiscard, kDiscard},
        {"AGGREGATOR well-known", "4007080000fc000a000001", kDiscard, kDiscard},
        {"COMMUNITIES", "c00804ffff0000", kAccept, kAccept},
        {"COMMUNITIES of none", "c00800", kWithdraw, kWithdraw},
        {"COMMUNITIES of five", "c00805ffff000000", kWithdraw, kWithdraw},
        {"COMMUNITIES non-transitive", "800804ffff0000", kWithdraw, kWithdraw},
        {"ORIGINATOR_ID", "80090401020304", kDiscard, kAccept},
        {"ORIGINATOR_ID of three", "800903010203", kDiscard, kWithdraw},
        {"ORIGINATOR_ID well-known", "40090401020304", kDiscard, kWithdraw},
        {"CLUSTER_LIST", "800a0401020304", kDiscard, kAccept},
        {"CLUSTER_LIST of none", "800a00", kDiscard, kWithdraw},
        {"CLUSTER_LIST of six", "800a06010203040506", kDiscard, kWithdraw},
        {"EXTENDED_COMMUNITIES", "c010080002fc0000000001", kAccept, kAccept},
        {"EXTENDED_COMMUNITIES of seven", "c010070002fc00000000", kWithdraw, kWithdraw},
        {"EXTENDED_COMMUNITIES of none", "c01000", kWithdraw, kWithdraw},
        {"AS4_PATH of a new speaker", "c0110602010000fc00", kDiscard, kDiscard},
        {"AS4_AGGREGATOR of a new speaker", "c012080000fc000a000001", kDiscard, kDiscard},
        {"IPv6 extended of 19",
         "c01913"
         "00000000000000000000000000000000000000",
         kWithdraw,
         kWithdraw},
        {"IPv6 extended of none", "c01900", kWithdraw, kWithdraw},
        {"LARGE_COMMUNITIES", "c0200c000000010000000200000003", kAccept, kAccept},
        {"LARGE_COMMUNITIES of eleven", "c0200b0000000100000002000000", kWithdraw, kWithdraw},
        {"LARGE_COMMUNITIES of none", "c02000", kWithdraw, kWithdraw},
        {"ONLY_TO_CUSTOMER", "c023040000fc00", kAccept, kAccept},
        {"ONLY_TO_CUSTOMER of three", "c0230300fc00", kWithdraw, kWithdraw},
        {"ONLY_TO_CUSTOMER non-transitive", "8023040000fc00", kWithdraw, kWithdraw},
        {"unknown optional transitive", "c06302abcd", kAccept, kAccept},
        {"unknown optional non-transitive", "806302abcd", kAccept, kAccept},
        {"unknown with partial bit", "e06302abcd", kAccept, kAccept},
        {"unknown of none", "c06300", kAccept, kAccept},
        {"unknown twice", "c06300c06300", kDiscard, kDiscard},
        {"unknown well-known", "4063020102", Verdict::Reset, Verdict::Reset},
        {"MED twice", "8004040000000180040400000002", kDiscard, kDiscard},
        {"MED twice, the second wrong", "80040400000001800400", kDiscard, kDiscard},
        {"ORIGIN again", "40010105", kDiscard, kDiscard},
    };
    for (const Case& test : cases) {
        const auto external = with_attribute(test.attribute, kExternal);
        const auto internal = with_attribute(test.attribute, kInternal);
        // The LOCAL_PREF that iBGP needs makes one more a repetition; on eBGP it is none.
        EXPECT_EQ(external.verdict, test.external) << test.name << ": " << external.why;
        EXPECT_EQ(internal.verdict, test.internal) << test.name << ": " << internal.why;
        EXPECT_EQ(external.why.empty(), test.external == kAccept) << test.name;
        EXPECT_EQ(external.reset.has_value(), test.external == Verdict::Reset) << test.name;
    }
}

TEST(UpdateTest, WrongMandatoryAttributesWithdrawTheRoute) {
    struct Case {
        std::string_view name;
        std::string_view old;
        std::string_view attribute;
    };
    const Case cases[] = {
        {"ORIGIN missing", kOrigin, ""},
        {"ORIGIN of none", kOrigin, "400100"},
        {"ORIGIN of two", kOrigin, "4001020000"},
        {"ORIGIN 3", kOrigin, "40010103"},
        {"ORIGIN optional", kOrigin, "c0010100"},
        {"AS_PATH missing", kAsPath, ""},
        {"AS_PATH with one octet left", kAsPath, "40020702010000fc0002"},
        {"AS_PATH overrun", kAsPath, "40020602020000fc00"},
        {"AS_PATH empty segment", kAsPath, "4002020200"},
        {"AS_PATH segment type 0", kAsPath, "40020600010000fc00"},
        {"AS_PATH segment type 5", kAsPath, "40020605010000fc00"},
        {"AS_PATH confederation", kAsPath, "40020603010000fc00"},
        {"AS_PATH AS 0", kAsPath, "400206020100000000"},
        {"AS_PATH of old speakers", kAsPath, "4002040201fc00"},
        {"NEXT_HOP missing", kNextHop, ""},
        {"NEXT_HOP of none", kNextHop, "400300"},
        {"NEXT_HOP of three", kNextHop, "4003030a0000"},
        {"NEXT_HOP of five", kNextHop, "4003050a00000100"},
        {"NEXT_HOP of sixteen", kNextHop, "40031020010db8000000000000000000000001"},
        {"NEXT_HOP 0.0.0.0", kNextHop, "40030400000000"},
        {"NEXT_HOP multicast", kNextHop, "400304e0000001"},
        {"NEXT_HOP broadcast", kNextHop, "400304ffffffff"},
    };
    for (const Case& test : cases) {
        const auto summary = with_instead(test.old, test.attribute, kExternal);

        EXPECT_EQ(summary.verdict, Verdict::TreatAsWithdraw) << test.name << ": " << summary.why;
        EXPECT_EQ(summary.v4.announced, 0U) << test.name;
        EXPECT_EQ(summary.v4.withdrawn, 1U) << test.name;
    }
    EXPECT_EQ(with_instead(kLocalPref, "", kInternal).verdict, Verdict::TreatAsWithdraw);
    EXPECT_EQ(with_instead(kLocalPref, "400500", kInternal).verdict, Verdict::TreatAsWithdraw);
}

TEST(UpdateTest, AnEmptyPathASetAndSeveralSegmentsAreFine) {
    for (const std::string_view path :
         {"400200",
          "40020601010000fc00",
          "50020006"
          "02010000fc00",
          "40020c"
          "02010000fc00"
          "01010000fc01"}) {
        const auto summary = with_instead(kAsPath, path, kExternal);
        EXPECT_EQ(summary.verdict, Verdict::Accept) << path << ": " << summary.why;
    }
}

TEST(UpdateTest, OldSpeakersHaveTwoOctetPathsAndAs4Attributes) {
    const UpdateContext old_speaker{false, false, true, false, false};
    const std::string mandatory = join({kOrigin, "4002040201fc00", kNextHop});
    const std::pair<std::string_view, Verdict> cases[] = {
        {"", Verdict::Accept},
        {"c0110602010000fc00", Verdict::Accept},
        {"c0110602020000fc00", Verdict::Discard},
        {"c011060201"
         "00000000",
         Verdict::Discard},
        {"c01206fc000a000001", Verdict::Discard},
        {"c01208"
         "0000fc00"
         "0a000001",
         Verdict::Accept},
        {"c01208"
         "00000000"
         "0a000001",
         Verdict::Discard},
        {"c00706fc000a000001", Verdict::Accept},
        {"c007080000fc000a000001", Verdict::Discard},
    };
    for (const auto& [attribute, verdict] : cases) {
        // Before AS_PATH too: no rule depends on the order.
        for (const bool first : {false, true}) {
            const std::string all =
                first ? join({attribute, mandatory}) : join({mandatory, attribute});
            const auto summary = decode_update(update("", all, kPrefix), old_speaker);
            EXPECT_EQ(summary.verdict, verdict) << attribute << ": " << summary.why;
        }
    }
}

TEST(UpdateTest, TheStrongestOfSeveralErrorsCounts) {
    const auto summary = with_attribute(
        "40060100"
        "c00800"
        "c07f00"
        "c07f00",
        kExternal
    );

    EXPECT_EQ(summary.verdict, Verdict::TreatAsWithdraw);
    EXPECT_EQ(summary.why, "COMMUNITIES: length 0, want a multiple of 4");
}

TEST(UpdateTest, ComplaintsNameAttributeValueAndWhatIsAccepted) {
    EXPECT_EQ(with_instead(kOrigin, "4001020000", kExternal).why, "ORIGIN: length 2, want 1");
    EXPECT_EQ(with_instead(kOrigin, "40010109", kExternal).why, "ORIGIN: value 9, want 0 to 2");
    EXPECT_EQ(with_instead(kNextHop, "", kExternal).why, "NEXT_HOP: missing");
    EXPECT_EQ(
        with_instead(kNextHop, "400304e0000005", kExternal).why,
        "NEXT_HOP: 224.0.0.5 is no host address"
    );
    EXPECT_EQ(
        with_attribute("4063020102", kExternal).why, "attribute 99: well-known, but not to us"
    );
}

TEST(UpdateTest, AnUnknownWellKnownAttributeIsReportedWhole) {
    EXPECT_EQ(
        with_attribute("4063020102", kExternal).reset,
        make_notification(UpdateError::UnrecognizedWellKnownAttribute, from_hex("4063020102"))
    );
}

TEST(UpdateTest, FamiliesNotNegotiatedAreIgnored) {
    const UpdateContext v6_only{true, false, false, true, false};
    const auto classic =
        decode_update(update("18c63364", join({kOrigin, kAsPath, kNextHop}), kPrefix), v6_only);
    const auto flowspec = decode_update(
        update(
            "",
            join(
                {kOrigin,
                 kAsPath,
                 "800e06"
                 "000185"
                 "00"
                 "00"
                 "ff"}
            ),
            ""
        ),
        kExternal
    );

    EXPECT_EQ(classic.verdict, Verdict::Discard);
    EXPECT_EQ(classic.v4.announced + classic.v4.withdrawn, 0U);
    EXPECT_EQ(flowspec.verdict, Verdict::Discard);
    EXPECT_EQ(flowspec.why, "MP_REACH_NLRI: AFI 1 SAFI 133 was not negotiated");
    EXPECT_FALSE(decode_update(update("", "", ""), v6_only).end_of_rib.has_value());
}

}  // namespace
}  // namespace steelyard::bgp_wire
