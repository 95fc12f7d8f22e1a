#include "common/kube/client/config.hpp"

#include "common/base/base64.hpp"
#include "common/kube/client/file.hpp"

#include <yaml-cpp/yaml.h>

#include <charconv>
#include <filesystem>
#include <optional>
#include <string_view>
#include <utility>

namespace steelyard::kube {
namespace {

Error bad(const std::string& path, std::string_view what) {
    return make_error(Errc::Invalid, path + ": " + std::string(what));
}

struct Url {
    bool tls = true;
    std::string host;
    std::uint16_t port = 0;
    std::string path;
};

std::optional<std::uint16_t> parse_port(std::string_view text) {
    std::uint16_t port = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), port);
    const bool whole = error == std::errc{} && end == text.data() + text.size();
    return whole && port != 0 ? std::optional(port) : std::nullopt;
}

// http[s]://host[:port][/path]
std::optional<Url> parse_url(std::string_view text) {
    Url url;
    constexpr std::string_view kHttps = "https://";
    constexpr std::string_view kHttp = "http://";
    if (text.substr(0, kHttps.size()) == kHttps) {
        text.remove_prefix(kHttps.size());
    } else if (text.substr(0, kHttp.size()) == kHttp) {
        url.tls = false;
        text.remove_prefix(kHttp.size());
    } else {
        return std::nullopt;
    }
    constexpr std::uint16_t kHttpsPort = 443;
    constexpr std::uint16_t kHttpPort = 80;
    url.port = url.tls ? kHttpsPort : kHttpPort;
    const std::size_t slash = text.find('/');
    if (slash != std::string_view::npos) {
        url.path = text.substr(slash);
        while (!url.path.empty() && url.path.back() == '/') {
            url.path.pop_back();
        }
        text = text.substr(0, slash);
    }
    std::string_view port;
    if (!text.empty() && text.front() == '[') {
        const std::size_t end = text.find(']');
        if (end == std::string_view::npos) {
            return std::nullopt;
        }
        url.host = text.substr(1, end - 1);
        port = text.substr(end + 1);
    } else {
        const std::size_t colon = text.find(':');
        url.host = text.substr(0, colon);
        port = colon == std::string_view::npos ? std::string_view() : text.substr(colon);
    }
    if (!port.empty()) {
        const auto number = port.front() == ':' ? parse_port(port.substr(1)) : std::nullopt;
        if (!number) {
            return std::nullopt;
        }
        url.port = *number;
    }
    if (url.host.empty() || url.host.find_first_of(" @?#\\") != std::string::npos) {
        return std::nullopt;
    }
    return url;
}

// One kubeconfig being read; keeps the first thing found wrong.
class Kubeconfig {
public:
    Kubeconfig(YAML::Node root, std::string path)
        : root_(std::move(root)), path_(std::move(path)) {}

    Result<ClientConfig> read(const std::string& wanted_context) {
        if (!root_.IsMap()) {
            return bad(path_, "is not a kubeconfig: expected a YAML mapping");
        }
        const std::string name =
            wanted_context.empty() ? text(root_, "", "current-context") : wanted_context;
        if (name.empty()) {
            return bad(path_, "current-context is missing; expected the name of a context");
        }
        const YAML::Node context = named("contexts", "context", name);
        const std::string where = "contexts[" + name + "].context";
        const std::string cluster_name = text(context, where, "cluster");
        const std::string user_name = text(context, where, "user");
        const std::string ns = text(context, where, "namespace");
        if (!ns.empty()) {
            config_.ns = ns;
        }
        if (cluster_name.empty()) {
            fail(where + ".cluster is missing; expected the name of a cluster");
        } else {
            read_cluster(cluster_name);
        }
        if (!user_name.empty()) {
            read_user(user_name);
        }
        if (!problem_.empty()) {
            return bad(path_, problem_);
        }
        return config_;
    }

private:
    void fail(std::string problem) {
        if (problem_.empty()) {
            problem_ = std::move(problem);
        }
    }

    std::string text(const YAML::Node& node, const std::string& where, const char* field) {
        if (!node.IsDefined() || !node.IsMap()) {
            return {};
        }
        const YAML::Node value = node[field];
        if (!value.IsDefined() || value.IsNull()) {
            return {};
        }
        if (!value.IsScalar()) {
            fail(where + (where.empty() ? "" : ".") + field + " is not text");
            return {};
        }
        return value.Scalar();
    }

    YAML::Node named(const std::string& list, const char* field, const std::string& name) {
        const YAML::Node entries = root_[list];
        if (entries.IsDefined() && entries.IsSequence()) {
            for (const YAML::Node& entry : entries) {
                if (text(entry, list, "name") == name && entry[field].IsDefined()) {
                    return entry[field];
                }
            }
        }
        fail(list + " has no entry named \"" + name + "\"");
        return YAML::Node();
    }

