#include "speaker/io/dataplane/dataplane.hpp"
#include "speaker/io/dataplane/guest_net.hpp"
#include "speaker/io/dataplane/guest_probe.hpp"
#include "speaker/io/dataplane/loop_fixture.hpp"
#include "speaker/proxy/rules/testing/scene.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <optional>
#include <set>

// The packet matrix of speaker/proxy/rules with a real kernel: the same cases and the same
// expectations, but real clients, pods, IPVS and conntrack. Needs root in a kernel that has them:
// run by `e2e/lab/lab run -- .../sy_packet_matrix_guest_test`.
namespace steelyard::dataplane {
namespace {

using guest::EchoServer;
using guest::Namespace;
using guest::Probe;
using guest::sh;
using net::Family;
using net::IpAddress;
using net::Protocol;
using proxy::oracle::Answer;
using proxy::oracle::Case;
using proxy::oracle::Client;
using proxy::oracle::expected;
using proxy::oracle::Frontend;
using proxy::oracle::Places;
using proxy::oracle::places;
using proxy::oracle::Reaches;
using proxy::oracle::Source;
using Kind = proxy::LocalDetection::Kind;

constexpr std::array kFamilies{Family::V4, Family::V6};
constexpr std::array kClients{
    Client::PodHere, Client::PodElsewhere, Client::Node, Client::External};
constexpr std::array kFrontends{
    Frontend::ClusterIp, Frontend::NodePort, Frontend::ExternalIp, Frontend::LoadBalancer};
constexpr unsigned kServices = 16;  // every pair of policies with every place of endpoints
constexpr std::chrono::milliseconds kTcpPatience{1300};  // a lost SYN is sent again after 1 s
constexpr std::chrono::milliseconds kUdpPatience{600};

// Namespaces here and there; their servers. A pod of another node lives on that node's lo: from
// here it looks the same.
class Cluster {
public:
    Cluster() {
        // Refusals are ICMP errors, of which there are hundreds at a time; so are connections,
        // whose limit is the first namespace's to set.
        sh("nsenter -t 1 -n sysctl -qw net.netfilter.nf_conntrack_max=200000");
        sh("sysctl -qw net.ipv4.icmp_ratemask=0 net.ipv6.icmp.ratelimit=0 && "
           "sysctl -qw net.ipv6.conf.all.forwarding=1 net.ipv4.ip_forward=1 && "
           "ip link add cbr0 type bridge && ip link set cbr0 up && "
           "ip addr add 10.244.1.1/24 dev cbr0 && ip addr add fd44:0:0:1::1/64 dev cbr0 nodad && "
           "modprobe br_netfilter 2>/dev/null; "
           "sysctl -qw net.bridge.bridge-nf-call-iptables=1 net.bridge.bridge-nf-call-ip6tables=1");
        // The address by which the others know this node.
        there_.add("fd16::1/64", "fd16::2/64");
        elsewhere_.add("fd17::1/64", "fd17::2/64");
        external_.add("2001:db8:9::1/64", "2001:db8:9::9/64");
        pod("pod", "10.244.1.2/24", "fd44:0:0:1::2/64");
        pod("client", "10.244.1.9/24", "fd44:0:0:1::9/64");
        remote("there", "10.244.2.2", "10.244.2.0/24 via 172.16.0.2");
        remote("there", "fd44:0:0:2::2", "fd44:0:0:2::/64 via fd16::2");
        remote("elsewhere", "10.244.3.9", "10.244.3.0/24 via 172.17.0.2");
        remote("elsewhere", "fd44:0:0:3::9", "fd44:0:0:3::/64 via fd17::2");
        sh("ip route add default via 203.0.113.9 && ip route add default via 2001:db8:9::9");
        for (const char* const pod : {"pod", "client"}) {  // neighbours learn each other
            sh("ip netns exec " + std::string(pod) + " ping -qc1 -W2 10.244.1.1 > /dev/null && " +
               "ip netns exec " + pod + " ping -qc1 -W2 fd44:0:0:1::1 > /dev/null");
        }
        for (const char* const address :
             {"10.244.2.2", "fd44:0:0:2::2", "10.244.3.9", "203.0.113.9", "2001:db8:9::9"}) {
            sh("ping -qc1 -W2 " + std::string(address) + " > /dev/null");
        }
        // Within one machine a refusal would be back while connect() still holds the socket, and
        // would count only when the SYN is sent again.
        for (const char* const device : {"lo", "vpod", "vclient", "elsewhere", "external"}) {
            sh("tc qdisc add dev " + std::string(device) + " root netem limit 20000 delay 2ms");
        }
        servers_.push_back(
            std::make_unique<EchoServer>("pod", "here", both(&Places::endpoint_here), 8080)
        );
        servers_.push_back(
            std::make_unique<EchoServer>("there", "there", both(&Places::endpoint_there), 8080)
        );
    }
    Cluster(const Cluster&) = delete;
    Cluster& operator=(const Cluster&) = delete;
    ~Cluster() {
        servers_.clear();
        sh("ip netns del pod; ip netns del client");
    }

private:
    static std::vector<IpAddress> both(IpAddress Places::*place) {
        return {places(Family::V4).*place, places(Family::V6).*place};
    }
    static void pod(const std::string& name, const std::string& v4, const std::string& v6) {
        sh("ip netns add " + name + " && ip link add v" + name +
           " type veth peer name eth0 netns " + name + " && ip link set v" + name +
           " master cbr0 up && bridge link set dev v" + name + " hairpin on && ip -n " + name +
           " link set lo up && ip -n " + name + " link set eth0 up && ip -n " + name +
           " addr add " + v4 + " dev eth0 && ip -n " + name + " addr add " + v6 +
           " dev eth0 nodad && ip -n " + name + " route add default via 10.244.1.1 && ip -n " +
           name + " -6 route add default via fd44:0:0:1::1");
    }
    static void remote(
        const std::string& name, const std::string& address, const std::string& route
    ) {
        const bool v6 = address.find(':') != std::string::npos;
        sh("ip -n " + name + " addr add " + address + (v6 ? "/128" : "/32") + " dev lo" +
           (v6 ? " nodad" : "") + " && ip " + (v6 ? "-6 " : "") + "route add " + route);
    }

