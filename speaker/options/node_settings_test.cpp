#include "speaker/options/node_settings.hpp"

#include <gmock/gmock.h>

#include <filesystem>
#include <fstream>
#include <map>

namespace steelyard::speaker {
namespace {

using namespace std::chrono_literals;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

constexpr proxy::KernelVersion kKernel{6, 1};

std::map<std::string, std::string> wanted(const proxy::ProxyConfig& config, unsigned cores) {
    std::map<std::string, std::string> values;
    for (const NodeSetting& setting : node_settings(config, cores, kKernel)) {
        values[setting.path] = setting.value;
    }
    return values;
}

TEST(NodeSettingsTest, TheTableOfConnectionsGrowsWithTheCoresWithinItsLimits) {
    struct Row {
        unsigned cores;
        std::uint32_t per_core;
        std::uint32_t least;
        const char* most;  // "": left as it is
        const char* buckets;
    };
    for (const Row& row : {
             Row{2, 32768, 131072, "131072", "32768"},
             Row{8, 32768, 131072, "262144", "65536"},
             Row{64, 32768, 131072, "1048576", "262144"},
             Row{0, 32768, 0, "32768", "8192"},
             Row{8, 0, 131072, "", ""},
         }) {
        proxy::ProxyConfig config;
        config.conntrack.max_per_core = row.per_core;
        config.conntrack.min = row.least;
        const auto values = wanted(config, row.cores);

        const auto value = [&](const char* path) {
            return values.contains(path) ? values.at(path) : "";
        };
        EXPECT_EQ(value("/proc/sys/net/netfilter/nf_conntrack_max"), row.most) << row.cores;
        EXPECT_EQ(value("/sys/module/nf_conntrack/parameters/hashsize"), row.buckets) << row.cores;
    }
}

TEST(NodeSettingsTest, TimeoutsOfZeroAreLeft) {
    proxy::ProxyConfig config;
    config.conntrack.udp_timeout = 20s;
    config.conntrack.tcp_close_wait_timeout = 0s;

    const auto values = wanted(config, 1);

    const std::string prefix = "/proc/sys/net/netfilter/nf_conntrack_";
    EXPECT_EQ(values.at(prefix + "tcp_timeout_established"), "86400");
    EXPECT_EQ(values.at(prefix + "udp_timeout"), "20");
    EXPECT_FALSE(values.contains(prefix + "tcp_timeout_close_wait"));
    EXPECT_FALSE(values.contains(prefix + "udp_timeout_stream"));
    EXPECT_FALSE(values.contains(prefix + "tcp_be_liberal"));
}

TEST(NodeSettingsTest, BesideAKubeProxyConnectionTrackingIsItsOwn) {
    proxy::ProxyConfig config;
    config.mode = proxy::Mode::LoadBalancer;

    const auto values = wanted(config, 1);

    EXPECT_TRUE(values.contains("/proc/sys/net/ipv4/vs/conntrack"));
    EXPECT_FALSE(values.contains("/proc/sys/net/netfilter/nf_conntrack_max"));
}

TEST(NodeSettingsTest, AnnounceOnlyWritesNothing) {
    proxy::ProxyConfig config;
    config.mode = proxy::Mode::AnnounceOnly;

    EXPECT_THAT(node_settings(config, 8, kKernel), IsEmpty());
}

// The speaker itself looks for the same ones at its start, and cannot write them.
TEST(NodeSettingsTest, WhatServicesNeedIsRequiredButWhereTheKernelMayLackIt) {
    std::map<std::string, bool> required;
    for (const NodeSetting& setting : node_settings({}, 1, proxy::KernelVersion{5, 4})) {
        required[setting.path] = setting.required;
    }
    for (const proxy::Sysctl& sysctl : proxy::required_sysctls(proxy::KernelVersion{5, 4})) {
        ASSERT_TRUE(required.contains("/proc/sys/" + sysctl.name)) << sysctl.name;
        EXPECT_EQ(required.at("/proc/sys/" + sysctl.name), !sysctl.optional) << sysctl.name;
    }
    EXPECT_TRUE(required.contains("/proc/sys/net/ipv4/vs/conn_reuse_mode"));
    EXPECT_FALSE(wanted({}, 1).contains("/proc/sys/net/ipv4/vs/conn_reuse_mode"));
}

// A folder that plays /.
class NodeSettingsWriteTest : public testing::Test {
protected:
    NodeSettingsWriteTest() { std::filesystem::remove_all(root_); }
    ~NodeSettingsWriteTest() override { std::filesystem::remove_all(root_); }

