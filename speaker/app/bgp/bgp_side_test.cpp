#include "speaker/app/bgp/bgp_side.hpp"

#include "common/kube/client/http_api.hpp"

#include <boost/asio/io_context.hpp>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace steelyard::speaker {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::SizeIs;

net::IpAddress ip(const char* text) {
    return net::IpAddress::parse(text).value();
}

// Node n1 with one peer and one pool; what goes to the wire thread is kept. Status objects are not
// written here: nothing is spawned.
class BgpSideTest : public testing::Test {
protected:
    BgpSideTest() {
        config_.pools.emplace_back();
        config_.pools.back().name = "lan";
        config_.pools.back().ranges = {net::Range::parse("192.0.2.0/24").value()};
        config_.bgp_advertisements.emplace_back();
        config_.bgp_advertisements.back().name = "all";
        config_.bgp_advertisements.back().pools = {"lan"};
        config_.bgp_peers.emplace_back();
        config_.bgp_peers.back().name = "tor";
        config_.bgp_peers.back().local_asn = 64512;
        config_.bgp_peers.back().address = ip("198.51.100.1");
        node_.meta.key.name = "n1";
        node_.internal_ips = {ip("198.51.100.2")};
    }

    BgpSide::Wire wire() {
        return {
            [this](BgpPeers peers) { peers_.push_back(std::move(peers)); },
            [this](bgp_rib::Changes changes, std::uint64_t) {
                applied_.push_back(std::move(changes));
            },
            [this](bool draining) {
                draining_.push_back(draining);
            }};
    }
    BgpSide::Telling telling() {
        return {
            [this](const speaker_plan::Event& event) { service_events_.push_back(event.reason); },
            [this](const std::string&, bool, const std::string& reason, const std::string& text) {
                peer_events_.push_back(reason + ": " + text);
            }};
    }

    void add_service(const char* name, const char* address) {
        auto service = std::make_shared<kube::Service>();
        service->meta.key = {"default", name};
        service->type = kube::ServiceType::LoadBalancer;
        service->ingress.emplace_back();
        service->ingress.back().ip = ip(address);
        side_.set_service(service->meta.key, service);
        auto slice = std::make_shared<kube::EndpointSlice>();
        slice->meta.key = {"default", std::string(name) + "-1"};
        slice->service = name;
        slice->endpoints.emplace_back();
        slice->endpoints.back().address = ip("10.244.0.5");
        slice->endpoints.back().node_name = "n1";
        slice->endpoints.back().serving = true;
        slice->endpoints.back().ready = true;
        side_.set_slice(slice->meta.key, slice);
    }

    void plan(bool complete = true, bool draining = false) {
        BgpSide::Facts facts;
        facts.config = shared_config_
                           ? shared_config_
                           : (shared_config_ = std::make_shared<config::Config>(config_));
        facts.node = shared_node_ ? shared_node_
                                  : (shared_node_ = std::make_shared<const kube::Node>(node_));
        facts.complete = complete;
        facts.draining = draining;
        side_.plan(facts);
    }

    static io::BgpPeerStatus session(bgp::State state, const char* trouble = nullptr) {
        io::BgpPeerStatus status;
        status.name = "tor";
        status.state = state;
        if (trouble != nullptr) {
            status.trouble = bgp::Trouble{bgp::Trouble::Kind::Refused, trouble};
        }
        return status;
    }
    void say(io::BgpPeerStatus status) {
        side_.on_status(std::make_shared<const io::BgpStatus>(io::BgpStatus{std::move(status)}));
    }

    static kube::ClientConfig nowhere() {
        kube::ClientConfig config;
        config.host = "127.0.0.1";
        config.port = 1;
        config.tls = false;
        return config;
    }

    config::Config config_;
    kube::Node node_;
    std::shared_ptr<const config::Config> shared_config_;
    std::shared_ptr<const kube::Node> shared_node_;
    std::vector<BgpPeers> peers_;
    std::vector<bgp_rib::Changes> applied_;
    std::vector<bool> draining_;
    std::vector<std::string> service_events_;
    std::vector<std::string> peer_events_;
    asio::io_context ioc_{1};
    const log::Logger log_{log::stderr_sink(), log::Level::None, "test"};
    std::unique_ptr<kube::KubeApi> api_ = kube::HttpKubeApi::make(nowhere()).value();
    BgpSide side_{
        ioc_.get_executor(),
        *api_,
        log_,
        {"n1", "", false, "metallb-system", 1},
        wire(),
        telling()};
};

TEST_F(BgpSideTest, SessionsOpenBeforeTheFirstRoutesAreKnown) {
    add_service("web", "192.0.2.10");
    plan(false);
    EXPECT_THAT(peers_, SizeIs(1));
    EXPECT_THAT(applied_, IsEmpty());
}

TEST_F(BgpSideTest, TheFirstCompletePlanIsToldHoweverEmpty) {
    plan();
    ASSERT_THAT(applied_, SizeIs(1));
    EXPECT_THAT(applied_.front().upsert, IsEmpty());
    plan();
    EXPECT_THAT(applied_, SizeIs(1));
}

TEST_F(BgpSideTest, OneChangedServiceIsOneRoute) {
    add_service("web", "192.0.2.10");
    plan();
    add_service("other", "192.0.2.11");
    plan();
    ASSERT_THAT(applied_, SizeIs(2));
    ASSERT_THAT(applied_.back().upsert, SizeIs(1));
    EXPECT_EQ(to_string(applied_.back().upsert.front().prefix), "192.0.2.11/32");
    EXPECT_THAT(service_events_, ElementsAre("nodeAssigned", "nodeAssigned"));
}

TEST_F(BgpSideTest, PeersAreToldOnlyWhenTheyChange) {
    plan();
    auto touched = node_;
    touched.meta.resource_version = "2";
    shared_node_ = std::make_shared<const kube::Node>(touched);
    plan();
    EXPECT_THAT(peers_, SizeIs(1));
    config_.bgp_peers.front().port = 1790;
    shared_config_.reset();
    plan();
    ASSERT_THAT(peers_, SizeIs(2));
    EXPECT_EQ(peers_.back().peers.front().port, 1790);
}

TEST_F(BgpSideTest, ANewAddressOfTheNodeResetsNoSession) {
    plan();
    node_.internal_ips = {ip("198.51.100.99")};
    shared_node_.reset();
    plan();
    EXPECT_THAT(peers_, SizeIs(1));
}

TEST_F(BgpSideTest, DrainingIsToldOnce) {
    plan();
    plan(true, true);
    plan(true, true);
    plan();
    EXPECT_THAT(draining_, ElementsAre(true, false));
}

TEST_F(BgpSideTest, ATroubleIsToldOnceUntilTheSessionWasUp) {
    say(session(bgp::State::Connect, "connection refused"));
    say(session(bgp::State::Active, "connection refused"));
    say(session(bgp::State::Connect, "no route"));
    say(session(bgp::State::Connect, "connection refused"));
    say(session(bgp::State::Established));
    say(session(bgp::State::Established));
    say(session(bgp::State::Connect, "connection refused"));
    EXPECT_THAT(
        peer_events_,
        ElementsAre(
            "sessionDown: connection refused on node \"n1\"",
            "sessionDown: no route on node \"n1\"",
            "sessionUp: session is established on node \"n1\"",
            "sessionDown: connection refused on node \"n1\""
        )
    );
}

}  // namespace
}  // namespace steelyard::speaker
