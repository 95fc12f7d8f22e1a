#include "speaker/proxy/rules/testing/expected.hpp"
#include "speaker/proxy/rules/testing/scene.hpp"
#include "speaker/proxy/rules/testing/tracer.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <functional>
#include <optional>

// Every kind of client, frontend, policy and configuration: what the plan, the sets and the rules
// together do with a packet is what is expected of a proxy.
namespace steelyard::proxy::oracle {
namespace {

using net::Endpoint;
using net::Family;
using net::IpAddress;
using Kind = LocalDetection::Kind;

constexpr std::array kFamilies{Family::V4, Family::V6};
constexpr std::array kKinds{
    Kind::None,
    Kind::ClusterCidr,
    Kind::NodeCidr,
    Kind::BridgeInterface,
    Kind::InterfaceNamePrefix};
constexpr std::array kClients{
    Client::PodHere, Client::PodElsewhere, Client::Node, Client::External};
constexpr std::array kFrontends{
    Frontend::ClusterIp, Frontend::NodePort, Frontend::ExternalIp, Frontend::LoadBalancer};

// Runs `play` for every configuration and every case.
void for_each(
    const std::function<void(const Case&, const ProxyConfig&, const Tracer&)>& play, Family family
) {
    for (unsigned bits = 0; bits < kKinds.size() * 4; ++bits) {
        Case c;
        c.detect = kKinds.at(bits / 4);
        c.node_pod_cidrs_known = (bits & 1) != 0;
        c.masquerade_all = (bits & 2) != 0;
        const ProxyConfig config = config_of(c.detect, c.node_pod_cidrs_known, c.masquerade_all);
        const Tracer tracer(static_rules(config, family), family, names_for(config.mode).prefix);
        for (unsigned service = 0; service < 16; ++service) {
            c.external_local = (service & 1) != 0;
            c.internal_local = (service & 2) != 0;
            c.endpoints_here = (service & 4) != 0;
            c.endpoints_elsewhere = (service & 8) != 0;
            for (const Client client : kClients) {
                for (const Frontend frontend : kFrontends) {
                    c.client = client;
                    c.frontend = frontend;
                    play(c, config, tracer);
                }
            }
        }
    }
}

std::vector<Endpoint> endpoints_of(const Case& c, const Variant& variant, Reaches reaches) {
    const Places& where = places(variant.family);
    std::vector<Endpoint> found;
    if (c.endpoints_here && reaches <= Reaches::Here) {
        found.push_back({where.endpoint_here, variant.endpoint_port});
    }
    if (c.endpoints_elsewhere && reaches == Reaches::All) {
        found.push_back({where.endpoint_there, variant.endpoint_port});
    }
    return found;
}

Source seen(const Ending& ending, const Packet& packet, const Host& host) {
    const bool node = ending.masqueraded || host.addresses.contains(ending.source);
    EXPECT_TRUE(node || ending.source == packet.source.address);
    return node ? Source::Node : Source::Kept;
}

// "" when the packet fares as expected, else what was wrong.
std::string fault(
    const Case& c,
    const Variant& variant,
    const Host& host,
    const Packet& packet,
    const Tracer& tracer
) {
    const Answer answer = expected(c);
    const std::vector<Ending> endings = tracer.trace(host, packet);
    std::vector<Endpoint> reached;
    for (const Ending& ending : endings) {
        const auto wrong = [&](const std::string& what) {
            return to_string(c) + "; " + to_string(variant) + "\nexpected: " + to_string(answer) +
                   "\n" + what + "\n" + ending.log;
        };
        switch (ending.verdict) {
            case Verdict::Refused:
            case Verdict::Dropped: {
                const Reaches reaches =
                    ending.verdict == Verdict::Refused ? Reaches::Refused : Reaches::Dropped;
                if (answer.reaches != reaches) {
                    return wrong(reaches == Reaches::Refused ? "is refused" : "is dropped");
                }
                return "";
            }
            case Verdict::Delivered:
                return wrong("reaches the host");
            case Verdict::Forwarded:
                return wrong("is forwarded");
            case Verdict::Sent:
                break;
        }
        reached.push_back(ending.real_server);
        const bool itself = ending.real_server.address == packet.source.address;
        const Source source = itself ? Source::Node : answer.source;
        if (seen(ending, packet, host) != source) {
            return wrong("source of " + net::to_string(ending.real_server));
        }
        if (ending.mark != 0 && !itself) {  // to itself: it goes no further than this node
            return wrong("the packet leaves with a mark");
        }
    }
    std::sort(reached.begin(), reached.end());
    std::vector<Endpoint> wanted = endpoints_of(c, variant, answer.reaches);
    std::sort(wanted.begin(), wanted.end());
    if (reached != wanted || wanted.empty()) {
        std::string text = to_string(c) + "; " + to_string(variant) +
                           "\nexpected: " + to_string(answer) + "\nreaches:";
        for (const Endpoint& endpoint : reached) {
            text += " " + net::to_string(endpoint);
        }
        return text + "\n" + (endings.empty() ? "" : endings.front().log);
    }
    return "";
}

class MatrixTest : public testing::Test {
protected:
    // Ten faults tell as much as a thousand.
    void check(const std::string& found) {
        if (!found.empty() && ++faults_ <= 10) {
            ADD_FAILURE() << found;
        }
    }
    void play(const Variant& variant) {
        // Of the cases that differ in client and frontend only.
        std::optional<Host> host;
        std::optional<Host> barred;
        for_each(
            [&](Case c, const ProxyConfig& config, const Tracer& tracer) {
                if (c.client == kClients.front() && c.frontend == kFrontends.front()) {
                    host = host_of(c, variant, config);
                    c.outside_ranges = true;
                    barred = host_of(c, variant, config);
                    c.outside_ranges = false;
                }
                ++cases_;
                check(fault(c, variant, *host, packet_of(c, variant, *host), tracer));
                if (variant.restricted) {
                    c.outside_ranges = true;
                    check(fault(c, variant, *barred, packet_of(c, variant, *barred), tracer));
                } else if (c.client == Client::PodHere && c.endpoints_here) {
                    check(fault(c, variant, *host, packet_of(c, variant, *host, true), tracer));
                }
            },
            variant.family
        );
    }

