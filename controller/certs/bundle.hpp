#pragma once

#include "common/base/error.hpp"
#include "common/base/time.hpp"
#include "controller/certs/x509.hpp"

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

// The webhook's own certificate authority and serving certificate, as a Secret keeps them, and when
// to renew what. A new authority is trusted (published in every caBundle) for a while before the
// first certificate of it is served, and an old one until the last certificate of it has run out:
// so whichever replica still serves whichever certificate, clients accept it. Pure.
namespace steelyard::certs {

struct Policy {
    std::chrono::seconds authority{std::chrono::hours(24 * 365 * 10)};
    std::chrono::seconds leaf{std::chrono::hours(24 * 90)};
    // From the moment every caBundle has the new authority until it signs: API servers see a
    // changed caBundle a moment later, each in its own time.
    std::chrono::seconds settle{std::chrono::hours(1)};
    // Certificates are valid from a little earlier: clocks of API servers differ.
    std::chrono::seconds backdate{std::chrono::hours(1)};
};

struct Bundle {
    KeyPair authority;                // signs
    KeyPair leaf;                     // serves
    std::optional<KeyPair> next;      // an authority that is trusted already and will sign
    std::vector<std::string> former;  // authorities whose certificates may still be served
    // The last certificate the newest of `former` signed; "" without one.
    std::string retired_leaf;
    friend bool operator==(const Bundle&, const Bundle&) = default;
};

// Names of the keys in the Secret, decoded bytes. ca.crt, ca.key, tls.crt and tls.key are those of
// MetalLB (cert-controller), whose Secret is adopted when it is sound; the signing authority comes
// first in ca.crt.
using SecretData = std::map<std::string, std::string, std::less<>>;

// Every authority to trust, the signing one first: the caBundle.
[[nodiscard]] std::string trusted(const Bundle& bundle);
[[nodiscard]] SecretData to_secret(const Bundle& bundle);
// A bundle with which `service_name` can be served now. Invalid, in one line, for anything else:
// missing, broken, of somebody else, run out.
[[nodiscard]] Result<Bundle> from_secret(
    const SecretData& data, const std::string& service_name, WallTime now
);
// Only what serving takes: a certificate and its key. Invalid, in one line, if they do not fit.
[[nodiscard]] Result<KeyPair> leaf_of(const SecretData& data);

enum class Step : std::uint8_t {
    Keep,
    NewLeaf,  // signed by the same authority
    NewNext,  // a further authority, to be trusted first
    Switch,   // the next authority signs a new leaf, the old one becomes former
    Forget    // former authorities: the last certificate of theirs has run out
};
[[nodiscard]] std::string_view to_string(Step step);

struct Decision {
    Step step = Step::Keep;
    WallTime look_again{};  // when, if nothing else happens
    friend bool operator==(const Decision&, const Decision&) = default;
};

// `published_since`: since when every caBundle has been trusted(bundle), as far as this leader has
// seen; nullopt while one of them is not.
[[nodiscard]] Result<Decision> next_step(
    const Bundle& bundle,
    const Policy& policy,
    std::optional<WallTime> published_since,
    WallTime now
);

// A bundle from nothing.
[[nodiscard]] Result<Bundle> make_bundle(
    const std::vector<std::string>& names, const Policy& policy, WallTime now
);
[[nodiscard]] Result<Bundle> take(
    Step step,
    Bundle bundle,
    const std::vector<std::string>& names,
    const Policy& policy,
    WallTime now
);

// The names of a Service in a cluster: the one API servers use first.
[[nodiscard]] std::vector<std::string> service_names(
    const std::string& service, const std::string& ns
);

}  // namespace steelyard::certs
