#include "speaker/elect/order.hpp"

#include "common/base/check.hpp"

#include <openssl/evp.h>

namespace steelyard::elect {
namespace {

// A seed of zero would score zero with every other seed.
constexpr std::uint64_t mix(std::uint64_t value) {
    value = (value ^ (value >> 30U)) * 0xbf58476d1ce4e5b9U;
    value = (value ^ (value >> 27U)) * 0x94d049bb133111ebU;
    value ^= value >> 31U;
    return value == 0 ? 1 : value;
}

// FNV-1a, then mixed: FNV alone leaves similar names with similar high bits.
std::uint64_t hash_bytes(std::uint64_t hash, const std::uint8_t* data, std::size_t size) {
    for (std::size_t i = 0; i < size; ++i) {
        hash = (hash ^ data[i]) * 0x100000001b3U;
    }
    return hash;
}

constexpr std::uint64_t kFnvOffset = 0xcbf29ce484222325U;
// Keeps a node and an address of equal bytes from having equal seeds.
constexpr std::uint64_t kAddressDomain = 0x9e3779b97f4a7c15U;

}  // namespace

struct MetalLbHash::Context {
    EVP_MD_CTX* evp = EVP_MD_CTX_new();
};

MetalLbHash::MetalLbHash() : context_(std::make_unique<Context>()) {
    SY_CHECK(context_->evp != nullptr, "out of memory");
    SY_CHECK(EVP_DigestInit_ex(context_->evp, EVP_sha256(), nullptr) == 1, "SHA-256 is built in");
}

MetalLbHash::~MetalLbHash() {
    EVP_MD_CTX_free(context_->evp);
}

MetalLbHash::Digest MetalLbHash::operator()(std::string_view node, std::string_view address_text) {
    Digest digest{};
    // A null type keeps the algorithm and only resets the state.
    const bool ok =
        EVP_DigestInit_ex(context_->evp, nullptr, nullptr) == 1 &&
        EVP_DigestUpdate(context_->evp, node.data(), node.size()) == 1 &&
        EVP_DigestUpdate(context_->evp, "#", 1) == 1 &&
        EVP_DigestUpdate(context_->evp, address_text.data(), address_text.size()) == 1 &&
        EVP_DigestFinal_ex(context_->evp, digest.data(), nullptr) == 1;
    SY_CHECK(ok, "SHA-256 over memory cannot fail");
    return digest;
}

std::uint64_t node_seed(std::string_view name) {
    std::uint64_t hash = kFnvOffset;
    for (const char c : name) {
        const auto byte = static_cast<std::uint8_t>(c);
        hash = hash_bytes(hash, &byte, 1);
    }
    return mix(hash);
}

std::uint64_t address_seed(const net::IpAddress& address) {
    const auto bytes = address.bytes();
    return mix(hash_bytes(kFnvOffset ^ kAddressDomain, bytes.data(), bytes.size()));
}

}  // namespace steelyard::elect
