#include "speaker/proxy/plan_test_support.hpp"

namespace steelyard::proxy {
namespace {

using net::Protocol;
using testing::ElementsAre;
using testing::IsEmpty;

// How the endpoints of a Service come and go; what is planned depends on the last state only.
class EndpointsTest : public PlanTest {
protected:
    // A slice of one port and endpoints on node b.
    static kube::EndpointSlice slice(
        std::string name, std::uint16_t port, const std::vector<const char*>& addresses
    ) {
        kube::EndpointSlice made;
        made.meta.key = {"default", "web-" + name};
        made.service = "web";
        made.ports = {kube::SlicePort{std::move(name), Protocol::Tcp, port}};
        for (const char* address : addresses) {
            made.endpoints.push_back(endpoint(address, "b"));
        }
        return made;
    }
    // Port 80 with its name, and port 81 named "admin".
    void set_port_names(const char* first) {
        service_.ports[0].name = first;
        kube::ServicePort admin = service_.ports[0];
        admin.name = "admin";
        admin.port = 81;
        admin.node_port = 0;
        service_.ports.push_back(admin);
    }
};

TEST_F(EndpointsTest, EveryStateOfTheSlicesAsATable) {
    struct Row {
        const char* name;
        const char* port;  // what port 80 is called
        std::vector<kube::EndpointSlice> slices;
        Texts at_80;
        Texts at_81;
    };
    const std::vector<Row> rows{
        {"nothing", "", {}, {}, {}},
        {"unnamed port", "", {slice("", 8, {"10.0.0.1"})}, {"10.0.0.1:8"}, {}},
        {"unnamed to named", "http", {slice("", 8, {"10.0.0.1"})}, {}, {}},
        {"named port", "http", {slice("http", 8, {"10.0.0.1"})}, {"10.0.0.1:8"}, {}},
        {"named to unnamed", "", {slice("http", 8, {"10.0.0.1"})}, {}, {}},
        {"another number", "http", {slice("http", 9, {"10.0.0.1"})}, {"10.0.0.1:9"}, {}},
        {"an address more",
         "http",
         {slice("http", 8, {"10.0.0.1", "10.0.0.2"})},
         {"10.0.0.1:8", "10.0.0.2:8"},
         {}},
        {"a port more",
         "http",
         {slice("http", 8, {"10.0.0.1"}), slice("admin", 9, {"10.0.0.1"})},
         {"10.0.0.1:8"},
         {"10.0.0.1:9"}},
        {"ports of different endpoints",
         "http",
         {slice("http", 8, {"10.0.0.1"}), slice("admin", 9, {"10.0.0.2", "10.0.0.3"})},
         {"10.0.0.1:8"},
         {"10.0.0.2:9", "10.0.0.3:9"}},
        {"both ports of one number",
         "http",
         {slice("http", 8, {"10.0.0.1"}), slice("admin", 8, {"10.0.0.1"})},
         {"10.0.0.1:8"},
         {"10.0.0.1:8"}},
        {"an address in two slices",
         "http",
         {slice("http", 8, {"10.0.0.1"}), slice("http", 8, {"10.0.0.1", "10.0.0.2"})},
         {"10.0.0.1:8", "10.0.0.2:8"},
         {}},
        {"a named target port of two numbers",
         "http",
         {slice("http", 8, {"10.0.0.1"}), slice("http", 9, {"10.0.0.2"})},
         {"10.0.0.1:8", "10.0.0.2:9"},
         {}},
        {"one port only", "http", {slice("admin", 9, {"10.0.0.1"})}, {}, {"10.0.0.1:9"}},
        {"a port nobody has", "http", {slice("other", 9, {"10.0.0.1"})}, {}, {}},
        {"an empty slice", "http", {slice("http", 8, {})}, {}, {}},
    };
    const kube::Service fresh = service_;
    for (const Row& row : rows) {
        SCOPED_TRACE(row.name);
        service_ = fresh;
        set_port_names(row.port);
        const ServiceTables tables = plan_slices(row.slices);
        EXPECT_EQ(behind(tables, "10.96.0.10", 80), row.at_80);
        EXPECT_EQ(behind(tables, "10.96.0.10", 81), row.at_81);
    }
}

TEST_F(EndpointsTest, TerminatingAndReadyByPolicy) {
    service_.external_traffic_policy = kLocal;
    struct Row {
        const char* name;
        std::vector<kube::SliceEndpoint> endpoints;
        Texts cluster;
        Texts local;
    };
    const std::vector<Row> rows{
        {"a ready one beside a terminating one here",
         {endpoint("10.244.1.1", "a"), terminating("10.244.1.2", "a")},
         {"10.244.1.1:8080", "10.244.1.2:8080=0"},
         {"10.244.1.1:8080", "10.244.1.2:8080=0"}},
        {"ready elsewhere, terminating here",
         {terminating("10.244.1.1", "a"), endpoint("10.244.2.1", "b")},
         {"10.244.1.1:8080=0", "10.244.2.1:8080"},
         {"10.244.1.1:8080"}},
        {"only terminating",
         {terminating("10.244.1.1", "a"), terminating("10.244.2.1", "b")},
         {"10.244.1.1:8080", "10.244.2.1:8080"},
         {"10.244.1.1:8080"}},
        {"not ready is never used",
         {unready("10.244.1.1", "a"), endpoint("10.244.2.1", "b")},
         {"10.244.1.1:8080=0", "10.244.2.1:8080"},
         {"10.244.1.1:8080=0"}},
    };
    for (const Row& row : rows) {
        SCOPED_TRACE(row.name);
        slice_.endpoints = row.endpoints;
        const ServiceTables tables = plan_it();
        EXPECT_EQ(behind(tables, "10.96.0.10"), row.cluster);
        EXPECT_EQ(behind(tables, "192.0.2.1"), row.local);
    }
}

TEST_F(EndpointsTest, OnlyTcpKeepsWhatIsNoLongerUsed) {
    slice_.endpoints = {endpoint("10.244.1.1", "a"), terminating("10.244.1.2", "a")};
    for (const Protocol protocol : {Protocol::Udp, Protocol::Sctp}) {
        set_protocol(protocol);
        EXPECT_THAT(behind(plan_it(), "10.96.0.10", 80, protocol), ElementsAre("10.244.1.1:8080"));
        EXPECT_EQ(plan_it().virtual_servers.begin()->second->drain_grace, std::chrono::seconds(0));
    }
}

// The ledger gives what vanishes its grace: it may be the node's speaker alone that is dead.
TEST_F(EndpointsTest, EndpointsOnDeadNodesAreAsIfTheyHadVanished) {
    slice_.endpoints.push_back(terminating("10.244.2.2", "b"));
    EXPECT_THAT(
        behind(plan_it(), "10.96.0.10"),
        ElementsAre("10.244.1.1:8080", "10.244.2.1:8080", "10.244.2.2:8080=0")
    );
    context_.unreachable_nodes = {"b"};
    EXPECT_THAT(behind(plan_it(), "10.96.0.10"), ElementsAre("10.244.1.1:8080"));
}

TEST_F(EndpointsTest, ThePodsOfThisNodeReachThemselvesWhateverTheirState) {
    slice_.endpoints = {
        endpoint("10.244.1.1", "a"), unready("10.244.1.2", "a"), endpoint("10.244.2.1", "b")};
    EXPECT_THAT(
        members(plan_it(), SetName::LoopBack),
        ElementsAre("10.244.1.1:8080,10.244.1.1", "10.244.1.2:8080,10.244.1.2")
    );
}

TEST_F(EndpointsTest, HintsCountForClusterPoliciesOnly) {
    context_.zone = "v";
    service_.external_traffic_policy = kLocal;
    kube::EndpointDetails::Fields here;
    here.for_zones = {"v"};
    kube::EndpointDetails::Fields there;
    there.for_zones = {"w"};
    slice_.endpoints[0].details = kube::EndpointDetails(there);  // local, meant for w
    slice_.endpoints[1].details = kube::EndpointDetails(here);
    const ServiceTables tables = plan_it();
    EXPECT_THAT(behind(tables, "10.96.0.10"), ElementsAre("10.244.1.1:8080=0", "10.244.2.1:8080"));
    EXPECT_THAT(behind(tables, "192.0.2.1"), ElementsAre("10.244.1.1:8080"));
}

}  // namespace
}  // namespace steelyard::proxy
