#include "common/net/ip.hpp"
#include "common/net/mac.hpp"
#include "common/net/prefix.hpp"

#include <gtest/gtest.h>

#include <limits>

namespace steelyard::net {
namespace {

IpAddress ip(std::string_view text) {
    return IpAddress::parse(text).value();
}

TEST(IpAddressTest, PrintsWhatItParsed) {
    for (const char* text :
         {"0.0.0.0", "192.0.2.7", "255.255.255.255", "::", "::1", "2001:db8::7"}) {
        EXPECT_EQ(to_string(ip(text)), text);
    }
}

TEST(IpAddressTest, FoldsMappedAddresses) {
    EXPECT_EQ(ip("::ffff:192.0.2.1"), ip("192.0.2.1"));
}

TEST(IpAddressTest, RefusesWhatIsNotAnAddress) {
    for (const char* text : {"", "192.0.2", "192.0.2.256", "01.2.3.4", "fe80::1%eth0", "x"}) {
        EXPECT_FALSE(IpAddress::parse(text)) << text;
    }
}

TEST(IpAddressTest, OrdersByFamilyThenNumber) {
    EXPECT_LT(ip("192.0.2.9"), ip("192.0.2.10"));
    EXPECT_LT(ip("255.255.255.255"), ip("::1"));
}

TEST(IpAddressTest, PlusCarriesAndWraps) {
    EXPECT_EQ(ip("192.0.2.255").plus(1), ip("192.0.3.0"));
    EXPECT_EQ(ip("192.0.2.0").plus(65536 + 255), ip("192.1.2.255"));
    EXPECT_EQ(ip("255.255.255.255").plus(1), ip("0.0.0.0"));
    EXPECT_EQ(ip("2001:db8::ffff:ffff:ffff:ffff").plus(1), ip("2001:db8:0:1::"));
    EXPECT_EQ(
        ip("2001:db8::").plus(std::numeric_limits<std::uint64_t>::max()),
        ip("2001:db8::ffff:ffff:ffff:ffff")
    );
}

TEST(IpAddressTest, KnowsSpecialRanges) {
    EXPECT_TRUE(ip("127.3.0.1").is_loopback());
    EXPECT_TRUE(ip("::1").is_loopback());
    EXPECT_TRUE(ip("169.254.1.1").is_link_local());
    EXPECT_TRUE(ip("fe80::1").is_link_local());
    EXPECT_TRUE(ip("ff02::1").is_multicast());
    EXPECT_TRUE(ip("224.0.0.1").is_multicast());
    EXPECT_TRUE(ip("::").is_unspecified());
    EXPECT_FALSE(ip("::2").is_loopback());
}

TEST(EndpointTest, PrintsBracketsForIpv6Only) {
    EXPECT_EQ(to_string(Endpoint{ip("192.0.2.1"), 80}), "192.0.2.1:80");
    EXPECT_EQ(to_string(Endpoint{ip("2001:db8::1"), 80}), "[2001:db8::1]:80");
}

TEST(ProtocolTest, RoundTrips) {
    EXPECT_EQ(parse_protocol("UDP").value(), Protocol::Udp);
    EXPECT_FALSE(parse_protocol("udp"));
    EXPECT_EQ(ip_protocol_number(Protocol::Sctp), 132);
}

TEST(MacAddressTest, RoundTripsAndRefuses) {
    EXPECT_EQ(to_string(MacAddress::parse("02:00:5e:10:00:FF").value()), "02:00:5e:10:00:ff");
    for (const char* text : {"", "02:00:5e:10:00", "02-00-5e-10-00-ff", "02:00:5e:10:00:zz"}) {
        EXPECT_FALSE(MacAddress::parse(text)) << text;
    }
}

TEST(PrefixTest, DropsHostBits) {
    EXPECT_EQ(to_string(Prefix::parse("192.168.10.10/24").value()), "192.168.10.0/24");
    EXPECT_EQ(
        to_string(Prefix::parse("2001:db8::1/64").value().last()), "2001:db8::ffff:ffff:ffff:ffff"
    );
}

TEST(PrefixTest, RefusesBadLengths) {
    for (const char* text : {"192.0.2.0", "192.0.2.0/33", "192.0.2.0/", "192.0.2.0/-1", "::/129"}) {
        EXPECT_FALSE(Prefix::parse(text)) << text;
    }
}

TEST(PrefixTest, ContainsOnlyItsFamily) {
    const Prefix prefix = Prefix::parse("10.0.0.0/8").value();
    EXPECT_TRUE(prefix.contains(ip("10.255.0.1")));
    EXPECT_FALSE(prefix.contains(ip("11.0.0.0")));
    EXPECT_FALSE(prefix.contains(ip("::1")));
    EXPECT_TRUE(Prefix::parse("0.0.0.0/0").value().contains(ip("203.0.113.1")));
}

TEST(RangeTest, AcceptsBothForms) {
    EXPECT_EQ(to_string(Range::parse("192.0.2.10 - 192.0.2.20").value()), "192.0.2.10-192.0.2.20");
    EXPECT_EQ(to_string(Range::parse("192.0.2.8/30").value()), "192.0.2.8-192.0.2.11");
}

TEST(RangeTest, SaysWhatIsWrong) {
    EXPECT_EQ(
        Range::parse("192.0.2.1").error().context,
        "\"192.0.2.1\" is neither a CIDR (192.0.2.0/24) nor a range (192.0.2.1-192.0.2.9)"
    );
    EXPECT_EQ(
        Range::parse("192.0.2.9-192.0.2.1").error().context,
        "\"192.0.2.9-192.0.2.1\" starts after its end"
    );
    EXPECT_EQ(
        Range::parse("192.0.2.9-2001:db8::1").error().context,
        "\"192.0.2.9-2001:db8::1\" mixes IPv4 and IPv6"
    );
    EXPECT_FALSE(Range::parse("-192.0.2.1"));
}

TEST(RangeTest, CountsWithoutOverflow) {
    EXPECT_EQ(Range::parse("192.0.2.8/30").value().size(), 4U);
    EXPECT_EQ(Range::parse("192.0.1.255-192.0.2.0").value().size(), 2U);
    EXPECT_EQ(Range::parse("0.0.0.0/0").value().size(), std::uint64_t{1} << 32U);
    EXPECT_EQ(Range::parse("2001:db8::/66").value().size(), std::uint64_t{1} << 62U);
    EXPECT_EQ(
        Range::parse("2001:db8::/64").value().size(),
        static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max())
    );
    EXPECT_EQ(
        Range::parse("::/0").value().size(),
        static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max())
    );
}

TEST(RangeTest, Overlaps) {
    const Range range = Range::parse("192.0.2.10-192.0.2.20").value();
    EXPECT_TRUE(range.overlaps(Range::parse("192.0.2.20-192.0.2.30").value()));
    EXPECT_FALSE(range.overlaps(Range::parse("192.0.2.21-192.0.2.30").value()));
}

}  // namespace
}  // namespace steelyard::net
