#include "speaker/io/iptables/iptables.hpp"

#include "common/rt/task_group.hpp"
#include "speaker/io/iptables/failure.hpp"
#include "speaker/io/iptables/process.hpp"

#include <boost/asio/io_context.hpp>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <optional>

namespace steelyard::iptables {
namespace {

using namespace std::chrono_literals;
using testing::ElementsAre;
using testing::IsEmpty;

class ProcessTest : public testing::Test {
protected:
    Result<Output> run(std::vector<std::string> command, std::string input, Duration deadline) {
        std::optional<Result<Output>> result;
        const auto task = [&]() -> awaitable<void> {
            result = co_await run_process(command, input, deadline);
        };
        tasks_.spawn("run", task());
        ioc_.run();
        ioc_.restart();
        return *result;
    }
    asio::io_context ioc_{1};
    rt::TaskGroup tasks_{ioc_.get_executor(), [](const std::string&, const std::exception_ptr&) {
                         }};
};

TEST_F(ProcessTest, InputGoesInAndBothOutputsComeBackWithTheStatus) {
    const std::string input(300'000, 'x');  // more than a pipe holds

    const auto result = run({"sh", "-c", "cat; echo oops >&2; exit 3"}, input, 10s);

    ASSERT_TRUE(result);
    EXPECT_EQ(result->out, input);
    EXPECT_EQ(result->err, "oops\n");
    EXPECT_EQ(result->status, 3);
}

TEST_F(ProcessTest, AProgramThatDoesNotReadItsInputIsNoProblem) {
    const auto result = run({"true"}, std::string(300'000, 'x'), 10s);

    ASSERT_TRUE(result);
    EXPECT_EQ(result->status, 0);
}

TEST_F(ProcessTest, OneThatHangsIsKilledAtItsDeadline) {
    const auto result = run({"sleep", "1000"}, "", 20ms);

    ASSERT_FALSE(result);
    EXPECT_TRUE(is(result.error(), Errc::Timeout));
}

TEST_F(ProcessTest, AMissingProgramIsNamed) {
    const auto result = run({"no-such-program"}, "", 10s);

    ASSERT_FALSE(result);
    EXPECT_EQ(result.error().context, "no-such-program: no such program");
}

TEST_F(ProcessTest, CancellingEndsTheChildToo) {
    const auto task = []() -> awaitable<void> {
        std::vector<std::string> command;
        command.emplace_back("sleep");
        command.emplace_back("1000");
        co_await run_process(command, "", 1h);
    };
    tasks_.spawn("run", task());
    ioc_.poll();
    tasks_.cancel();
    ioc_.restart();
    ioc_.run();

    EXPECT_EQ(tasks_.size(), 0U);
}

TEST(PreferenceTest, FollowsWhereKubernetesIsAndElseTakesNft) {
    const Probe legacy{Variant::Legacy, true, "", ""};
    const Probe nft{Variant::Nft, true, "", ""};
    Probe kube_legacy = legacy;
    kube_legacy.saved = "*mangle\n:KUBE-IPTABLES-HINT - [0:0]\n";
    Probe kube_nft = nft;
    kube_nft.saved = ":KUBE-KUBELET-CANARY - [0:0]\n";
    Probe our_legacy = legacy;
    our_legacy.saved = ":SYLB-SERVICES - [0:0]\n";
    const Probe broken;

    EXPECT_THAT(preference(our_legacy, nft), ElementsAre(Variant::Legacy, Variant::Nft));
    EXPECT_THAT(preference(legacy, nft), ElementsAre(Variant::Nft, Variant::Legacy));
    EXPECT_THAT(preference(kube_legacy, nft), ElementsAre(Variant::Legacy, Variant::Nft));
    EXPECT_THAT(preference(legacy, kube_nft), ElementsAre(Variant::Nft, Variant::Legacy));
    EXPECT_THAT(preference(kube_legacy, kube_nft), ElementsAre(Variant::Nft, Variant::Legacy));
    EXPECT_THAT(preference(legacy, broken), ElementsAre(Variant::Legacy));
    EXPECT_THAT(preference(broken, broken), IsEmpty());
}

TEST(StrayRulesTest, KubeProxysChainsInTheUnusedVariantAreTold) {
    Probe legacy{Variant::Legacy, true, "", ""};
    const Probe nft{Variant::Nft, true, ":KUBE-KUBELET-CANARY - [0:0]\n", ""};
    EXPECT_EQ(stray_rules(Variant::Nft, legacy, nft), std::nullopt);

    legacy.saved = "*nat\n:KUBE-SERVICES - [0:0]\n";
    EXPECT_EQ(stray_rules(Variant::Legacy, legacy, nft), std::nullopt);
    EXPECT_EQ(
        stray_rules(Variant::Nft, legacy, nft),
        "chains of kube-proxy (KUBE-SERVICES and others) are in iptables-legacy while this node "
        "uses iptables-nft: packets pass both; remove those with kube-proxy --cleanup or a reboot"
    );
}

TEST(ExplainFailureTest, TheComplaintTheRuleAndItsModulesAreOneLine) {
    const std::string input =
        "*nat\n:KUBE-SERVICES - [0:0]\n"
        "-A KUBE-SERVICES -m set --match-set KUBE-CLUSTER-IP dst,dst -j ACCEPT\nCOMMIT\n";
    const std::string rule =
        "-A KUBE-SERVICES -m set --match-set KUBE-CLUSTER-IP dst,dst -j ACCEPT (needs xt_set)";

    EXPECT_EQ(
        explain_failure("iptables-restore: line 3 failed\n", input),
        "iptables-restore: line 3 failed: " + rule
    );
    EXPECT_EQ(
        explain_failure(
            "iptables-restore v1.8.9 (legacy): Set KUBE-CLUSTER-IP doesn't exist.\n\n"
            "Error occurred at line: 3\n"
            "Try `iptables-restore -h' or 'iptables-restore --help' for more information.\n",
            input
        ),
        "iptables-restore v1.8.9 (legacy): Set KUBE-CLUSTER-IP doesn't exist.; Error occurred at "
        "line: 3: " +
            rule
    );
    EXPECT_EQ(explain_failure("line 99 failed", input), "line 99 failed");
    EXPECT_EQ(explain_failure("line", input), "line");
    EXPECT_EQ(explain_failure("", ""), "");
    EXPECT_EQ(
        explain_failure("Another app is currently holding the xtables lock.", input),
        "Another app is currently holding the xtables lock."
    );
}

}  // namespace
}  // namespace steelyard::iptables
