#pragma once

#include "common/base/error.hpp"
#include "common/base/time.hpp"
#include "common/http/client/client.hpp"
#include "common/kube/client/config.hpp"

#include <optional>
#include <string>

// Who we are and whom we trust, as of now: tokens and certificates that live in files are read
// again at most once a minute (kubelet renews a token at 80 % of its life), the token also at once
// after a 401, and all of them after a connection that failed: the certificates may have been
// renewed on both sides. When a file has become unreadable the last good content stays in use.
// Private to this room.
namespace steelyard::kube {

class Credentials {
public:
    // Fails when something of `config` cannot be read or is not PEM.
    static Result<Credentials> load(ClientConfig config, Instant now);

    // Reads what is due. True when the TLS material changed: connect anew with server().
    bool refresh(Instant now);
    // The same, due or not.
    bool reread(Instant now);
    // After a 401. True when there is another token to try.
    bool reread_token(Instant now);

    [[nodiscard]] const http_client::Server& server() const { return server_; }
    [[nodiscard]] const std::string& token() const { return token_; }

private:
    explicit Credentials(ClientConfig config) : config_(std::move(config)) {}
    Result<http_client::TlsOptions> read_tls() const;
    Result<> apply_tls(http_client::TlsOptions options);

    ClientConfig config_;
    std::string token_;
    http_client::TlsOptions tls_;
    http_client::Server server_;
    Instant read_at_{};
};

}  // namespace steelyard::kube
