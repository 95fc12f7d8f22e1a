#include "speaker/options/options.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>

namespace steelyard::speaker {
namespace {

using testing::HasSubstr;

const char* nothing(const char* /*name*/) {
    return nullptr;
}

Parsed read(const std::vector<std::string>& arguments, Environment environment) {
    return parse_options(arguments, environment, [](const std::string& path) {
        return Result<std::string>(make_error(Errc::NotFound, path + ": no such file"));
    });
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
    if (std::strcmp(name, "METALLB_ML_SECRET_KEY_PATH") == 0) {
        return "/etc/ml_secret_key";
    }
    return nullptr;
}

TEST(OptionsTest, TheManifestsEnvironmentIsEnough) {
    const Parsed parsed = read({}, as_the_manifest_says);

    ASSERT_TRUE(parsed.options) << parsed.output;
    EXPECT_EQ(parsed.options->node_name, "node1");
    EXPECT_EQ(parsed.options->ns, "metallb-system");
    EXPECT_EQ(to_string(parsed.options->gossip_address.value()), "192.0.2.11");
    EXPECT_EQ(parsed.options->gossip_port, 7946);
    EXPECT_EQ(parsed.options->proxy.mode, proxy::Mode::Full);
}

TEST(OptionsTest, AFlagWinsOverItsVariable) {
    const Parsed parsed =
        read({"--node-name=node9", "--proxy-mode", "announce-only"}, as_the_manifest_says);

    ASSERT_TRUE(parsed.options) << parsed.output;
    EXPECT_EQ(parsed.options->node_name, "node9");
    EXPECT_EQ(parsed.options->proxy.mode, proxy::Mode::AnnounceOnly);
}

TEST(OptionsTest, TheNetworksFlagsAreTyped) {
    using namespace std::chrono_literals;
    const Parsed parsed = read(
        {"--ml-peers=192.0.2.12,192.0.2.13:7000",
         "--watch-ring=off",
         "--watch-ring-port=9000",
         "--watch-ring-interval=50ms",
         "--failback-delay=1m30s",
         "--announce-pps=100",
         "--announce-refresh=0s",
         "--answer-ping=off"},
        as_the_manifest_says
    );

    ASSERT_TRUE(parsed.options) << parsed.output;
    const Options& options = *parsed.options;
    ASSERT_EQ(options.gossip_peers.size(), 2U);
    EXPECT_EQ(to_string(options.gossip_peers[0]), "192.0.2.12:7946");
    EXPECT_EQ(to_string(options.gossip_peers[1]), "192.0.2.13:7000");
    EXPECT_FALSE(options.watch_ring);
    EXPECT_EQ(options.watch_ring_port, 9000);
    EXPECT_EQ(options.watch_ring_interval, 50ms);
    EXPECT_EQ(options.failback_delay, 90s);
    EXPECT_EQ(options.announce_pps, 100U);
    EXPECT_EQ(options.announce_refresh, 0s);
    EXPECT_EQ(options.answer_ping, AnswerPing::Off);
}

TEST(OptionsTest, GossipWithoutAKeyMustBeAskedFor) {
    const std::vector<std::string> base{
        "--node-name=n", "--ml-bindaddr=2001:db8::1", "--ml-peers=[2001:db8::2]:7946,2001:db8::3"};

    std::vector<std::string> asked = base;
    asked.emplace_back("--ml-insecure");

    EXPECT_THAT(
        read(base, nothing).output,
        HasSubstr("--ml-secret-key-path (or METALLB_ML_SECRET_KEY_PATH) is required")
    );
    EXPECT_TRUE(read(asked, nothing).options);
    EXPECT_TRUE(read({"--node-name=n"}, nothing).options) << "gossip is off";
}

TEST(OptionsTest, HelpEndsWithStatusZero) {
    const Parsed parsed = read({"--help"}, nothing);

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
        {"key and none", {"--ml-insecure"}, as_the_manifest_says, "--ml-insecure"},
        {"peer", {"--ml-peers=node2"}, as_the_manifest_says, "--ml-peers: \"node2\""},
        {"peer's port", {"--ml-peers=192.0.2.1:"}, as_the_manifest_says, "--ml-peers"},
        {"peer's family", {"--ml-peers=2001:db8::1"}, as_the_manifest_says, "family"},
        {"ring", {"--watch-ring=maybe"}, as_the_manifest_says, "--watch-ring"},
        {"ring port", {"--watch-ring-port=7946"}, as_the_manifest_says, "--watch-ring-port"},
        {"interval",
         {"--watch-ring-interval=5ms"},
         as_the_manifest_says,
         "--watch-ring-interval: \"5ms\" is not a time from 10ms to 1s"},
        {"delay", {"--failback-delay=soon"}, as_the_manifest_says, "--failback-delay: \"soon\""},
        {"pace", {"--announce-pps=0"}, as_the_manifest_says, "--announce-pps"},
        {"refresh", {"--announce-refresh=-1s"}, as_the_manifest_says, "--announce-refresh"},
        {"ping", {"--answer-ping=yes"}, as_the_manifest_says, "--answer-ping"},
    };
    for (const BadCase& bad : cases) {
        const Parsed parsed = read(bad.arguments, bad.environment);

        EXPECT_FALSE(parsed.options) << bad.name;
        EXPECT_EQ(parsed.exit_status, 2) << bad.name;
        EXPECT_THAT(parsed.output, HasSubstr(bad.says)) << bad.name;
        EXPECT_EQ(std::count(parsed.output.begin(), parsed.output.end(), '\n'), 1) << bad.name;
    }
}

}  // namespace
}  // namespace steelyard::speaker
