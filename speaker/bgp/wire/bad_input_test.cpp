#include "speaker/bgp/wire/open.hpp"
#include "speaker/bgp/wire/testing.hpp"
#include "speaker/bgp/wire/update.hpp"

#include <gtest/gtest.h>

// The classes of malformed input that have broken other speakers, each as a vector with the outcome
// the RFC asks for. None of them may cost more than that.
namespace steelyard::bgp_wire {
namespace {

constexpr UpdateContext kExternal{true, false, true, true, false};
constexpr UpdateContext kUnnumbered{true, false, true, true, true};
constexpr UpdateContext kInternal{true, true, true, true, false};

const std::string kOriginPath = "4001010040020602010000fc00";
const std::string kMandatory = kOriginPath + "4003040a000001";
const std::string kV6 = "20010db8000000000000000000000001";  // a next hop

struct BadUpdate {
    std::string_view name;
    std::string attributes;
    std::string_view nlri;
    Verdict verdict;
};

UpdateSummary judge(const BadUpdate& test, const UpdateContext& context) {
    const wire::Bytes attributes = from_hex(test.attributes);
    const wire::Bytes nlri = from_hex(test.nlri);
    wire::Writer out;
    out.u16(0);
    out.u16(static_cast<std::uint16_t>(attributes.size()));
    out.bytes(std::span<const std::byte>(attributes));
    out.bytes(std::span<const std::byte>(nlri));
    return decode_update(out.view(), context);
}

void expect_verdicts(std::span<const BadUpdate> cases, const UpdateContext& context) {
    for (const BadUpdate& test : cases) {
        const auto summary = judge(test, context);
        EXPECT_EQ(summary.verdict, test.verdict) << test.name << ": " << summary.why;
        EXPECT_EQ(summary.reset.has_value(), test.verdict == Verdict::Reset) << test.name;
        EXPECT_FALSE(summary.end_of_rib.has_value()) << test.name;
    }
}

TEST(BadInputTest, MandatoryAttributesAreMissing) {
    const BadUpdate cases[] = {
        {"no attributes at all, with NLRI", "", "18c00002", Verdict::TreatAsWithdraw},
        {"only an unknown transitive one", "c0630100", "18c00002", Verdict::TreatAsWithdraw},
        {"only MP_UNREACH, with NLRI", "800f03000201", "18c00002", Verdict::TreatAsWithdraw},
        {"MP_REACH alone",
         "800e1a000201"
         "10" +
             kV6 +
             "00"
             "2020010db8",
         "",
         Verdict::TreatAsWithdraw},
        {"zero attributes and a broken prefix", "", "18c000", Verdict::Reset},
    };
    expect_verdicts(cases, kExternal);
}

TEST(BadInputTest, MultiprotocolAttributesAreMalformed) {
    const BadUpdate cases[] = {
        {"MP_REACH of two", kOriginPath + "800e020002", "", Verdict::Reset},
        {"MP_REACH of four", kOriginPath + "800e0400020110", "", Verdict::DisableFamily},
        {"next hop of 0",
         kOriginPath + "800e05"
                       "000201"
                       "00"
                       "00",
         "",
         Verdict::DisableFamily},
        {"next hop of 4",
         kOriginPath + "800e0e"
                       "000201"
                       "04"
                       "0a000001"
                       "00"
                       "2020010db8",
         "",
         Verdict::DisableFamily},
        {"next hop of 24",
         kOriginPath +
             "800e23"
             "000201"
             "18"
             "0000000000000000" +
             kV6 +
             "00"
             "2020010db8"
             "00",
         "",
         Verdict::DisableFamily},
        {"next hop of 255",
         kOriginPath +
             "800e1a"
             "000201"
             "ff" +
             kV6 +
             "00"
             "2020010db8",
         "",
         Verdict::DisableFamily},
        {"next hop past the end",
         kOriginPath + "800e0a"
                       "000201"
                       "10"
                       "20010db80000",
         "",
         Verdict::DisableFamily},
        {"no reserved octet",
         kOriginPath +
             "800e14"
             "000201"
             "10" +
             kV6,
         "",
         Verdict::DisableFamily},
        {"next hop ::",
         kOriginPath + "800e1a"
                       "000201"
                       "10"
                       "00000000000000000000000000000000"
                       "00"
                       "2020010db8",
         "",
         Verdict::TreatAsWithdraw},
        {"prefix of 129",
         kOriginPath +
             "800e16"
             "000201"
             "10" +
             kV6 +
             "00"
             "81",
         "",
         Verdict::DisableFamily},
        {"prefix past the end",
         kOriginPath +
             "800e18"
             "000201"
             "10" +
             kV6 +
             "00"
             "202001",
         "",
         Verdict::DisableFamily},
        {"IPv4 prefix of 33",
         kOriginPath + "800e0f"
                       "000101"
                       "04"
                       "0a000001"
                       "00"
                       "21c000020100",
         "",
         Verdict::DisableFamily},
        {"IPv6 next hop for IPv4 unasked",
         kOriginPath +
             "800e1a"
             "000101"
             "10" +
             kV6 +
             "00"
             "18c00002"
             "00",
         "",
         Verdict::DisableFamily},
        {"MP_UNREACH of two", "800f020002", "", Verdict::Reset},
        {"MP_UNREACH prefix past the end",
         "800f05"
         "000201"
         "2020",
         "",
         Verdict::DisableFamily},
        {"MP_UNREACH of 200 bits",
         "800f04"
         "000201"
         "c8",
         "",
         Verdict::DisableFamily},
        {"MP_REACH twice",
         kMandatory +
             "800e1a"
             "000201"
             "10" +
             kV6 +
             "00"
             "2020010db8"
             "800e1a"
             "000201"
             "10" +
             kV6 +
             "00"
             "2020010db8",
         "18c00002",
         Verdict::Reset},
        {"MP_UNREACH twice",
         "800f03000201"
         "800f03000101",
         "",
         Verdict::Reset},
        {"MP_REACH transitive",
         kOriginPath +
             "c00e1a"
             "000201"
             "10" +
             kV6 +
             "00"
             "2020010db8",
         "",
         Verdict::TreatAsWithdraw},
        {"MP_UNREACH with NLRI",
         kMandatory + "800f08"
                      "000201"
                      "2020010db8",
         "18c00002",
         Verdict::Accept},
    };
    expect_verdicts(cases, kExternal);
}

TEST(BadInputTest, Ipv6NextHopsForIpv4NeedTheirCapability) {
    const BadUpdate cases[] = {
        {"of 16",
         kOriginPath +
             "800e19"
             "000101"
             "10" +
             kV6 +
             "00"
             "18c00002",
         "",
         Verdict::Accept},
        {"of 32",
         kOriginPath +
             "800e29"
             "000101"
             "20" +
             kV6 + kV6 +
             "00"
             "18c00002",
         "",
         Verdict::Accept},
        {"of 4",
         kOriginPath + "800e0d"
                       "000101"
                       "04"
                       "0a000001"
                       "00"
                       "18c00002",
         "",
         Verdict::Accept},
        {"of 24",
         kOriginPath +
             "800e21"
             "000101"
             "18"
             "0000000000000000" +
             kV6 +
             "00"
             "18c00002",
         "",
         Verdict::DisableFamily},
    };
    expect_verdicts(cases, kUnnumbered);
}

TEST(BadInputTest, NextHopsShorterThanAnAddress) {
    const BadUpdate cases[] = {
        {"of none", kOriginPath + "400300", "18c00002", Verdict::TreatAsWithdraw},
        {"of one", kOriginPath + "4003010a", "18c00002", Verdict::TreatAsWithdraw},
        {"of three", kOriginPath + "4003030a0000", "18c00002", Verdict::TreatAsWithdraw},
    };
    expect_verdicts(cases, kExternal);
}

TEST(BadInputTest, AttributeLengthsAndTheirTotalDisagree) {
    const BadUpdate cases[] = {
        {"last attribute overruns",
         kMandatory + "c00808ffff0000",
         "18c00002",
         Verdict::TreatAsWithdraw},
        {"extended length overruns",
         kMandatory + "d008ffffffff0000",
         "18c00002",
         Verdict::TreatAsWithdraw},
        {"unknown attribute overruns",
         kMandatory + "c063ff00",
         "18c00002",
         Verdict::TreatAsWithdraw},
        {"one octet left", kMandatory + "40", "18c00002", Verdict::TreatAsWithdraw},
        {"two octets left", kMandatory + "4006", "18c00002", Verdict::TreatAsWithdraw},
        {"three octets left, extended",
         kMandatory + "d00800",
         "18c00002",
         Verdict::TreatAsWithdraw},
        {"overrun without any NLRI", kMandatory + "c00808ffff0000", "", Verdict::Reset},
        {"MP_REACH overruns",
         kOriginPath +
             "800e40"
             "000201"
             "10" +
             kV6 +
             "00"
             "2020010db8",
         "",
         Verdict::DisableFamily},
        {"MP_REACH overruns before its family",
         kMandatory + "800e400002",
         "18c00002",
         Verdict::Reset},
        {"MP_UNREACH overruns",
         "800f40"
         "000201"
         "2020010db8",
         "",
         Verdict::DisableFamily},
    };
    expect_verdicts(cases, kExternal);
}

TEST(BadInputTest, ErrorsWithoutAnyRouteReset) {
    const BadUpdate cases[] = {
        {"ORIGIN of two", "4001020000", "", Verdict::Reset},
        {"COMMUNITIES of none",
         "800f03000201"
         "c00800",
         "",
         Verdict::Reset},
        {"MP_REACH without prefixes, ORIGIN 9",
         "800e15"
         "000201"
         "10" +
             kV6 +
             "00"
             "40010109",
         "",
         Verdict::Reset},
        {"only a discarded one", "40060100", "", Verdict::Discard},
        {"MP_UNREACH wrong, ORIGIN right",
         "40010100"
         "800f04"
         "000201"
         "c8",
         "",
         Verdict::Reset},
    };
    expect_verdicts(cases, kExternal);
    EXPECT_EQ(
        judge(cases[0], kExternal).reset,
        make_notification(UpdateError::AttributeLengthError, from_hex("4001020000"))
    );
}

TEST(BadInputTest, AttributesWeDoNotUseAreNotRead) {
    const BadUpdate cases[] = {
        {"tunnel encapsulation", kMandatory + "c017060001ffff01ff", "18c00002", Verdict::Accept},
        {"prefix SID",
         kMandatory + "c02804"
                      "01ffff00",
         "18c00002",
         Verdict::Accept},
        {"prefix SID of none", kMandatory + "c02800", "18c00002", Verdict::Accept},
        {"AIGP",
         kMandatory + "801a03"
                      "010002",
         "18c00002",
         Verdict::Accept},
        {"BGP-LS",
         kMandatory + "801d05"
                      "0400ffff00",
         "18c00002",
         Verdict::Accept},
        {"next-hop-dependent",
         kMandatory + "c02701"
                      "00",
         "18c00002",
         Verdict::Accept},
        {"ATTR_SET",
         kMandatory + "c08003"
                      "000001",
         "18c00002",
         Verdict::Accept},
        {"PMSI",
         kMandatory + "c01601"
                      "00",
         "18c00002",
         Verdict::Accept},
        {"experimental",
         kMandatory + "e0ff03"
                      "010203",
         "18c00002",
         Verdict::Accept},
        {"large and unknown",
         kMandatory + "d0fe0004"
                      "01020304",
         "18c00002",
         Verdict::Accept},
        {"flowspec",
         kOriginPath + "800e07"
                       "000185"
                       "00"
                       "00"
                       "f0ff",
         "",
         Verdict::Discard},
        {"flowspec of length 0",
         kOriginPath + "800e06"
                       "000185"
                       "00"
                       "00"
                       "00",
         "",
         Verdict::Discard},
        {"labelled",
         kOriginPath + "800e0e"
                       "000104"
                       "04"
                       "0a000001"
                       "00"
                       "ff01020304",
         "",
         Verdict::Discard},
        {"labelled withdrawal of length 0",
         "800f04"
         "000104"
         "00",
         "",
         Verdict::Discard},
    };
    expect_verdicts(cases, kExternal);
}

TEST(BadInputTest, ExtendedCommunitiesAreCutShort) {
    const BadUpdate cases[] = {
        {"of four", kMandatory + "c0100400020000", "18c00002", Verdict::TreatAsWithdraw},
        {"of nine", kMandatory + "c01009000200000000000100", "18c00002", Verdict::TreatAsWithdraw},
        {"IPv6 of eight",
         kMandatory + "c01908"
                      "0002000000000001",
         "18c00002",
         Verdict::TreatAsWithdraw},
    };
    expect_verdicts(cases, kExternal);
}

TEST(BadInputTest, ATotalThatIsWrongIsWithdrawnOnIbgpToo) {
    const BadUpdate test{
        "",
        kMandatory +
            "40050400000064"
            "c008ff",
        "18c00002",
        Verdict::TreatAsWithdraw};
    EXPECT_EQ(judge(test, kInternal).verdict, Verdict::TreatAsWithdraw);
}

TEST(BadInputTest, TheDisabledFamilyIsNamedAndTheOtherStands) {
    const BadUpdate test{
        "",
        kMandatory +
            "800e05"
            "000201"
            "00"
            "00",
        "18c00002",
        Verdict::DisableFamily};
    const auto summary = judge(test, kExternal);

    EXPECT_TRUE(summary.v6.disabled);
    EXPECT_FALSE(summary.v4.disabled);
    EXPECT_EQ(summary.v4.announced, 1U);
    EXPECT_EQ(summary.why, "MP_REACH_NLRI: next hop of 0 octets");
}

}  // namespace
}  // namespace steelyard::bgp_wire
