#include "common/kube/client/config.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

namespace steelyard::kube {
namespace {

using testing::HasSubstr;

constexpr const char* kGood = R"(
apiVersion: v1
kind: Config
current-context: lab
contexts:
- {name: lab, context: {cluster: c1, user: u1, namespace: metallb-system}}
- {name: plain, context: {cluster: c2, user: u2}}
clusters:
- name: c1
  cluster:
    server: https://[fd00::1]:6443/base/
    certificate-authority-data: Y2E=
    tls-server-name: api.test
- {name: c2, cluster: {server: "http://127.0.0.1:8001"}}
users:
- {name: u1, user: {client-certificate: pki/c.crt, client-key: /abs/c.key}}
- {name: u2, user: {token: t, tokenFile: tok}}
)";

TEST(KubeconfigTest, TheCurrentContextIsRead) {
    const auto config = parse_kubeconfig(kGood, "/etc/k/config");
    ASSERT_TRUE(config) << to_string(config.error());

    ClientConfig expected;
    expected.host = "fd00::1";
    expected.port = 6443;
    expected.path_prefix = "/base";
    expected.tls_server_name = "api.test";
    expected.certificate_authority.inline_pem = "ca";
    expected.client_certificate.file = "/etc/k/pki/c.crt";
    expected.client_key.file = "/abs/c.key";
    expected.ns = "metallb-system";
    EXPECT_EQ(*config, expected);
}

TEST(KubeconfigTest, AnotherContextMayBeAskedFor) {
    const auto config = parse_kubeconfig(kGood, "/etc/k/config", "plain");
    ASSERT_TRUE(config);
    EXPECT_FALSE(config->tls);
    EXPECT_EQ(config->port, 8001);
    EXPECT_EQ(config->token, "t");
    EXPECT_EQ(config->token_file, "/etc/k/tok");
    EXPECT_EQ(config->ns, "default");
}

std::string with(const std::string& server, const std::string& user) {
    return "current-context: x\n"
           "contexts: [{name: x, context: {cluster: c, user: u}}]\n"
           "clusters: [{name: c, cluster: {" +
           server +
           "}}]\n"
           "users: [{name: u, user: {" +
           user + "}}]\n";
}

TEST(KubeconfigTest, ABadFileIsOneLineNamingFileFieldAndWhatIsExpected) {
    const std::string url = "server: 'https://h'";
    struct Row {
        std::string text;
        const char* message;
    };
    for (const Row& row : {
             Row{"[1, 2", "/k: is not valid YAML"},
             Row{"just text", "/k: is not a kubeconfig: expected a YAML mapping"},
             Row{"a: b", "/k: current-context is missing; expected the name of a context"},
             Row{"current-context: x", "/k: contexts has no entry named \"x\""},
             Row{"current-context: [x]", "/k: current-context is missing"},
             Row{with("server: 'ftp://h'", ""),
                 "/k: clusters[c].cluster.server: \"ftp://h\" is not a URL like"},
             Row{with("server: 'https://h:99999'", ""), "is not a URL like"},
             Row{with("server: 'https://'", ""), "is not a URL like"},
             Row{with(url + ", certificate-authority-data: '***'", ""),
                 "/k: clusters[c].cluster.certificate-authority-data is not base64 text"},
             Row{with(url + ", insecure-skip-tls-verify: maybe", ""),
                 "\"maybe\" is not true or false"},
             Row{with(url, "exec: {command: x}"), "/k: users[u].user.exec is not supported"},
             Row{with(url, "client-certificate: a"),
                 "/k: users[u].user: client-certificate and client-key must be given together"},
             Row{with(url, "token: [a]"), "/k: users[u].user.token is not text"},
         }) {
        const auto config = parse_kubeconfig(row.text, "/k");
        ASSERT_FALSE(config) << row.message;
        EXPECT_THAT(config.error().context, HasSubstr(row.message));
        EXPECT_EQ(config.error().context.find('\n'), std::string::npos);
    }
}

TEST(KubeconfigTest, AMissingFileIsNamed) {
    const auto config = load_kubeconfig("/nowhere/config");
    ASSERT_FALSE(config);
    EXPECT_EQ(config.error().context, "read /nowhere/config: No such file or directory");
}

TEST(InClusterTest, TheMountedFilesAreUsed) {
    const std::string directory = testing::TempDir() + "steelyard_in_cluster";
    std::filesystem::create_directories(directory);
    std::ofstream(directory + "/token") << "t\n";
    std::ofstream(directory + "/ca.crt") << "pem";
    std::ofstream(directory + "/namespace") << "metallb-system\n";

    const auto config = in_cluster_config(InCluster{"10.96.0.1", "443", directory});

    ASSERT_TRUE(config) << to_string(config.error());
    EXPECT_EQ(config->host, "10.96.0.1");
    EXPECT_EQ(config->token_file, directory + "/token");
    EXPECT_EQ(config->ns, "metallb-system");
    std::filesystem::remove_all(directory);
}

TEST(InClusterTest, WhatIsMissingIsNamed) {
    EXPECT_THAT(
        in_cluster_config(InCluster{"", "443"}).error().context,
        HasSubstr("KUBERNETES_SERVICE_HOST")
    );
    EXPECT_THAT(
        in_cluster_config(InCluster{"h", "0"}).error().context, HasSubstr("\"0\" is not a port")
    );
    EXPECT_THAT(
        in_cluster_config(InCluster{"h", "1", "/nowhere"}).error().context,
        HasSubstr("read /nowhere/ca.crt")
    );
}

}  // namespace
}  // namespace steelyard::kube
