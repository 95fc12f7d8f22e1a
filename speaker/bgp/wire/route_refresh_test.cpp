#include "speaker/bgp/wire/route_refresh.hpp"

#include "speaker/bgp/wire/testing.hpp"

#include <gtest/gtest.h>

namespace steelyard::bgp_wire {
namespace {

using Kind = RouteRefresh::Kind;

std::optional<RouteRefresh> accepted(std::string_view hex) {
    auto decoded = decode_route_refresh(from_hex(hex));
    EXPECT_FALSE(std::holds_alternative<Notification>(decoded)) << hex;
    return std::get<std::optional<RouteRefresh>>(decoded);
}

TEST(RouteRefreshTest, EachKindHasItsOctets) {
    wire::Writer out;
    encode_route_refresh(out, {net::Family::V4, Kind::Request});
    encode_route_refresh(out, {net::Family::V6, Kind::Begin});
    encode_route_refresh(out, {net::Family::V6, Kind::End});
    const std::string header = "ffffffffffffffffffffffffffffffff001705";

    EXPECT_EQ(to_hex(out.view()), header + "00010001" + header + "00020101" + header + "00020201");
}

TEST(RouteRefreshTest, WhatIsEncodedDecodesToItself) {
    for (const net::Family family : {net::Family::V4, net::Family::V6}) {
        for (const Kind kind : {Kind::Request, Kind::Begin, Kind::End}) {
            wire::Writer out;
            encode_route_refresh(out, {family, kind});
            const auto decoded = decode_route_refresh(split_messages(out.view()).at(0).body);

            const RouteRefresh expected{family, kind};
            EXPECT_EQ(std::get<std::optional<RouteRefresh>>(decoded), expected);
        }
    }
}

TEST(RouteRefreshTest, OtherFamiliesAndKindsAreIgnored) {
    EXPECT_EQ(accepted("00010080"), std::nullopt);
    EXPECT_EQ(accepted("00190046"), std::nullopt);
    EXPECT_EQ(accepted("00010301"), std::nullopt);
    EXPECT_EQ(accepted("0001ff01"), std::nullopt);
    EXPECT_EQ(accepted("0001ff01aabb"), std::nullopt);
}

TEST(RouteRefreshTest, FiltersBehindARequestAreSkipped) {
    const RouteRefresh expected{net::Family::V4, Kind::Request};
    EXPECT_EQ(accepted("0001000101400005ffffffffff"), expected);
    EXPECT_EQ(accepted("000100010140ffff"), expected);
}

TEST(RouteRefreshTest, AWrongLengthIsAnsweredWithTheWholeMessage) {
    const std::string marker = "ffffffffffffffffffffffffffffffff";
    const std::pair<std::string, std::string> cases[] = {
        {"0001010100", marker + "0018050001010100"},
        {"0002020100ff", marker + "0019050002020100ff"},
        {"000101", marker + "001605000101"},
        {"", marker + "001305"},
    };
    for (const auto& [body, data] : cases) {
        const auto decoded = decode_route_refresh(from_hex(body));

        const auto* refused = std::get_if<Notification>(&decoded);
        ASSERT_NE(refused, nullptr) << body;
        EXPECT_EQ(*refused, (Notification{7, 1, from_hex(data)})) << body;
    }
}

}  // namespace
}  // namespace steelyard::bgp_wire