    std::size_t cases_ = 0;
    std::size_t faults_ = 0;
};

TEST_F(MatrixTest, EveryClientReachesWhatItShould) {
    for (const Family family : kFamilies) {
        for (const net::Protocol protocol :
             {net::Protocol::Tcp, net::Protocol::Udp, net::Protocol::Sctp}) {
            Variant variant;
            variant.family = family;
            variant.protocol = protocol;
            play(variant);
        }
    }
    EXPECT_EQ(cases_, 2U * 3 * 5 * 4 * 16 * 16);
    EXPECT_EQ(faults_, 0U);
}

TEST_F(MatrixTest, SessionAffinityChangesNothingOfThat) {
    for (const Family family : kFamilies) {
        for (const std::uint16_t port : {kEndpointPort, kPort}) {
            Variant variant;
            variant.family = family;
            variant.affinity = true;
            variant.endpoint_port = port;
            play(variant);
        }
    }
    EXPECT_EQ(faults_, 0U);
}

TEST_F(MatrixTest, NorDoesTheWayInWhichAddressesAreBound) {
    for (const Family family : kFamilies) {
        Variant variant;
        variant.family = family;
        variant.as_routes = true;
        play(variant);
    }
    EXPECT_EQ(faults_, 0U);
}

TEST_F(MatrixTest, SourceRangesHoldEveryKindOfClient) {
    for (const Family family : kFamilies) {
        for (const bool as_routes : {false, true}) {
            Variant variant;
            variant.family = family;
            variant.restricted = true;
            variant.as_routes = as_routes;
            variant.affinity = as_routes;
            play(variant);
        }
    }
    EXPECT_EQ(faults_, 0U);
}

}  // namespace
}  // namespace steelyard::proxy::oracle