    Namespace there_{"there", "172.16.0.1/24", "172.16.0.2/24"};
    Namespace elsewhere_{"elsewhere", "172.17.0.1/24", "172.17.0.2/24"};
    Namespace external_{"external", "203.0.113.1/24", "203.0.113.9/24"};
    std::vector<std::unique_ptr<EchoServer>> servers_;
};

std::string home_of(Client client) {
    switch (client) {
        case Client::PodHere:
            return "client";
        case Client::PodElsewhere:
            return "elsewhere";
        case Client::External:
            return "external";
        case Client::Node:
            break;
    }
    return "";
}

Case case_of(unsigned service, const proxy::ProxyConfig& config) {
    Case c;
    c.external_local = (service & 1) != 0;
    c.internal_local = (service & 2) != 0;
    c.endpoints_here = (service & 4) != 0;
    c.endpoints_elsewhere = (service & 8) != 0;
    c.detect = config.detect.kind;
    c.node_pod_cidrs_known = !config.node_pod_cidrs.empty();
    c.masquerade_all = config.masquerade_all;
    return c;
}

// The service's own copy of the scene's addresses.
net::Endpoint frontend_of(unsigned service, Frontend frontend, Family family) {
    Case c;
    c.frontend = frontend;
    net::Endpoint endpoint = proxy::oracle::frontend_of(c, family);
    if (frontend == Frontend::NodePort) {
        endpoint.port = static_cast<std::uint16_t>(endpoint.port + service);
    } else {
        endpoint.address = endpoint.address.plus(service);
    }
    return endpoint;
}

struct Question {
    Case asked;
    Family family = Family::V4;
    Protocol protocol = Protocol::Tcp;
    bool hairpin = false;
    std::size_t first_probe = 0;
};

class PacketMatrixTest : public LoopTest {
protected:
    PacketMatrixTest() { guest::enter_fresh_node(); }

    void add_service(proxy::Input& input, unsigned number, const Case& c) const {
        auto service = std::make_shared<kube::Service>();
        const std::string name = "s" + std::to_string(number);
        service->meta.key = {"default", name};
        service->type = kube::ServiceType::LoadBalancer;
        service->ip_families = {Family::V4, Family::V6};
        using kube::TrafficPolicy;
        service->external_traffic_policy =
            c.external_local ? TrafficPolicy::Local : TrafficPolicy::Cluster;
        service->internal_traffic_policy =
            c.internal_local ? TrafficPolicy::Local : TrafficPolicy::Cluster;
        service->client_ip_affinity_seconds = affinity_;
        service->load_balancer_source_ranges = ranges_;
        for (const Protocol protocol : {Protocol::Tcp, Protocol::Udp}) {
            kube::ServicePort port;
            port.name = net::to_string(protocol);
            port.protocol = protocol;
            port.port = proxy::oracle::kPort;
            port.node_port = static_cast<std::uint16_t>(proxy::oracle::kNodePort + number);
            service->ports.push_back(port);
        }
        for (const Family family : kFamilies) {
            service->cluster_ips.push_back(frontend_of(number, Frontend::ClusterIp, family).address
            );
            service->external_ips.push_back(
                frontend_of(number, Frontend::ExternalIp, family).address
            );
            service->ingress.push_back(
                {frontend_of(number, Frontend::LoadBalancer, family).address, "", ""}
            );
            auto slice = std::make_shared<kube::EndpointSlice>();
            slice->meta.key = {"default", name + std::string(net::to_string(family))};
            slice->service = name;
            slice->family = family;
            for (const kube::ServicePort& port : service->ports) {
                slice->ports.push_back({port.name, port.protocol, proxy::oracle::kEndpointPort});
            }
            const auto add = [&](const IpAddress& address, const std::string& node) {
                kube::SliceEndpoint endpoint;
                endpoint.address = address;
                endpoint.node_name = node;
                slice->endpoints.push_back(endpoint);
            };
            if (c.endpoints_here) {
                add(places(family).endpoint_here, "here");
            }
            if (c.endpoints_elsewhere) {
                add(places(family).endpoint_there, "there");
            }
            input.slices.emplace(slice->meta.key, slice);
        }
        input.services.emplace(service->meta.key, service);
    }

