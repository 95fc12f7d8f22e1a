#include "speaker/ring/seal.hpp"

#include "common/base/check.hpp"
#include "common/wire/writer.hpp"

#include <openssl/evp.h>
#include <openssl/hmac.h>

#include <algorithm>

namespace steelyard::ring {
namespace {

constexpr std::string_view kSalt = "steelyard watch ring 1";

const unsigned char* in(std::span<const std::byte> bytes) {
    return reinterpret_cast<const unsigned char*>(bytes.data());
}
unsigned char* out_to(std::span<std::byte> bytes) {
    return reinterpret_cast<unsigned char*>(bytes.data());
}

Secret hmac(std::span<const std::byte> key, std::span<const std::byte> text) {
    Secret out{};
    unsigned size = 0;
    const auto* done = HMAC(
        EVP_sha256(),
        key.data(),
        static_cast<int>(key.size()),
        in(text),
        text.size(),
        out_to(out),
        &size
    );
    SY_CHECK(done != nullptr && size == out.size(), "HMAC-SHA256 is always there");
    return out;
}

void put(wire::Writer& out, const Boot& boot) {
    out.u16(static_cast<std::uint16_t>(boot.name.size()));
    out.text(boot.name);
    out.u64(boot.epoch);
}

using Nonce = std::array<std::byte, 12>;
Nonce nonce_of(std::uint64_t counter) {
    Nonce out{};
    for (std::size_t i = 0; i < 8; ++i) {
        out[4 + i] = static_cast<std::byte>(counter >> (8 * (7 - i)));
    }
    return out;
}

}  // namespace

Secret extract(std::span<const std::byte> gossip_key) {
    return hmac(std::as_bytes(std::span(kSalt)), gossip_key);
}

Secret pair_key(const Secret& master, const Boot& sender, const Boot& receiver) {
    wire::Writer info;
    put(info, sender);
    put(info, receiver);
    info.u8(1);  // the number of the first and only block of output
    return hmac(master, info.view());
}

void Cipher::Free::operator()(evp_cipher_ctx_st* context) const {
    EVP_CIPHER_CTX_free(context);
}

Cipher::Cipher() : context_(EVP_CIPHER_CTX_new()) {
    SY_CHECK(context_, "out of memory");
    const int chosen =
        EVP_CipherInit_ex(context_.get(), EVP_aes_256_gcm(), nullptr, nullptr, nullptr, 1);
    SY_CHECK(chosen == 1, "AES-256-GCM is always there");
}

void Cipher::seal(
    const Secret& key,
    std::uint64_t counter,
    std::span<const std::byte> body,
    std::span<std::byte> packet
) {
    SY_CHECK(packet.size() == kHeader + body.size() + kTag, "the packet fits its body");
    auto* context = context_.get();
    const Nonce nonce = nonce_of(counter);
    int written = 0;
    // Keeping the cipher and giving only key and nonce costs no allocation.
    bool good = EVP_CipherInit_ex(context, nullptr, nullptr, in(key), in(nonce), 1) == 1;
    good = good && EVP_CipherUpdate(context, nullptr, &written, in(packet), kHeader) == 1;
    good = good && EVP_CipherUpdate(
                       context,
                       out_to(packet.subspan(kHeader)),
                       &written,
                       in(body),
                       static_cast<int>(body.size())
                   ) == 1;
    const auto tag = packet.last(kTag);
    good = good && EVP_CipherFinal_ex(context, out_to(tag), &written) == 1;
    good = good && EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_GCM_GET_TAG, kTag, out_to(tag)) == 1;
    SY_CHECK(good, "sealing bytes of ours cannot fail");
}

bool Cipher::open(
    const Secret& key,
    std::uint64_t counter,
    std::span<const std::byte> packet,
    std::span<std::byte, kMaxBody> out
) {
    SY_CHECK(
        packet.size() >= kHeader + kTag && packet.size() <= kMaxPacket, "the header was decoded"
    );
    auto* context = context_.get();
    const Nonce nonce = nonce_of(counter);
    const auto text = packet.subspan(kHeader, packet.size() - kHeader - kTag);
    std::array<std::byte, kTag> tag{};
    std::copy_n(packet.last(kTag).begin(), kTag, tag.begin());
    int written = 0;
    std::array<std::byte, kTag> rest{};
    return EVP_CipherInit_ex(context, nullptr, nullptr, in(key), in(nonce), 0) == 1 &&
           EVP_CipherUpdate(context, nullptr, &written, in(packet), kHeader) == 1 &&
           EVP_CipherUpdate(
               context, out_to(out), &written, in(text), static_cast<int>(text.size())
           ) == 1 &&
           EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_GCM_SET_TAG, kTag, out_to(tag)) == 1 &&
           EVP_CipherFinal_ex(context, out_to(rest), &written) == 1;
}

bool ReplayWindow::fresh(std::uint64_t counter) const {
    if (counter > highest_) {
        return true;
    }
    const std::uint64_t behind = highest_ - counter;
    return counter != 0 && behind < kWidth && (seen_ >> behind & 1U) == 0;
}

void ReplayWindow::mark(std::uint64_t counter) {
    if (counter > highest_) {
        const std::uint64_t ahead = counter - highest_;
        seen_ = ahead < kWidth ? seen_ << ahead : 0;
        highest_ = counter;
    }
    seen_ |= std::uint64_t{1} << (highest_ - counter);
}

}  // namespace steelyard::ring
