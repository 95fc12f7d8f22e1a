#include "controller/app/options.hpp"

#include <gmock/gmock.h>

#include <cstring>

namespace steelyard::controller {
namespace {

using testing::HasSubstr;

const char* no_environment(const char*) {
    return nullptr;
}

const char* pod_environment(const char* name) {
    if (std::strcmp(name, "METALLB_NAMESPACE") == 0) {
        return "from-env";
    }
    return std::strcmp(name, "METALLB_ML_SECRET_NAME") == 0 ? "memberlist" : nullptr;
}

TEST(OptionsTest, DefaultsAreMetalLbs) {
    const Parsed parsed = parse_options({}, no_environment);

    ASSERT_TRUE(parsed.options);
    EXPECT_EQ(parsed.options->metrics_port, 9120);
    EXPECT_EQ(parsed.options->health_port, 17472);
    EXPECT_EQ(parsed.options->log_level, "info");
    EXPECT_EQ(parsed.options->load_balancer_class, "");
}

TEST(OptionsTest, EnvironmentFillsWhatNoFlagSets) {
    const Parsed parsed = parse_options({"--namespace=flag"}, pod_environment);

    ASSERT_TRUE(parsed.options);
    EXPECT_EQ(parsed.options->ns, "flag");
    EXPECT_EQ(parsed.options->memberlist_secret_name, "memberlist");
}

TEST(OptionsTest, ElectionAndWebhookAreOnAndCanBeTuned) {
    const Parsed defaults = parse_options({}, no_environment);
    ASSERT_TRUE(defaults.options);
    EXPECT_TRUE(defaults.options->election.enabled);
    EXPECT_TRUE(kube::check(defaults.options->election.timings));
    EXPECT_EQ(defaults.options->webhook.mode, WebhookMode::Enabled);
    EXPECT_TRUE(defaults.options->webhook.rotate);

    const Parsed tuned = parse_options(
        {"--leader-elect=false",
         "--lease-duration=6s",
         "--renew-deadline=4s",
         "--retry-period=1s",
         "--webhook-mode=onlywebhook",
         "--lb-ip-mode=Proxy",
         "--disable-cert-rotation",
         "--webhook-http2=false"},
        no_environment
    );
    ASSERT_TRUE(tuned.options) << tuned.output;
    EXPECT_FALSE(tuned.options->election.enabled);
    EXPECT_EQ(tuned.options->election.timings.renew_deadline, std::chrono::seconds(4));
    EXPECT_EQ(tuned.options->webhook.mode, WebhookMode::OnlyWebhook);
    EXPECT_EQ(tuned.options->ip_mode, controller_plan::IpMode::Proxy);
    EXPECT_FALSE(tuned.options->webhook.rotate);
    EXPECT_TRUE(tuned.options->ignored.empty());
}

TEST(OptionsTest, FlagThatDoesNothingHereIsTakenAndNamed) {
    const Parsed parsed = parse_options({"--webhook-http2"}, no_environment);

    ASSERT_TRUE(parsed.options);
    EXPECT_THAT(parsed.options->ignored, testing::ElementsAre("--webhook-http2"));
}

TEST(OptionsTest, HelpAndVersionExitZero) {
    EXPECT_EQ(parse_options({"--help"}, no_environment).exit_status, 0);
    EXPECT_THAT(
        parse_options({"--version"}, no_environment).output, HasSubstr("steelyard-controller")
    );
}

struct BadArguments {
    const char* name;
    const char* argument;
    const char* says;
};

class BadArgumentsTest : public testing::TestWithParam<BadArguments> {};

TEST_P(BadArgumentsTest, AreRefusedInOneLineWithExitTwo) {
    const Parsed parsed = parse_options({GetParam().argument}, no_environment);

    EXPECT_FALSE(parsed.options);
    EXPECT_EQ(parsed.exit_status, 2);
    EXPECT_THAT(parsed.output, HasSubstr(GetParam().says));
    EXPECT_EQ(std::count(parsed.output.begin(), parsed.output.end(), '\n'), 1);
}

INSTANTIATE_TEST_SUITE_P(
    Options,
    BadArgumentsTest,
    testing::Values(
        BadArguments{"unknown_flag", "--frobnicate", "--frobnicate"},
        BadArguments{"port_text", "--port=http", "--port: \"http\" is not accepted: give a port"},
        BadArguments{
            "port_range", "--health-probe-port=65536", "\"65536\" is not accepted: give a port"},
        BadArguments{
            "level", "--log-level=loud", "--log-level: \"loud\" is not accepted: give all"},
        BadArguments{"lb_ip_mode", "--lb-ip-mode=proxy", "give keep, VIP or Proxy"},
        BadArguments{"webhook_mode", "--webhook-mode=maybe", "give enabled, disabled or only"},
        BadArguments{"duration", "--retry-period=soon", "\"soon\" is not accepted: give a time"},
        BadArguments{"no_duration", "--lease-duration=0", "\"0\" is not accepted: give a time"},
        BadArguments{"renewal_later_than_the_lease_ends", "--renew-deadline=20s", "enew"},
        BadArguments{"positional", "stray", "stray"}
    ),
    [](const auto& param) { return param.param.name; }
);

}  // namespace
}  // namespace steelyard::controller
