#include "speaker/app/options.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>

namespace steelyard::speaker {
namespace {

using testing::HasSubstr;

const char* nothing(const char* /*name*/) {
    return nullptr;
}

const char* as_the_manifest_says(const char* name) {
    if (std::strcmp(name, "METALLB_NODE_NAME") == 0) {
        return "node1";
    }
    if (std::strcmp(name, "METALLB_NAMESPACE") == 0) {
        return "metallb-system";
    }
    if (std::strcmp(name, "METALLB_ML_BIND_ADDR") == 0) {
        return "192.0.2.11";
    }
    if (std::strcmp(name, "METALLB_ML_LABELS") == 0) {
        return "app=metallb,component=speaker";
    }
    return nullptr;
}

TEST(OptionsTest, TheManifestsEnvironmentIsEnough) {
    const Parsed parsed = parse_options({}, as_the_manifest_says);

    ASSERT_TRUE(parsed.options) << parsed.output;
    EXPECT_EQ(parsed.options->node_name, "node1");
    EXPECT_EQ(parsed.options->ns, "metallb-system");
    EXPECT_EQ(to_string(parsed.options->gossip_address.value()), "192.0.2.11");
    EXPECT_EQ(parsed.options->gossip_port, 7946);
    EXPECT_EQ(parsed.options->proxy.mode, proxy::Mode::Full);
}

TEST(OptionsTest, AFlagWinsOverItsVariable) {
    const Parsed parsed =
        parse_options({"--node-name=node9", "--proxy-mode", "announce-only"}, as_the_manifest_says);

    ASSERT_TRUE(parsed.options) << parsed.output;
    EXPECT_EQ(parsed.options->node_name, "node9");
    EXPECT_EQ(parsed.options->proxy.mode, proxy::Mode::AnnounceOnly);
}

TEST(OptionsTest, HelpEndsWithStatusZero) {
    const Parsed parsed = parse_options({"--help"}, nothing);

    EXPECT_FALSE(parsed.options);
    EXPECT_EQ(parsed.exit_status, 0);
    EXPECT_THAT(parsed.output, HasSubstr("--node-name"));
}

struct BadCase {
    const char* name;
    std::vector<std::string> arguments;
    Environment environment;
    const char* says;
};

TEST(OptionsTest, BadInputIsOneLineThatNamesTheFlag) {
    const std::vector<BadCase> cases{
        {"no node", {}, nothing, "--node-name (or METALLB_NODE_NAME) is required"},
        {"unknown flag", {"--nope"}, as_the_manifest_says, "--nope"},
        {"port", {"--port=x"}, as_the_manifest_says, "--port"},
        {"mode", {"--proxy-mode=iptables"}, as_the_manifest_says, "--proxy-mode"},
        {"scheduler", {"--ipvs-scheduler=fastest"}, as_the_manifest_says, "--ipvs-scheduler"},
        {"bind", {"--ml-bindaddr=here"}, as_the_manifest_says, "\"here\" is not an IP address"},
        {"bindport",
         {"--ml-bindport=0"},
         as_the_manifest_says,
         "\"0\" is not a port from 1 to 65535"},
        {"cidr", {"--cluster-cidr=10.0.0.0"}, as_the_manifest_says, "--cluster-cidr: \"10.0.0.0\""},
        {"labels", {"--ml-labels="}, as_the_manifest_says, "--ml-labels"},
    };
    for (const BadCase& bad : cases) {
        const Parsed parsed = parse_options(bad.arguments, bad.environment);

        EXPECT_FALSE(parsed.options) << bad.name;
        EXPECT_EQ(parsed.exit_status, 2) << bad.name;
        EXPECT_THAT(parsed.output, HasSubstr(bad.says)) << bad.name;
        EXPECT_EQ(std::count(parsed.output.begin(), parsed.output.end(), '\n'), 1) << bad.name;
    }
}

}  // namespace
}  // namespace steelyard::speaker