    void program(const proxy::ProxyConfig& config) {
        proxy::Input input;
        input.context.node_name = "here";
        for (const Family family : kFamilies) {
            input.context.node_addresses.push_back(places(family).node);
            input.context.node_ips[family] = places(family).node;
            input.context.service_cidrs.push_back(places(family).services);
        }
        input.context.config = config;
        for (unsigned service = 0; service < kServices; ++service) {
            add_service(input, service, case_of(service, config));
        }
        dataplane_ = make_ipvs_dataplane(ioc_.get_executor(), config);
        const auto started = wait(dataplane_->start());
        ASSERT_TRUE(started) << to_string(started.error());
        const proxy::Tables tables = proxy::plan(input);
        proxy::Changes changes;
        changes.services = tables.services;
        changes.sources = tables.sources;
        const auto applied = wait(dataplane_->apply(std::move(changes)));
        ASSERT_TRUE(applied) << to_string(applied.error());
        ASSERT_THAT(applied->failures, testing::IsEmpty());
    }

    void ask(const Question& question, unsigned service) {
        questions_.push_back(question);
        questions_.back().first_probe = probes_.size();
        Probe probe;
        const Case& c = question.asked;
        const Places& where = places(question.family);
        probe.where = question.hairpin ? "pod" : home_of(c.client);
        if (question.hairpin) {
            probe.source = where.endpoint_here;
        } else if (c.client != Client::Node) {
            probe.source = proxy::oracle::client_address(c, question.family);
        } else {
            probe.source = question.family == Family::V4 ? IpAddress() : IpAddress::v6({});
        }
        probe.protocol = question.protocol;
        probe.destination = frontend_of(service, c.frontend, question.family);
        // Two in a row: round robin sends them to different endpoints.
        probes_.push_back(probe);
        probes_.push_back(probe);
    }

    // "" when both probes fared as expected.
    std::string fault(const Question& question) const {
        const Case& c = question.asked;
        const Answer answer = expected(c);
        std::set<std::string> names;
        std::string seen;
        bool right = true;
        for (std::size_t index : {question.first_probe, question.first_probe + 1}) {
            const std::string& result = probes_[index].result;
            seen += " [" + result + "]";
            if (answer.reaches >= Reaches::Refused) {
                right =
                    right && result == (answer.reaches == Reaches::Refused ? "refused" : "dropped");
                continue;
            }
            const std::size_t space = result.find(' ');
            const auto source = space == std::string::npos
                                    ? std::nullopt
                                    : std::optional(IpAddress::parse(result.substr(space + 1)));
            if (!source || !*source) {
                right = false;
                continue;
            }
            names.insert(result.substr(0, space));
            const bool itself = question.hairpin && result.starts_with("here ");
            if (itself || answer.source == Source::Node || c.client == Client::Node) {
                right = right && node_addresses_.contains(**source);
            } else {
                right = right && **source == probes_[index].source;
            }
        }
        std::set<std::string> wanted;
        if (answer.reaches <= Reaches::Here && c.endpoints_here) {
            wanted.insert("here");
        }
        if (answer.reaches == Reaches::All && c.endpoints_elsewhere) {
            wanted.insert("there");
        }
        if (right && (names == wanted || (affinity_ && names.size() == 1))) {
            return "";
        }
        return to_string(c) + (question.hairpin ? ", itself an endpoint" : "") + ", " +
               std::string(net::to_string(question.family)) + " " +
               std::string(net::to_string(question.protocol)) + " to " +
               net::to_string(probes_[question.first_probe].destination) +
               "\n  expected: " + to_string(answer) + "\n  seen:" + seen;
    }

