#pragma once

#include "common/log/log.hpp"
#include "common/rt/asio.hpp"
#include "controller/certs/x509.hpp"

#include <functional>
#include <string>

// A certificate that somebody else looks after (cert-manager, say): tls.crt and tls.key in a
// folder, read again every ten seconds. Private to this room.
namespace steelyard::webhook {

class CertificateFiles {
public:
    // `logger` outlives it.
    CertificateFiles(
        const log::Logger& logger,
        std::string folder,
        std::function<void(const certs::KeyPair&)> on_certificate
    );
    awaitable<void> run();
    // Reads once; what is wrong stays in missing().
    void read();
    [[nodiscard]] const std::string& missing() const { return missing_; }

private:
    const log::Logger& logger_;
    std::string folder_;
    std::function<void(const certs::KeyPair&)> on_certificate_;
    certs::KeyPair served_;
    std::string missing_;
};

}  // namespace steelyard::webhook
