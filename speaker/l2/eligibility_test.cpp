#include "speaker/l2/eligibility.hpp"

#include <gtest/gtest.h>

#include <functional>

namespace steelyard::l2 {
namespace {

net::Interface ethernet() {
    net::Interface interface;
    interface.index = 2;
    interface.name = "eth0";
    interface.mac = {{2, 0, 0, 0, 0, 1}};
    interface.up = true;
    interface.running = true;
    interface.broadcast = true;
    return interface;
}

struct Case {
    const char* name;
    std::function<void(net::Interface&)> spoil;
    Eligibility expected;
};

TEST(EligibilityTest, SaysWhyAnInterfaceDoesNotAnnounce) {
    const Case cases[] = {
        {"as it is", [](net::Interface&) {}, {true, true, WhyNot::Eligible}},
        {"down", [](net::Interface& i) { i.up = false; }, {false, false, WhyNot::Down}},
        {"carrier",
         [](net::Interface& i) { i.running = false; },
         {false, false, WhyNot::NoCarrier}},
        {"port", [](net::Interface& i) { i.enslaved = true; }, {false, false, WhyNot::Enslaved}},
        {"noarp", [](net::Interface& i) { i.no_arp = true; }, {false, false, WhyNot::NoArp}},
        {"lo", [](net::Interface& i) { i.loopback = true; }, {false, false, WhyNot::Loopback}},
        {"tunnel", [](net::Interface& i) { i.mac = {}; }, {false, false, WhyNot::NoMac}},
        {"veth",
         [](net::Interface& i) { i.name = "veth12"; },
         {false, false, WhyNot::ExcludedByName}},
        {"nbma",
         [](net::Interface& i) { i.broadcast = false; },
         {false, true, WhyNot::NoBroadcast}},
    };
    const auto exclusions = NameExclusions::standard();
    for (const Case& c : cases) {
        net::Interface interface = ethernet();
        c.spoil(interface);
        EXPECT_EQ(eligibility(interface, exclusions), c.expected) << c.name;
    }
}

TEST(EligibilityTest, StandardExclusionsAreMetalLbs) {
    const auto exclusions = NameExclusions::standard();
    for (const char* name :
         {"docker0",
          "cbr0",
          "dummy0",
          "virbr0",
          "lxcbr0",
          "veth1",
          "lo",
          "cali12",
          "tunl0",
          "flannel.1",
          "kube-ipvs0",
          "cni0",
          "nodelocaldns",
          "lxc1"}) {
        EXPECT_TRUE(exclusions.matches(name)) << name;
    }
    for (const char* name : {"eth0", "lo0", "bond0", "enp1s0", "mydocker"}) {
        EXPECT_FALSE(exclusions.matches(name)) << name;
    }
}

TEST(EligibilityTest, ABrokenPatternIsNamed) {
    const auto parsed = NameExclusions::parse({"^eth.*", "["});
    ASSERT_FALSE(parsed);
    EXPECT_NE(parsed.error().context.find("excluded interface \"[\""), std::string::npos);
}

TEST(EligibilityTest, PortsAreTheEligibleInterfaces) {
    net::Interface down = ethernet();
    down.up = false;

    const auto ports = eligible_ports({ethernet(), down}, NameExclusions::standard());

    ASSERT_EQ(ports.size(), 1U);
    EXPECT_EQ(ports[0], (Port{2, "eth0", {{2, 0, 0, 0, 0, 1}}, true, true}));
}

}  // namespace
}  // namespace steelyard::l2