    void put(const std::string& path, const std::string& value) const {
        std::filesystem::create_directories(std::filesystem::path(root_ + path).parent_path());
        std::ofstream(root_ + path) << value << "\n";
    }
    [[nodiscard]] std::string get(const std::string& path) const {
        std::ifstream file(root_ + path);
        std::string line;
        std::getline(file, line);
        return line;
    }

    const std::string root_ = testing::TempDir() + "node_settings_" +
                              testing::UnitTest::GetInstance()->current_test_info()->name();
};

TEST_F(NodeSettingsWriteTest, OnlyWhatDiffersIsWritten) {
    put("/a", "0");
    put("/b", "1");

    const auto written = write_node_settings({{"/a", "1"}, {"/b", "1"}}, root_);

    EXPECT_THAT(written.changed, ElementsAre("/a: 0 -> 1"));
    EXPECT_THAT(written.missing, IsEmpty());
    EXPECT_EQ(get("/a"), "1");
}

TEST_F(NodeSettingsWriteTest, ANumberThatIsLargerAlreadyStays) {
    put("/a", "65536");
    put("/b", "1024");
    constexpr auto kAtLeast = NodeSetting::Rule::AtLeast;

    const auto written =
        write_node_settings({{"/a", "32768", kAtLeast}, {"/b", "32768", kAtLeast}}, root_);

    EXPECT_THAT(written.changed, ElementsAre("/b: 1024 -> 32768"));
}

TEST_F(NodeSettingsWriteTest, WhatIsMissingIsFatalOnlyWhereServicesNeedIt) {
    const auto written =
        write_node_settings({{"/x", "1", NodeSetting::Rule::Exactly, true}, {"/y", "1"}}, root_);

    EXPECT_THAT(written.fatal, ElementsAre(HasSubstr("/x: this kernel does not have it")));
    EXPECT_THAT(written.missing, ElementsAre(HasSubstr("/y")));
}

TEST_F(NodeSettingsWriteTest, WhatCannotBeWrittenIsTold) {
    std::filesystem::create_directories(root_ + "/proc");
    put("/proc/kept", "0");
    std::filesystem::remove(root_ + "/proc/kept");
    std::filesystem::create_symlink("/proc/self/oom_score", root_ + "/proc/kept");  // read-only

    const auto written = write_node_settings({{"/proc/kept", "no"}}, root_);

    EXPECT_THAT(written.missing, ElementsAre(HasSubstr("should be no, and cannot be written")));
}

TEST_F(NodeSettingsWriteTest, ANodeThatBeginsToForwardKeepsListeningToItsRouters) {
    const std::string v6 = "/proc/sys/net/ipv6/conf/";
    put(v6 + "all/forwarding", "0");
    put(v6 + "eth0/accept_ra", "1");
    put(v6 + "eth1/accept_ra", "0");

    const auto once = write_node_settings({{v6 + "all/forwarding", "1"}}, root_);

    EXPECT_THAT(
        once.changed, ElementsAre(v6 + "eth0/accept_ra: 1 -> 2", v6 + "all/forwarding: 0 -> 1")
    );
    EXPECT_EQ(get(v6 + "eth1/accept_ra"), "0");
}

}  // namespace
}  // namespace steelyard::speaker
