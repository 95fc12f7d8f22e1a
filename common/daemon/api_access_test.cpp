#include "common/daemon/api_access.hpp"

#include <gmock/gmock.h>

namespace steelyard::daemon {
namespace {

using testing::HasSubstr;

TEST(ApiAccessTest, MissingKubeconfigIsNamedWithTheReason) {
    const auto config = client_config("/nonexistent/kubeconfig", [](const char*) {
        return static_cast<const char*>(nullptr);
    });

    ASSERT_FALSE(config);
    EXPECT_THAT(to_string(config.error()), HasSubstr("/nonexistent/kubeconfig"));
    EXPECT_THAT(to_string(config.error()), HasSubstr("No such file"));
}

TEST(ApiAccessTest, OutsideAPodAKubeconfigIsAskedFor) {
    const auto config =
        client_config("", [](const char*) { return static_cast<const char*>(nullptr); });

    ASSERT_FALSE(config);
    EXPECT_THAT(config.error().context, HasSubstr("KUBERNETES_SERVICE_HOST"));
    EXPECT_THAT(config.error().context, HasSubstr("kubeconfig"));
}

TEST(ApiAccessTest, NamespaceIsTheGivenOneThenThePodsAndNeverAKubeconfigs) {
    kube::ClientConfig client;
    client.ns = "of-the-context-or-pod";

    EXPECT_EQ(namespace_of("given", "", client), "given");
    EXPECT_EQ(namespace_of("", "", client), "of-the-context-or-pod");
    EXPECT_EQ(namespace_of("", "/kubeconfig", client), "metallb-system");
}

}  // namespace
}  // namespace steelyard::daemon
