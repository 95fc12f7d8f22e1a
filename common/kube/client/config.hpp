#pragma once

#include "common/base/error.hpp"

#include <cstdint>
#include <string>

// How to reach an API server and who we are there. Built from a kubeconfig file or from the files
// Kubernetes mounts into a pod; environment variables are read by main() and passed in. A bad file
// gives one line naming the file, the field and what was expected.
namespace steelyard::kube {

// PEM text given inline, or a file that is read again when it changes. Both empty: absent.
struct PemSource {
    std::string inline_pem;
    std::string file;
    [[nodiscard]] bool empty() const { return inline_pem.empty() && file.empty(); }
    friend bool operator==(const PemSource&, const PemSource&) = default;
};

struct ClientConfig {
    std::string host;  // an address (without brackets) or a name
    std::uint16_t port = 443;
    bool tls = true;
    std::string path_prefix;      // path of the server URL without the last '/', mostly ""
    std::string tls_server_name;  // checked instead of host when not ""
    bool insecure_skip_tls_verify = false;
    PemSource certificate_authority;  // empty: the system's
    PemSource client_certificate;
    PemSource client_key;
    std::string token;           // static bearer token
    std::string token_file;      // wins over token; re-read at most once a minute and on 401
    std::string ns = "default";  // namespace of the context or of the pod
    std::string user_agent = "steelyard";
    friend bool operator==(const ClientConfig&, const ClientConfig&) = default;
};

// `context` "" means current-context. Relative file names are relative to the kubeconfig file.
[[nodiscard]] Result<ClientConfig> load_kubeconfig(
    const std::string& path, const std::string& context = ""
);
[[nodiscard]] Result<ClientConfig> parse_kubeconfig(
    const std::string& text, const std::string& path, const std::string& context = ""
);

// What a pod gets: the environment KUBERNETES_SERVICE_HOST/PORT and the service account directory.
struct InCluster {
    std::string service_host;
    std::string service_port;
    std::string directory = "/var/run/secrets/kubernetes.io/serviceaccount";
};
[[nodiscard]] Result<ClientConfig> in_cluster_config(const InCluster& where);

}  // namespace steelyard::kube
