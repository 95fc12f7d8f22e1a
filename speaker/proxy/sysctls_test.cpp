#include "speaker/proxy/sysctls.hpp"

#include <gmock/gmock.h>

namespace steelyard::proxy {
namespace {

using testing::Contains;
using testing::Field;
using testing::Not;

TEST(KernelVersionTest, AReleaseBeginsWithItsVersion) {
    EXPECT_EQ(parse_kernel_version("6.1.0-18-amd64"), (KernelVersion{6, 1}));
    EXPECT_EQ(parse_kernel_version("5.9"), (KernelVersion{5, 9}));
    for (const char* release : {"5", "5.", "five.nine", ".9", ""}) {
        EXPECT_EQ(parse_kernel_version(release), std::nullopt) << release;
    }
}

TEST(SysctlsTest, ConnectionReuseIsTouchedOnlyWhereItLosesPackets) {
    const auto reuse = Contains(Field(&Sysctl::name, "net/ipv4/vs/conn_reuse_mode"));

    EXPECT_THAT(required_sysctls(KernelVersion{5, 8}), reuse);
    EXPECT_THAT(required_sysctls(KernelVersion{4, 1}), reuse);
    EXPECT_THAT(required_sysctls(KernelVersion{4, 0}), Not(reuse));
    EXPECT_THAT(required_sysctls(KernelVersion{5, 9}), Not(reuse));
    EXPECT_THAT(required_sysctls(KernelVersion{6, 1}), Not(reuse));
    EXPECT_THAT(required_sysctls(std::nullopt), Not(reuse));
}

}  // namespace
}  // namespace steelyard::proxy
