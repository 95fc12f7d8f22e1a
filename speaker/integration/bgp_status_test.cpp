#include "speaker/app/bgp/bgp_side.hpp"
#include "speaker/integration/api_fixture.hpp"

namespace steelyard::speaker {
namespace {

using nlohmann::json;

constexpr const char* kServices =
    "/apis/metallb.io/v1beta1/namespaces/metallb-system/servicebgpstatuses";
constexpr const char* kSessions =
    "/apis/steelyard.io/v1alpha1/namespaces/metallb-system/bgpsessionstates";

net::IpAddress ip(const char* text) {
    return net::IpAddress::parse(text).value();
}

// Node n1 with one Service and one peer, and a server that knows both kinds. What the wire thread
// would report, the test says.
class BgpStatusTest : public ApiFixture {
protected:
    BgpStatusTest() {
        define(definition(SY_CRD_FOLDER "/servicebgpstatuses.yaml"));
        define(definition(SY_CRD_FOLDER "/bgpsessionstates.yaml"));
        side_.set_owner(kube::PodOwner{"speaker-x", "uid-x"});
        side_.spawn(tasks_);
    }
    ~BgpStatusTest() override { stop(); }

    void announce() {
        auto service = std::make_shared<kube::Service>();
        service->meta.key = {"default", "web"};
        service->type = kube::ServiceType::LoadBalancer;
        service->ingress.emplace_back();
        service->ingress.back().ip = ip("192.0.2.10");
        side_.set_service(service->meta.key, service);
        auto slice = std::make_shared<kube::EndpointSlice>();
        slice->meta.key = {"default", "web-1"};
        slice->service = "web";
        slice->endpoints.emplace_back();
        slice->endpoints.back().address = ip("10.244.0.5");
        side_.set_slice(slice->meta.key, slice);
        plan();
    }
    void plan(bool with_peer = true) {
        auto config = std::make_shared<config::Config>();
        config->pools.emplace_back();
        config->pools.back().name = "lan";
        config->pools.back().ranges = {net::Range::parse("192.0.2.0/24").value()};
        config->bgp_advertisements.emplace_back();
        config->bgp_advertisements.back().name = "all";
        config->bgp_advertisements.back().pools = {"lan"};
        if (with_peer) {
            config->bgp_peers.emplace_back();
            config->bgp_peers.back().name = "tor";
            config->bgp_peers.back().address = ip("198.51.100.1");
        }
        auto node = std::make_shared<kube::Node>();
        node->meta.key.name = "n1";
        BgpSide::Facts facts;
        facts.config = config;
        facts.node = node;
        facts.complete = true;
        side_.plan(facts);
    }

    void say(bgp::State state, std::size_t sent, std::uint64_t synced) {
        io::BgpPeerStatus peer;
        peer.name = "tor";
        peer.state = state;
        peer.remote = {ip("198.51.100.1"), 179};
        peer.prefixes_v4 = sent;
        peer.synced = synced;
        if (state == bgp::State::Established) {
            was_up_ = true;
        } else {
            peer.flaps = was_up_ ? 1 : 0;
            peer.trouble = bgp::Trouble{bgp::Trouble::Kind::WrongAs, "AS 64999 instead of 64513"};
        }
        side_.on_status(std::make_shared<const io::BgpStatus>(io::BgpStatus{peer}));
    }

    // The status of the one object there is, or nothing.
    json only(const char* path) {
        const json items = call("GET", path).value("items", json::array());
        return items.size() == 1 ? items[0].value("status", json::object()) : json::object();
    }

    std::uint64_t applied_ = 0;  // the last sequence
    bool was_up_ = false;
    BgpSide side_{
        ioc_.get_executor(),
        *api_,
        log_,
        {"n1", "", false, "metallb-system", 1},
        {[](const BgpPeers&) {},
         [this](const bgp_rib::Changes&, std::uint64_t sequence) { applied_ = sequence; },
         [](bool) {
         }},
        {[](const speaker_plan::Event&) {},
         [](const std::string&, bool, const std::string&, const std::string&) {
         }}};
};

TEST_F(BgpStatusTest, AServiceIsToldOfOnceAPeerWasSentIt) {
    announce();
    say(bgp::State::Established, 0, 0);
    ASSERT_TRUE(until([this] { return only(kSessions).value("bgp", "") == "Established"; }));
    EXPECT_TRUE(call("GET", kServices)["items"].empty()) << "nothing was sent yet";

    say(bgp::State::Established, 1, applied_);
    ASSERT_TRUE(until([this] { return only(kServices).value("peers", json()) == json{"tor"}; }));
    EXPECT_EQ(only(kServices)["serviceName"], "web");
    EXPECT_EQ(only(kServices)["node"], "n1");

    say(bgp::State::Idle, 0, 0);
    EXPECT_TRUE(until([this] { return call("GET", kServices)["items"].empty(); }));
}

TEST_F(BgpStatusTest, WhatAnEarlierRunHasToldStaysUntilItsPeersAreBack) {
    json earlier = json::object();
    earlier["apiVersion"] = "metallb.io/v1beta1";
    earlier["kind"] = "ServiceBGPStatus";
    earlier["metadata"]["name"] = "bgp-old";
    earlier["metadata"]["labels"]["metallb.io/node"] = "n1";
    earlier["metadata"]["labels"]["metallb.io/service-name"] = "web";
    earlier["metadata"]["labels"]["metallb.io/service-namespace"] = "default";
    call("POST", kServices, earlier);
    announce();
    say(bgp::State::Connect, 0, 0);
    ASSERT_TRUE(until([this] { return only(kSessions).value("reason", "") == "WrongAS"; }));
    EXPECT_EQ(call("GET", kServices)["items"].size(), 1U);

    say(bgp::State::Established, 1, applied_);
    ASSERT_TRUE(until([this] { return only(kServices).value("peers", json()) == json{"tor"}; }));
    EXPECT_EQ(call("GET", kServices)["items"][0]["metadata"]["name"], "bgp-old");
}

TEST_F(BgpStatusTest, ASessionSaysWhyItIsNotThere) {
    plan();
    say(bgp::State::Connect, 0, 0);
    ASSERT_TRUE(until([this] { return only(kSessions).value("reason", "") == "WrongAS"; }));
    const json status = only(kSessions);
    EXPECT_EQ(status["message"], "AS 64999 instead of 64513");
    EXPECT_EQ(status["address"], "198.51.100.1");
    EXPECT_EQ(status["bgp"], "Active");
    const std::string since = status["since"];

    say(bgp::State::Active, 0, 0);
    say(bgp::State::Established, 3, 1);
    ASSERT_TRUE(until([this] { return only(kSessions).value("bgp", "") == "Established"; }));
    EXPECT_EQ(only(kSessions)["sentIPv4"], 3);
    EXPECT_GE(only(kSessions)["since"].get<std::string>(), since);
}

TEST_F(BgpStatusTest, APeerThatIsNoMoreLeavesNoObject) {
    plan();
    say(bgp::State::Established, 0, 0);
    ASSERT_TRUE(until([this] { return !only(kSessions).empty(); }));
    plan(false);
    side_.on_status(std::make_shared<const io::BgpStatus>());
    EXPECT_TRUE(until([this] { return call("GET", kSessions)["items"].empty(); }));
}

}  // namespace
}  // namespace steelyard::speaker
