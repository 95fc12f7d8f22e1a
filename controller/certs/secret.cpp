#include "controller/certs/bundle.hpp"

#include <algorithm>
#include <utility>

namespace steelyard::certs {
namespace {

constexpr std::string_view kAuthorities = "ca.crt";
constexpr std::string_view kAuthorityKey = "ca.key";
constexpr std::string_view kLeaf = "tls.crt";
constexpr std::string_view kLeafKey = "tls.key";
constexpr std::string_view kNext = "next-ca.crt";
constexpr std::string_view kNextKey = "next-ca.key";
constexpr std::string_view kRetiredLeaf = "former-tls.crt";

const std::string& value_of(const SecretData& data, std::string_view name) {
    static const std::string kNone;
    const auto found = data.find(name);
    return found == data.end() ? kNone : found->second;
}

Error about(std::string_view name, const Error& error) {
    return make_error(Errc::Invalid, std::string(name) + ": " + error.context);
}

// Nothing when there is none, or it cannot be used: making another costs only time.
std::optional<KeyPair> next_of(const SecretData& data, WallTime now) {
    KeyPair pair{value_of(data, kNext), value_of(data, kNextKey)};
    if (pair.certificate.empty() || !check_key(pair)) {
        return std::nullopt;
    }
    const auto validity = validity_of(pair.certificate);
    if (!validity || !validity->holds(now)) {
        return std::nullopt;
    }
    return pair;
}

Result<> check_authority(const KeyPair& authority, WallTime now) {
    const auto fits = check_key(authority);
    if (!fits) {
        return about("ca.crt and ca.key", fits.error());
    }
    const auto validity = validity_of(authority.certificate);
    if (!validity) {
        return about(kAuthorities, validity.error());
    }
    if (!validity->holds(now)) {
        return make_error(Errc::Invalid, "ca.crt: the authority has run out or is not valid yet");
    }
    return {};
}

}  // namespace

std::string trusted(const Bundle& bundle) {
    std::string text = bundle.authority.certificate;
    if (bundle.next) {
        text += bundle.next->certificate;
    }
    for (const std::string& former : bundle.former) {
        text += former;
    }
    return text;
}

SecretData to_secret(const Bundle& bundle) {
    SecretData data;
    data.emplace(kAuthorities, trusted(bundle));
    data.emplace(kAuthorityKey, bundle.authority.key);
    data.emplace(kLeaf, bundle.leaf.certificate);
    data.emplace(kLeafKey, bundle.leaf.key);
    if (bundle.next) {
        data.emplace(kNext, bundle.next->certificate);
        data.emplace(kNextKey, bundle.next->key);
    }
    if (!bundle.retired_leaf.empty()) {
        data.emplace(kRetiredLeaf, bundle.retired_leaf);
    }
    return data;
}

Result<Bundle> from_secret(const SecretData& data, const std::string& service_name, WallTime now) {
    const auto authorities = split(value_of(data, kAuthorities));
    if (!authorities) {
        return about(kAuthorities, authorities.error());
    }
    if (authorities->empty()) {
        return make_error(Errc::Invalid, "ca.crt: no certificate in PEM");
    }
    Bundle bundle;
    bundle.authority = {authorities->front(), value_of(data, kAuthorityKey)};
    const auto sound = check_authority(bundle.authority, now);
    if (!sound) {
        return sound.error();
    }
    auto leaf = leaf_of(data);
    if (!leaf) {
        return leaf.error();
    }
    bundle.leaf = std::move(*leaf);
    const auto accepted =
        verify(bundle.leaf.certificate, bundle.authority.certificate, service_name, now);
    if (!accepted) {
        return make_error(
            Errc::Invalid,
            "tls.crt: clients of " + service_name + " refuse it: " + accepted.error().context
        );
    }
    bundle.next = next_of(data, now);
    for (std::size_t i = 1; i < authorities->size(); ++i) {
        const std::string& certificate = (*authorities)[i];
        if (certificate != bundle.authority.certificate &&
            (!bundle.next || certificate != bundle.next->certificate)) {
            bundle.former.push_back(certificate);
        }
    }
    bundle.retired_leaf = value_of(data, kRetiredLeaf);
    return bundle;
}

Result<KeyPair> leaf_of(const SecretData& data) {
    KeyPair leaf{value_of(data, kLeaf), value_of(data, kLeafKey)};
    const auto fits = check_key(leaf);
    if (!fits) {
        return about("tls.crt and tls.key", fits.error());
    }
    return leaf;
}

}  // namespace steelyard::certs
