#include "speaker/app/proxy/side_effects.hpp"

#include "speaker/app/proxy/disturbance.hpp"

#include <gmock/gmock.h>

namespace steelyard::speaker {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::Optional;
using testing::SizeIs;

const kube::ObjectKey kWeb{"default", "web"};

proxy::Changes change(const kube::ObjectKey& key, proxy::ServiceTables tables) {
    proxy::Changes changes;
    changes.services[key] = std::make_shared<const proxy::ServiceTables>(std::move(tables));
    return changes;
}

TEST(SideEffectsTest, HealthCheckPortsComeFollowAndGo) {
    SideEffects effects;
    proxy::ServiceTables tables;
    tables.health_check_node_port = 30100;
    tables.local_ready_endpoints = 2;
    effects.follow(change(kWeb, tables));
    EXPECT_THAT(
        effects.take_health_ports(), Optional(ElementsAre(health::ServiceHealth{kWeb, 30100, 2}))
    );

    tables.local_ready_endpoints = 0;
    effects.follow(change(kWeb, tables));
    EXPECT_THAT(
        effects.take_health_ports(), Optional(ElementsAre(health::ServiceHealth{kWeb, 30100, 0}))
    );

    tables.health_check_node_port = 0;
    effects.follow(change(kWeb, tables));
    EXPECT_THAT(effects.take_health_ports(), Optional(IsEmpty()));
}

TEST(SideEffectsTest, HealthCheckPortsAreTakenOnceAfterEachChange) {
    SideEffects effects;
    EXPECT_THAT(effects.take_health_ports(), Optional(IsEmpty()));
    EXPECT_EQ(effects.take_health_ports(), std::nullopt);

    proxy::ServiceTables tables;
    effects.follow(change({"default", "none"}, tables));
    EXPECT_EQ(effects.take_health_ports(), std::nullopt);

    tables.health_check_node_port = 30100;
    effects.follow(change(kWeb, tables));
    EXPECT_THAT(effects.take_health_ports(), Optional(SizeIs(1)));
    effects.follow(change(kWeb, tables));
    EXPECT_EQ(effects.take_health_ports(), std::nullopt);

    proxy::Changes gone;
    gone.services[kWeb] = nullptr;
    effects.follow(gone);
    EXPECT_THAT(effects.take_health_ports(), Optional(IsEmpty()));
    effects.follow(gone);
    EXPECT_EQ(effects.take_health_ports(), std::nullopt);
}

TEST(SideEffectsTest, ComplaintIsSaidOnceAndAgainAfterItWasMended) {
    SideEffects effects;
    proxy::ServiceTables wrong;
    wrong.complaints = {"port 0"};
    EXPECT_THAT(effects.follow(change(kWeb, wrong)), ElementsAre(Complaint{kWeb, "port 0"}));
    EXPECT_THAT(effects.follow(change(kWeb, wrong)), IsEmpty());

    proxy::ServiceTables more = wrong;
    more.complaints.emplace_back("weight -1");
    EXPECT_THAT(effects.follow(change(kWeb, more)), ElementsAre(Complaint{kWeb, "weight -1"}));

    EXPECT_THAT(effects.follow(change(kWeb, {})), IsEmpty());
    EXPECT_THAT(effects.follow(change(kWeb, wrong)), ElementsAre(Complaint{kWeb, "port 0"}));
}

TEST(SideEffectsTest, CountsServicesWithoutLocalEndpointsInEachFamily) {
    SideEffects effects;
    proxy::ServiceTables lonely;
    lonely.no_local_internal = {true, false};
    lonely.no_local_external = {true, true};
    effects.follow(change(kWeb, lonely));
    EXPECT_EQ(effects.without_local_internal(net::Family::V4), 1);
    EXPECT_EQ(effects.without_local_internal(net::Family::V6), 0);
    EXPECT_EQ(effects.without_local_external(net::Family::V4), 1);
    EXPECT_EQ(effects.without_local_external(net::Family::V6), 1);

    lonely.no_local_external = {false, true};
    effects.follow(change(kWeb, lonely));
    EXPECT_EQ(effects.without_local_external(net::Family::V4), 0);

    proxy::Changes gone;
    gone.services[kWeb] = nullptr;
    effects.follow(gone);
    EXPECT_EQ(effects.without_local_internal(net::Family::V4), 0);
    EXPECT_EQ(effects.without_local_external(net::Family::V6), 0);
}

TEST(DisturbanceTest, IsForeignChangesAtThreeLooksInARow) {
    Disturbance disturbance;
    EXPECT_FALSE(disturbance.look(7));  // from before
    EXPECT_FALSE(disturbance.look(8));
    EXPECT_FALSE(disturbance.look(8));  // a person, once
    EXPECT_FALSE(disturbance.look(9));
    EXPECT_FALSE(disturbance.look(12));
    EXPECT_TRUE(disturbance.look(13));
    EXPECT_FALSE(disturbance.look(13));
}

net::IpAddress ip(const char* text) {
    return *net::IpAddress::parse(text);
}

TEST(ListeningAddressesTest, FollowNodePortAddressesByFamily) {
    proxy::Context context;
    context.node_addresses = {ip("192.168.1.5"), ip("10.0.0.5"), ip("fd00::5")};
    context.node_ips = {{net::Family::V4, ip("192.168.1.5")}, {net::Family::V6, ip("fd00::5")}};
    EXPECT_EQ(listening_addresses(context), std::nullopt);

    context.config.node_port_addresses = {*net::Prefix::parse("10.0.0.0/8")};
    EXPECT_THAT(*listening_addresses(context), ElementsAre(ip("10.0.0.5"), ip("::")));

    context.config.node_port_addresses = {
        *net::Prefix::parse("0.0.0.0/0"), *net::Prefix::parse("fd00::/64")};
    EXPECT_THAT(*listening_addresses(context), ElementsAre(ip("0.0.0.0"), ip("fd00::5")));

    context.config.node_port_addresses = {*net::Prefix::parse("172.16.0.0/12")};
    EXPECT_THAT(*listening_addresses(context), ElementsAre(ip("::")));

    context.config.node_port_primary = true;
    EXPECT_THAT(*listening_addresses(context), ElementsAre(ip("192.168.1.5"), ip("fd00::5")));
}

}  // namespace
}  // namespace steelyard::speaker