    std::string absolute(const std::string& file) const {
        return (std::filesystem::path(path_).parent_path() / file).string();
    }

    PemSource pem(const YAML::Node& node, const std::string& where, const std::string& field) {
        PemSource source;
        const std::string data = text(node, where, (field + "-data").c_str());
        const std::string file = text(node, where, field.c_str());
        if (!data.empty()) {  // wins over the file, as in client-go
            auto decoded = decode_base64(data);
            if (!decoded) {
                fail(where + "." + field + "-data is not base64 text");
                return source;
            }
            source.inline_pem = std::move(*decoded);
        } else if (!file.empty()) {
            source.file = absolute(file);
        }
        return source;
    }

    void read_cluster(const std::string& name) {
        const YAML::Node cluster = named("clusters", "cluster", name);
        const std::string where = "clusters[" + name + "].cluster";
        const std::string server = text(cluster, where, "server");
        const auto url = parse_url(server);
        if (!url) {
            fail(where + ".server: \"" + server + "\" is not a URL like https://192.0.2.1:6443");
            return;
        }
        config_.tls = url->tls;
        config_.host = url->host;
        config_.port = url->port;
        config_.path_prefix = url->path;
        config_.certificate_authority = pem(cluster, where, "certificate-authority");
        config_.tls_server_name = text(cluster, where, "tls-server-name");
        const std::string insecure = text(cluster, where, "insecure-skip-tls-verify");
        config_.insecure_skip_tls_verify = insecure == "true";
        if (!insecure.empty() && insecure != "true" && insecure != "false") {
            fail(where + ".insecure-skip-tls-verify: \"" + insecure + "\" is not true or false");
        }
        if (!text(cluster, where, "proxy-url").empty()) {
            fail(where + ".proxy-url: proxies are not supported; remove it");
        }
    }

    void read_user(const std::string& name) {
        const YAML::Node user = named("users", "user", name);
        const std::string where = "users[" + name + "].user";
        for (const char* field : {"exec", "auth-provider", "username", "as"}) {
            if (user.IsDefined() && user.IsMap() && user[field].IsDefined()) {
                fail(
                    where + "." + field +
                    " is not supported; use a token, tokenFile or client certificate"
                );
                return;
            }
        }
        config_.client_certificate = pem(user, where, "client-certificate");
        config_.client_key = pem(user, where, "client-key");
        if (config_.client_certificate.empty() != config_.client_key.empty()) {
            fail(where + ": client-certificate and client-key must be given together");
        }
        config_.token = text(user, where, "token");
        const std::string token_file = text(user, where, "tokenFile");
        if (!token_file.empty()) {
            config_.token_file = absolute(token_file);
        }
    }

    YAML::Node root_;
    std::string path_;
    ClientConfig config_;
    std::string problem_;
};

}  // namespace

Result<ClientConfig> parse_kubeconfig(
    const std::string& text, const std::string& path, const std::string& context
) {
    try {
        return Kubeconfig(YAML::Load(text), path).read(context);
    } catch (const YAML::Exception& thrown) {
        return bad(path, std::string("is not valid YAML: ") + thrown.what());
    }
}

Result<ClientConfig> load_kubeconfig(const std::string& path, const std::string& context) {
    const auto text = read_small_file(path);
    if (!text) {
        return text.error();
    }
    return parse_kubeconfig(*text, path, context);
}

Result<ClientConfig> in_cluster_config(const InCluster& where) {
    ClientConfig config;
    if (where.service_host.empty() || where.service_port.empty()) {
        return make_error(
            Errc::Invalid,
            "KUBERNETES_SERVICE_HOST and KUBERNETES_SERVICE_PORT are not set: not running in a "
            "pod; give a kubeconfig file"
        );
    }
    const auto port = parse_port(where.service_port);
    if (!port) {
        return make_error(
            Errc::Invalid,
            "KUBERNETES_SERVICE_PORT: \"" + where.service_port + "\" is not a port (1..65535)"
        );
    }
    config.host = where.service_host;
    config.port = *port;
    config.certificate_authority.file = where.directory + "/ca.crt";
    config.token_file = where.directory + "/token";
    for (const std::string& file : {config.certificate_authority.file, config.token_file}) {
        if (const auto text = read_small_file(file); !text) {
            return text.error();
        }
    }
    // Absent when the pod mounts a projected volume of its own making.
    if (const auto ns = read_small_file(where.directory + "/namespace")) {
        config.ns = trimmed(*ns);
    }
    return config;
}

}  // namespace steelyard::kube
