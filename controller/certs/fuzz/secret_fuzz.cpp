#include "controller/certs/bundle.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

// The values of a Secret, separated by NUL, as anybody with rights on Secrets may have written
// them. What is accepted must survive being written and read again.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    namespace certs = steelyard::certs;
    std::string_view rest(reinterpret_cast<const char*>(data), size);
    certs::SecretData secret;
    for (const char* name :
         {"ca.crt",
          "ca.key",
          "tls.crt",
          "tls.key",
          "next-ca.crt",
          "next-ca.key",
          "former-tls.crt"}) {
        const std::size_t end = std::min(rest.find('\0'), rest.size());
        secret[name] = std::string(rest.substr(0, end));
        rest.remove_prefix(std::min(end + 1, rest.size()));
    }
    static_cast<void>(certs::leaf_of(secret));
    const steelyard::WallTime now = std::chrono::system_clock::from_time_t(1800000000);
    const std::string name = "metallb-webhook-service.metallb-system.svc";
    const auto bundle = certs::from_secret(secret, name, now);
    if (!bundle) {
        return 0;
    }
    if (!certs::next_step(*bundle, certs::Policy{}, now, now) ||
        certs::from_secret(certs::to_secret(*bundle), name, now) != bundle) {
        std::abort();
    }
    return 0;
}
