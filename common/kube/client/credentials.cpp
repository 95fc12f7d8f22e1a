#include "common/kube/client/credentials.hpp"

#include "common/kube/client/file.hpp"

#include <chrono>
#include <utility>

namespace steelyard::kube {
namespace {

Result<std::string> content_of(const PemSource& source) {
    if (!source.file.empty()) {
        return read_small_file(source.file);
    }
    return source.inline_pem;
}

bool same(const http_client::TlsOptions& a, const http_client::TlsOptions& b) {
    return a.ca == b.ca && a.certificate == b.certificate && a.key == b.key;
}

}  // namespace

Result<Credentials> Credentials::load(ClientConfig config, Instant now) {
    Credentials credentials(std::move(config));
    const ClientConfig& wanted = credentials.config_;
    credentials.server_.host = wanted.host;
    credentials.server_.port = wanted.port;
    credentials.server_.tls_name = wanted.tls_server_name;
    credentials.token_ = wanted.token;
    credentials.read_at_ = now;
    if (!wanted.token_file.empty()) {
        auto token = read_small_file(wanted.token_file);
        if (!token) {
            return token.error();
        }
        credentials.token_ = trimmed(*token);
    }
    if (wanted.tls) {
        auto options = credentials.read_tls();
        if (!options) {
            return options.error();
        }
        if (auto applied = credentials.apply_tls(std::move(*options)); !applied) {
            return applied.error();
        }
    }
    return credentials;
}

Result<http_client::TlsOptions> Credentials::read_tls() const {
    http_client::TlsOptions options;
    options.verify = !config_.insecure_skip_tls_verify;
    auto ca = content_of(config_.certificate_authority);
    if (!ca) {
        return ca.error();
    }
    auto certificate = content_of(config_.client_certificate);
    if (!certificate) {
        return certificate.error();
    }
    auto key = content_of(config_.client_key);
    if (!key) {
        return key.error();
    }
    options.ca = std::move(*ca);
    options.certificate = std::move(*certificate);
    options.key = std::move(*key);
    return options;
}

Result<> Credentials::apply_tls(http_client::TlsOptions options) {
    auto context = http_client::make_tls_context(options);
    if (!context) {
        return context.error();
    }
    server_.tls = std::move(*context);
    tls_ = std::move(options);
    return {};
}

bool Credentials::refresh(Instant now) {
    constexpr Duration kEvery = std::chrono::seconds(60);
    return now - read_at_ >= kEvery && reread(now);
}

bool Credentials::reread(Instant now) {
    reread_token(now);
    if (!config_.tls) {
        return false;
    }
    // A certificate and its key are two files: read between their two renames they do not match,
    // apply_tls refuses them, and the next minute brings both.
    auto options = read_tls();
    return options && !same(*options, tls_) && apply_tls(std::move(*options)).has_value();
}

bool Credentials::reread_token(Instant now) {
    read_at_ = now;
    if (config_.token_file.empty()) {
        return false;
    }
    const auto read = read_small_file(config_.token_file);
    if (!read) {
        return false;
    }
    std::string token = trimmed(*read);
    if (token.empty() || token == token_) {
        return false;
    }
    token_ = std::move(token);
    return true;
}

}  // namespace steelyard::kube
