#include "e2e/apiserver/api/api_fixture.hpp"

namespace steelyard::apiserver {
namespace {

class ServiceTest : public ApiFixture {
protected:
    Json make(const std::string& name, const std::string& spec, unsigned code = 201) {
        return create(
            services, R"({"metadata":{"name":")" + name + R"("},"spec":)" + spec + "}", code
        );
    }

    Json change(const std::string& name, const std::string& spec) {
        const ApiReply reply = call("PATCH", services + "/" + name, R"({"spec":)" + spec + "}");
        EXPECT_EQ(reply.status, 200U) << reply.body;
        return get(services + "/" + name)["spec"];
    }

    const std::string services = "/api/v1/namespaces/default/services";
};

TEST_F(ServiceTest, AnExternalNameHasNoAddressAndNoNodePorts) {
    make("web", R"({"type":"NodePort","ports":[{"port":80,"nodePort":30080}]})");

    const Json spec = change("web", R"({"type":"ExternalName","externalName":"example.org"})");

    EXPECT_FALSE(spec.contains("clusterIP"));
    EXPECT_FALSE(spec["ports"][0].contains("nodePort"));
    make("other", R"({"type":"NodePort","ports":[{"port":80,"nodePort":30080}]})");
}

TEST_F(ServiceTest, AnExternalNameThatBecomesAServiceGetsAnAddress) {
    make("web", R"({"type":"ExternalName","externalName":"example.org"})");

    const Json spec =
        change("web", R"({"type":"NodePort","externalName":null,"ports":[{"port":80}]})");

    EXPECT_EQ(spec["clusterIP"], "10.96.1.1");
    EXPECT_GE(spec["ports"][0]["nodePort"], 30000);
}

TEST_F(ServiceTest, ANodePortIsGivenOnce) {
    make("web", R"({"type":"NodePort","ports":[{"port":80,"nodePort":30080}]})");

    const Json status =
        make("other", R"({"type":"NodePort","ports":[{"port":80,"nodePort":30080}]})", 422);

    EXPECT_EQ(status["details"]["causes"][0]["field"], "spec.ports[0].nodePort");
}

TEST_F(ServiceTest, ProtocolsOfOneServiceShareANodePort) {
    const Json spec = make(
        "web",
        R"({"type":"NodePort","ports":[{"name":"t","port":80},
            {"name":"u","port":80,"protocol":"UDP"}]})"
    )["spec"];

    EXPECT_EQ(spec["ports"][0]["nodePort"], spec["ports"][1]["nodePort"]);
}

TEST_F(ServiceTest, ABalancerWithoutNodePortsGetsThemWhenItAsks) {
    Json spec = make(
        "web",
        R"({"type":"LoadBalancer","allocateLoadBalancerNodePorts":false,"ports":[{"port":80}]})"
    )["spec"];
    EXPECT_FALSE(spec["ports"][0].contains("nodePort"));

    spec = change("web", R"({"allocateLoadBalancerNodePorts":true})");

    EXPECT_GE(spec["ports"][0]["nodePort"], 30000);
}

TEST_F(ServiceTest, TheHealthCheckNodePortComesAndGoesWithThePolicy) {
    make("web", R"({"type":"LoadBalancer","externalTrafficPolicy":"Local","ports":[{"port":80}]})");
    const Json first = get(services + "/web")["spec"]["healthCheckNodePort"];

    EXPECT_FALSE(
        change("web", R"({"externalTrafficPolicy":"Cluster"})").contains("healthCheckNodePort")
    );
    EXPECT_EQ(change("web", R"({"externalTrafficPolicy":"Local"})")["healthCheckNodePort"], first);
}

TEST_F(ServiceTest, TheRangesOfServiceAddressesAreAnObject) {
    const Json cidr = get("/apis/networking.k8s.io/v1/servicecidrs/kubernetes");

    EXPECT_EQ(cidr["spec"]["cidrs"], Json::array({"10.96.0.0/16", "fd00:10:96::/112"}));
    EXPECT_EQ(cidr["status"]["conditions"][0]["type"], "Ready");
}

}  // namespace
}  // namespace steelyard::apiserver
