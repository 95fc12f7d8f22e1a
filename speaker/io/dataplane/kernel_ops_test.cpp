#include "speaker/io/dataplane/kernel_ops.hpp"

#include "speaker/io/dataplane/kernel_settings.hpp"
#include "speaker/io/dataplane/netlink_error.hpp"
#include "speaker/io/netlink/socket.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <linux/netfilter/ipset/ip_set_bitmap.h>
#include <linux/netfilter/ipset/ip_set_hash.h>

#include <cerrno>

namespace steelyard::dataplane {
namespace {

using proxy::Op;
using testing::Contains;
using testing::EndsWith;
using testing::Field;
using testing::Not;

TEST(JudgeTest, AnErrorMeansWhatTheOperationMakesOfIt) {
    struct Case {
        Op op;
        int error = 0;
        std::optional<Verdict> verdict;
    };
    const std::vector<Case> cases = {
        {proxy::AddVirtualServer{}, 0, std::nullopt},
        {proxy::AddVirtualServer{}, EEXIST, Verdict::Drifted},
        {proxy::AddVirtualServer{}, ENOENT, Verdict::Drifted},
        {proxy::AddVirtualServer{}, ENOMEM, Verdict::TryLater},
        {proxy::AddVirtualServer{}, EINVAL, Verdict::Refused},
        {proxy::AddVirtualServer{}, netlink::kAnswerLost, Verdict::Unknown},
        {proxy::RemoveVirtualServer{}, ESRCH, std::nullopt},
        {proxy::AddRealServer{}, ESRCH, Verdict::Drifted},
        {proxy::SetRealServer{}, ENOENT, Verdict::Drifted},
        {proxy::RemoveRealServer{}, ENOENT, std::nullopt},
        {proxy::RemoveRealServer{}, ESRCH, std::nullopt},
        {proxy::AddAddress{}, EEXIST, std::nullopt},
        {proxy::AddAddress{}, ENODEV, Verdict::Drifted},
        {proxy::AddAddress{}, ENOBUFS, Verdict::TryLater},
        {proxy::RemoveAddress{}, EADDRNOTAVAIL, std::nullopt},
        {proxy::AddRoute{}, EEXIST, std::nullopt},
        {proxy::AddRoute{}, EINVAL, Verdict::Refused},
        {proxy::RemoveRoute{}, ESRCH, std::nullopt},
        {proxy::AddSetEntry{}, ENOENT, Verdict::Drifted},
        {proxy::AddSetEntry{}, IPSET_ERR_HASH_FULL, Verdict::Refused},
        {proxy::RemoveSetEntry{}, netlink::kAnswerLost, Verdict::Unknown},
    };
    for (const auto& [op, error, verdict] : cases) {
        EXPECT_EQ(judge(op, error), verdict) << to_string(op) << ", error " << error;
    }
}

TEST(ExplainTest, ARefusalIsToldInTheWordsOfItsSubsystem) {
    const auto in = [](proxy::SetName name) {
        proxy::AddSetEntry add;
        add.set.name = name;
        add.entry.port = 30080;
        return Op(add);
    };
    EXPECT_EQ(
        explain(in(proxy::SetName::NodePortTcp), IPSET_ERR_BITMAP_RANGE),
        "add KUBE-NODE-PORT-TCP 30080: the element is outside the set's range"
    );
    EXPECT_THAT(
        explain(in(proxy::SetName::ClusterIp), IPSET_ERR_HASH_FULL), EndsWith(": the set is full")
    );
    EXPECT_THAT(
        explain(in(proxy::SetName::ClusterIp), netlink::kAnswerLost),
        EndsWith(": the kernel's answer was lost")
    );
    EXPECT_THAT(explain(proxy::AddVirtualServer{}, EINVAL), EndsWith(": Invalid argument"));
}

TEST(DescribeTest, AnErrorThatIsNoNumberOfTheKernelSpeaksForItself) {
    EXPECT_EQ(describe(errno_error(IPSET_ERR_BUSY, "netlink")), "the set is in use");
    EXPECT_EQ(describe(make_error(Errc::Timeout, "no answer in 10 s")), "no answer in 10 s");
}

TEST(ProxySettingsTest, ConnectionReuseIsTouchedOnlyWhereItLosesPackets) {
    const auto reuse = Contains(Field(&netlink::Sysctl::name, "net/ipv4/vs/conn_reuse_mode"));

    EXPECT_THAT(proxy_settings(proxy::KernelVersion{5, 8}), reuse);
    EXPECT_THAT(proxy_settings(proxy::KernelVersion{4, 1}), reuse);
    EXPECT_THAT(proxy_settings(proxy::KernelVersion{4, 0}), Not(reuse));
    EXPECT_THAT(proxy_settings(proxy::KernelVersion{5, 9}), Not(reuse));
    EXPECT_THAT(proxy_settings(proxy::KernelVersion{6, 1}), Not(reuse));
    EXPECT_THAT(proxy_settings(std::nullopt), Not(reuse));
}

}  // namespace
}  // namespace steelyard::dataplane
