#include "controller/webhook/files.hpp"

#include "common/kube/client/file.hpp"
#include "common/rt/sleep.hpp"

#include <chrono>
#include <utility>

namespace steelyard::webhook {
namespace {

constexpr Duration kReadAgain = std::chrono::seconds(10);

Result<certs::KeyPair> read_pair(const std::string& folder) {
    auto certificate = kube::read_small_file(folder + "/tls.crt");
    if (!certificate) {
        return certificate.error();
    }
    auto key = kube::read_small_file(folder + "/tls.key");
    if (!key) {
        return key.error();
    }
    certs::KeyPair pair{std::move(*certificate), std::move(*key)};
    const auto fits = certs::check_key(pair);
    if (!fits) {
        return make_error(Errc::Invalid, folder + ": tls.crt and tls.key: " + fits.error().context);
    }
    return pair;
}

}  // namespace

CertificateFiles::CertificateFiles(
    const log::Logger& logger,
    std::string folder,
    std::function<void(const certs::KeyPair&)> on_certificate
)
    : logger_(logger), folder_(std::move(folder)), on_certificate_(std::move(on_certificate)) {}

awaitable<void> CertificateFiles::run() {
    for (;;) {
        read();
        co_await rt::sleep_for(kReadAgain);
    }
}

// Both files change one after the other: a pair that does not fit is mostly half of a renewal.
void CertificateFiles::read() {
    auto pair = read_pair(folder_);
    if (!pair) {
        if (missing_ != pair.error().context) {
            missing_ = pair.error().context;
            logger_.warn("the webhook's certificate cannot be read", {{"error", missing_}});
        }
        return;
    }
    missing_.clear();
    if (*pair != served_) {
        served_ = std::move(*pair);
        on_certificate_(served_);
    }
}

}  // namespace steelyard::webhook
