#include "speaker/gossip/wire/crypto.hpp"

#include "common/base/check.hpp"
#include "speaker/gossip/wire/refusal.hpp"

#include <openssl/evp.h>

#include <algorithm>
#include <memory>
#include <optional>
#include <string>

namespace steelyard::gossip_wire {
namespace {

constexpr std::size_t kNonce = 12;
constexpr std::size_t kTag = 16;
constexpr std::size_t kBlock = 16;
constexpr std::size_t kKey = 32;

// SHA-256 of nothing; MetalLB appends it where it meant to hash the secret.
constexpr std::array<std::uint8_t, 32> kEmptyHash = {
    0xe3, 0xb0, 0xc4, 0x42, 0x98, 0xfc, 0x1c, 0x14, 0x9a, 0xfb, 0xf4, 0xc8, 0x99, 0x6f, 0xb9, 0x24,
    0x27, 0xae, 0x41, 0xe4, 0x64, 0x9b, 0x93, 0x4c, 0xa4, 0x95, 0x99, 0x1b, 0x78, 0x52, 0xb8, 0x55};

struct FreeContext {
    void operator()(EVP_CIPHER_CTX* context) const { EVP_CIPHER_CTX_free(context); }
};
using Context = std::unique_ptr<EVP_CIPHER_CTX, FreeContext>;

const EVP_CIPHER* cipher_for(std::size_t key_size) {
    switch (key_size) {
        case 16:
            return EVP_aes_128_gcm();
        case 24:
            return EVP_aes_192_gcm();
        case 32:
            return EVP_aes_256_gcm();
        default:
            return nullptr;
    }
}

const unsigned char* in(std::span<const std::byte> bytes) {
    return reinterpret_cast<const unsigned char*>(bytes.data());
}
unsigned char* out_to(std::span<std::byte> bytes) {
    return reinterpret_cast<unsigned char*>(bytes.data());
}
int size_of(std::span<const std::byte> bytes) {
    return static_cast<int>(bytes.size());
}

Context start(
    const Key& key,
    std::span<const std::byte> nonce,
    std::span<const std::byte> associated,
    bool encrypt
) {
    Context context(EVP_CIPHER_CTX_new());
    SY_CHECK(context, "out of memory");
    int written = 0;
    const int initialised = EVP_CipherInit_ex(
        context.get(), cipher_for(key.size()), nullptr, in(key), in(nonce), encrypt ? 1 : 0
    );
    SY_CHECK(initialised == 1, "AES-GCM is always there and the key size was checked");
    if (!associated.empty()) {
        EVP_CipherUpdate(context.get(), nullptr, &written, in(associated), size_of(associated));
    }
    return context;
}

std::optional<wire::Bytes> open_with(
    const Key& key, std::span<const std::byte> sealed, std::span<const std::byte> associated
) {
    const auto nonce = sealed.subspan(1, kNonce);
    const auto text = sealed.subspan(1 + kNonce, sealed.size() - 1 - kNonce - kTag);
    const auto tag = sealed.last(kTag);
    const Context context = start(key, nonce, associated, false);
    wire::Bytes plain(text.size());
    int written = 0;
    EVP_CipherUpdate(context.get(), out_to(plain), &written, in(text), size_of(text));
    std::array<std::byte, kTag> expected{};
    std::copy(tag.begin(), tag.end(), expected.begin());
    EVP_CIPHER_CTX_ctrl(
        context.get(), EVP_CTRL_GCM_SET_TAG, static_cast<int>(kTag), expected.data()
    );
    std::array<std::byte, kBlock> rest{};
    if (EVP_CipherFinal_ex(context.get(), out_to(rest), &written) != 1) {
        return std::nullopt;
    }
    return plain;
}

// True when the padding is what PKCS#7 says; cuts it off.
bool unpad(wire::Bytes& plain) {
    if (plain.empty()) {
        return false;
    }
    const auto pad = std::to_integer<std::size_t>(plain.back());
    if (pad == 0 || pad > kBlock || pad > plain.size()) {
        return false;
    }
    const std::byte expected = plain.back();
    const auto first = plain.end() - static_cast<std::ptrdiff_t>(pad);
    if (!std::all_of(first, plain.end(), [&](std::byte byte) { return byte == expected; })) {
        return false;
    }
    plain.erase(first, plain.end());
    return true;
}

}  // namespace

Result<KeyRing> KeyRing::make(std::vector<Key> keys) {
    for (const Key& key : keys) {
        if (cipher_for(key.size()) == nullptr) {
            return make_error(
                Errc::Invalid,
                "gossip key: " + std::to_string(key.size()) + " bytes, want 16, 24 or 32"
            );
        }
    }
    return KeyRing(std::move(keys));
}

Key metallb_key(std::string_view secret) {
    const auto text = std::as_bytes(std::span(secret));
    const auto hash = std::as_bytes(std::span(kEmptyHash));
    Key key(text.begin(), text.end());
    key.insert(key.end(), hash.begin(), hash.end());
    key.resize(kKey);
    return key;
}

std::span<const std::byte> nonce_of(std::span<const std::byte> sealed) {
    if (sealed.size() < kSealOverhead) {
        return {};
    }
    return sealed.subspan(1, kNonce);
}

std::size_t sealed_size(EncryptionVersion version, std::size_t plain) {
    const std::size_t pad = version == EncryptionVersion::Padded ? kBlock - plain % kBlock : 0;
    return 1 + kNonce + plain + pad + kTag;
}

wire::Bytes seal(
    const Key& key,
    EncryptionVersion version,
    std::span<const std::byte> plain,
    std::span<const std::byte> associated,
    const RandomBytes& random
) {
    wire::Bytes text(plain.begin(), plain.end());
    if (version == EncryptionVersion::Padded) {
        const std::size_t pad = kBlock - plain.size() % kBlock;
        text.insert(text.end(), pad, static_cast<std::byte>(pad));
    }
    wire::Bytes out(1 + kNonce + text.size() + kTag);
    const std::span all(out);
    out[0] = static_cast<std::byte>(version);
    const auto nonce = all.subspan(1, kNonce);
    random(nonce);
    const Context context = start(key, nonce, associated, true);
    int written = 0;
    EVP_CipherUpdate(
        context.get(), out_to(all.subspan(1 + kNonce)), &written, in(text), size_of(text)
    );
    EVP_CipherFinal_ex(context.get(), out_to(all.last(kTag)), &written);
    EVP_CIPHER_CTX_ctrl(
        context.get(), EVP_CTRL_GCM_GET_TAG, static_cast<int>(kTag), all.last(kTag).data()
    );
    return out;
}

Result<wire::Bytes> open(
    const KeyRing& ring, std::span<const std::byte> sealed, std::span<const std::byte> associated
) {
    if (sealed.empty() || std::to_integer<unsigned>(sealed[0]) > 1) {
        return make_error(
            Refusal::WrongKey, "sealed gossip: unknown encryption version, accepted are 0 and 1"
        );
    }
    const auto version = static_cast<EncryptionVersion>(sealed[0]);
    if (sealed.size() < sealed_size(version, 0)) {
        return make_error(
            Refusal::Malformed,
            "sealed gossip: " + std::to_string(sealed.size()) + " bytes are too few to open"
        );
    }
    for (const Key& key : ring.keys()) {
        auto plain = open_with(key, sealed, associated);
        if (!plain) {
            continue;
        }
        if (version == EncryptionVersion::Padded && !unpad(*plain)) {
            return make_error(Refusal::Malformed, "sealed gossip: padding is not PKCS#7");
        }
        return std::move(*plain);
    }
    return make_error(Refusal::WrongKey, "sealed gossip: none of our keys opens it");
}

}  // namespace steelyard::gossip_wire