    void ask_everything(const proxy::ProxyConfig& config, Family family, Protocol protocol) {
        for (unsigned service = 0; service < kServices; ++service) {
            for (const Client client : kClients) {
                for (const Frontend frontend : kFrontends) {
                    Question question;
                    question.asked = case_of(service, config);
                    question.asked.client = client;
                    question.asked.frontend = frontend;
                    question.asked.outside_ranges = outside_(client);
                    question.family = family;
                    question.protocol = protocol;
                    ask(question, service);
                    if (client == Client::PodHere && question.asked.endpoints_here) {
                        question.hairpin = true;
                        ask(question, service);
                    }
                }
            }
        }
    }

    void play(const proxy::ProxyConfig& config) {
        program(config);
        if (HasFatalFailure()) {
            return;
        }
        for (const Family family : kFamilies) {
            for (const Protocol protocol : {Protocol::Tcp, Protocol::Udp}) {
                std::size_t of_setting = 0;
                questions_.clear();
                probes_.clear();
                ask_everything(config, family, protocol);
                guest::run_probes(probes_, protocol == Protocol::Tcp ? kTcpPatience : kUdpPatience);
                for (const Question& question : questions_) {
                    const std::string found = fault(question);
                    // A few of each setting tell as much as all.
                    if (!found.empty() && ++faults_ && ++of_setting <= 5) {
                        ADD_FAILURE() << found;
                    }
                }
                asked_ += questions_.size();
            }
        }
    }

    std::unique_ptr<Dataplane> dataplane_;
    std::vector<Question> questions_;
    std::vector<Probe> probes_;
    std::size_t asked_ = 0;
    std::size_t faults_ = 0;
    std::optional<std::uint32_t> affinity_;
    std::vector<net::Prefix> ranges_;
    std::function<bool(Client)> outside_ = [](Client) {
        return false;
    };
    // Every address of this node but the virtual ones.
    std::set<IpAddress> node_addresses_ = [] {
        std::set<IpAddress> found;
        for (const char* const text :
             {"172.16.0.1",
              "172.17.0.1",
              "203.0.113.1",
              "10.244.1.1",
              "fd16::1",
              "fd17::1",
              "2001:db8:9::1",
              "fd44:0:0:1::1"}) {
            found.insert(IpAddress::parse(text).value());
        }
        return found;
    }();
};

TEST_F(PacketMatrixTest, EveryClientReachesWhatItShould) {
    const Cluster cluster;
    for (const Kind kind :
         {Kind::None,
          Kind::ClusterCidr,
          Kind::NodeCidr,
          Kind::BridgeInterface,
          Kind::InterfaceNamePrefix}) {
        const bool known = kind == Kind::ClusterCidr || kind == Kind::None;
        play(proxy::oracle::config_of(kind, known, false));
    }
    play(proxy::oracle::config_of(Kind::ClusterCidr, false, true));
    EXPECT_EQ(faults_, 0U) << "of " << asked_;
    std::printf("%zu kinds of connection\n", asked_);
}

TEST_F(PacketMatrixTest, WhatNoServiceHasIsRefused) {
    const Cluster cluster;
    program(proxy::oracle::config_of(Kind::ClusterCidr, true, false));
    const EchoServer host("", "host", {places(Family::V4).node, places(Family::V6).node}, 22);
    for (const Family family : kFamilies) {
        const Places& where = places(family);
        for (const Protocol protocol : {Protocol::Tcp, Protocol::Udp}) {
            for (const Client client : kClients) {
                Case c;
                c.client = client;
                Probe probe;
                probe.where = home_of(client);
                probe.source = client == Client::Node
                                   ? (family == Family::V4 ? IpAddress() : IpAddress::v6({}))
                                   : proxy::oracle::client_address(c, family);
                probe.protocol = protocol;
                for (const IpAddress& address :
                     {where.cluster_ip, where.external_ip, where.load_balancer_ip}) {
                    probe.destination = {address, 22};  // a port that the host has
                    probes_.push_back(probe);
                }
                probe.destination = {where.cluster_ip.plus(200), 80};
                probes_.push_back(probe);
            }
        }
    }
    guest::run_probes(probes_, kTcpPatience);
    for (const Probe& probe : probes_) {
        EXPECT_EQ(probe.result, "refused") << probe.where << " " << net::to_string(probe.protocol)
                                           << " to " << net::to_string(probe.destination);
    }
}

TEST_F(PacketMatrixTest, SourceRangesAndAffinityChangeNothingElse) {
    const Cluster cluster;
    affinity_ = 600;
    // The node and the pods here are let in, the others are not.
    for (const char* const range :
         {"172.16.0.0/24", "10.244.1.0/24", "fd16::/64", "fd44:0:0:1::/64"}) {
        ranges_.push_back(net::Prefix::parse(range).value());
    }
    outside_ = [](Client client) {
        return client == Client::External || client == Client::PodElsewhere;
    };
    play(proxy::oracle::config_of(Kind::ClusterCidr, true, false));
    EXPECT_EQ(faults_, 0U) << "of " << asked_;
}

}  // namespace
}  // namespace steelyard::dataplane
