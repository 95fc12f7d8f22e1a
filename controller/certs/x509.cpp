#include "controller/certs/x509.hpp"

#include <openssl/bio.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include <algorithm>
#include <array>
#include <ctime>
#include <limits>
#include <memory>
#include <optional>
#include <utility>

namespace steelyard::certs {
namespace {

template <auto Free>
struct Deleter {
    template <class T>
    void operator()(T* object) const {
        Free(object);
    }
};
using Key = std::unique_ptr<EVP_PKEY, Deleter<EVP_PKEY_free>>;
using Certificate = std::unique_ptr<X509, Deleter<X509_free>>;
using Bio = std::unique_ptr<BIO, Deleter<BIO_free_all>>;
using Extension = std::unique_ptr<X509_EXTENSION, Deleter<X509_EXTENSION_free>>;
using Number = std::unique_ptr<BIGNUM, Deleter<BN_free>>;
using Store = std::unique_ptr<X509_STORE, Deleter<X509_STORE_free>>;
using StoreContext = std::unique_ptr<X509_STORE_CTX, Deleter<X509_STORE_CTX_free>>;

void free_stack(STACK_OF(X509) * stack) {
    sk_X509_pop_free(stack, X509_free);
}
using Stack = std::unique_ptr<STACK_OF(X509), Deleter<free_stack>>;

constexpr int kVersion3 = 2;

// OpenSSL remembers its errors per thread; left there they would be taken for those of a
// connection.
Error refused(const std::string& what) {
    ERR_clear_error();
    return make_error(Errc::Invalid, what);
}

Error openssl_failed(const std::string& what) {
    const unsigned long code = ERR_get_error();
    const char* reason = code == 0 ? nullptr : ERR_reason_error_string(code);
    ERR_clear_error();
    return make_error(Errc::Internal, what + ": " + (reason == nullptr ? "OpenSSL fails" : reason));
}

Bio reader_of(const std::string& text) {
    if (text.size() > static_cast<std::size_t>(std::numeric_limits<int>::max())) {
        return nullptr;
    }
    return Bio(BIO_new_mem_buf(text.data(), static_cast<int>(text.size())));
}

std::string text_of(BIO& bio) {
    BUF_MEM* memory = nullptr;
    BIO_get_mem_ptr(&bio, &memory);
    return {memory->data, memory->length};
}

// Without it OpenSSL asks on the terminal for the password of an encrypted key.
int no_password(char*, int, int, void*) {
    return -1;
}

std::vector<Certificate> read_certificates(const std::string& text) {
    std::vector<Certificate> certificates;
    const Bio bio = reader_of(text);
    while (bio) {
        Certificate one(PEM_read_bio_X509(bio.get(), nullptr, no_password, nullptr));
        if (!one) {
            break;
        }
        certificates.push_back(std::move(one));
    }
    ERR_clear_error();
    return certificates;
}

Result<Certificate> first_certificate(const std::string& text) {
    const Bio bio = reader_of(text);
    Certificate one(bio ? PEM_read_bio_X509(bio.get(), nullptr, no_password, nullptr) : nullptr);
    if (!one) {
        return refused("no certificate in PEM");
    }
    return one;
}

Result<Key> read_key(const std::string& text) {
    const Bio bio = reader_of(text);
    Key key(bio ? PEM_read_bio_PrivateKey(bio.get(), nullptr, no_password, nullptr) : nullptr);
    if (!key) {
        return refused("no private key in PEM, or one with a password");
    }
    return key;
}

Result<std::string> pem_of(X509& certificate) {
    const Bio bio(BIO_new(BIO_s_mem()));
    if (!bio || PEM_write_bio_X509(bio.get(), &certificate) != 1) {
        return openssl_failed("write a certificate");
    }
    return text_of(*bio);
}

Result<KeyPair> pem_of(X509& certificate, EVP_PKEY& key) {
    const Bio bio(BIO_new(BIO_s_mem()));
    if (!bio ||
        PEM_write_bio_PrivateKey(bio.get(), &key, nullptr, nullptr, 0, nullptr, nullptr) != 1) {
        return openssl_failed("write a key");
    }
    auto text = pem_of(certificate);
    if (!text) {
        return text.error();
    }
    return KeyPair{std::move(*text), text_of(*bio)};
}

bool set_time(ASN1_TIME* field, WallTime time) {
    return ASN1_TIME_set(field, std::chrono::system_clock::to_time_t(time)) != nullptr;
}

// Certificates may name any year up to 9999, and a WallTime of nanoseconds ends in 2262.
std::optional<WallTime> time_of(const ASN1_TIME* field) {
    constexpr std::time_t kEarliest = 0;
    constexpr std::time_t kLatest = 7258118400;  // the year 2200
    std::tm parts{};
    if (ASN1_TIME_to_tm(field, &parts) != 1) {
        return std::nullopt;
    }
    return std::chrono::system_clock::from_time_t(std::clamp(timegm(&parts), kEarliest, kLatest));
}

// RFC 5280 4.1.2.2: positive, at most 20 octets.
bool set_random_serial(X509& certificate) {
    std::array<unsigned char, 16> bytes{};
    if (RAND_bytes(bytes.data(), static_cast<int>(bytes.size())) != 1) {
        return false;
    }
    bytes[0] = static_cast<unsigned char>((bytes[0] & 0x7fU) | 0x40U);
    const Number number(BN_bin2bn(bytes.data(), static_cast<int>(bytes.size()), nullptr));
    return number != nullptr &&
           BN_to_ASN1_INTEGER(number.get(), X509_get_serialNumber(&certificate)) != nullptr;
}

bool set_name(X509& certificate, const std::string& common_name) {
    return X509_NAME_add_entry_by_NID(
               X509_get_subject_name(&certificate),
               NID_commonName,
               MBSTRING_ASC,
               reinterpret_cast<const unsigned char*>(common_name.c_str()),
               -1,
               -1,
               0
           ) == 1;
}

bool add_extension(X509& certificate, X509& issuer, int nid, const std::string& value) {
    X509V3_CTX context;
    X509V3_set_ctx(&context, &issuer, &certificate, nullptr, nullptr, 0);
    const Extension extension(X509V3_EXT_conf_nid(nullptr, &context, nid, value.c_str()));
    return extension && X509_add_ext(&certificate, extension.get(), -1) == 1;
}

Certificate unsigned_certificate(
    EVP_PKEY& key, const std::string& common_name, const Validity& validity
) {
    Certificate certificate(X509_new());
    if (!certificate || X509_set_version(certificate.get(), kVersion3) != 1 ||
        !set_random_serial(*certificate) || !set_name(*certificate, common_name) ||
        !set_time(X509_getm_notBefore(certificate.get()), validity.from) ||
        !set_time(X509_getm_notAfter(certificate.get()), validity.to) ||
        X509_set_pubkey(certificate.get(), &key) != 1) {
        return nullptr;
    }
    return certificate;
}

// Authorities follow one another under different names, so that a client picks the right one.
std::string authority_name(const Validity& validity) {
    const auto seconds =
        std::chrono::duration_cast<std::chrono::seconds>(validity.from.time_since_epoch());
    return "steelyard-webhook-ca-" + std::to_string(seconds.count());
}

std::string alternative_names(const std::vector<std::string>& names) {
    std::string text;
    for (const std::string& name : names) {
        text += (text.empty() ? "DNS:" : ",DNS:") + name;
    }
    return text;
}

}  // namespace

Result<KeyPair> make_authority(const Validity& validity) {
    const Key key(EVP_EC_gen("P-256"));
    if (!key) {
        return openssl_failed("make a key");
    }
    const Certificate certificate = unsigned_certificate(*key, authority_name(validity), validity);
    if (!certificate ||
        X509_set_issuer_name(certificate.get(), X509_get_subject_name(certificate.get())) != 1 ||
        !add_extension(
            *certificate, *certificate, NID_basic_constraints, "critical,CA:TRUE,pathlen:0"
        ) ||
        !add_extension(*certificate, *certificate, NID_key_usage, "critical,keyCertSign,cRLSign") ||
        !add_extension(*certificate, *certificate, NID_subject_key_identifier, "hash") ||
        X509_sign(certificate.get(), key.get(), EVP_sha256()) == 0) {
        return openssl_failed("make a certificate authority");
    }
    return pem_of(*certificate, *key);
}

Result<KeyPair> issue(
    const KeyPair& authority, const std::vector<std::string>& names, Validity validity
) {
    const auto issuer = first_certificate(authority.certificate);
    const auto issuer_key = read_key(authority.key);
    const auto limits = validity_of(authority.certificate);
    if (!issuer || !issuer_key || !limits) {
        return refused("a certificate authority that cannot be read");
    }
    validity.from = std::max(validity.from, limits->from);
    validity.to = std::min(validity.to, limits->to);
    const Key key(EVP_EC_gen("P-256"));
    if (!key) {
        return openssl_failed("make a key");
    }
    const Certificate certificate = unsigned_certificate(*key, "steelyard-webhook", validity);
    if (!certificate ||
        X509_set_issuer_name(certificate.get(), X509_get_subject_name(issuer->get())) != 1 ||
        !add_extension(*certificate, **issuer, NID_basic_constraints, "critical,CA:FALSE") ||
        !add_extension(*certificate, **issuer, NID_key_usage, "critical,digitalSignature") ||
        !add_extension(*certificate, **issuer, NID_ext_key_usage, "serverAuth") ||
        !add_extension(*certificate, **issuer, NID_subject_key_identifier, "hash") ||
        !add_extension(*certificate, **issuer, NID_authority_key_identifier, "keyid") ||
        !add_extension(*certificate, **issuer, NID_subject_alt_name, alternative_names(names)) ||
        X509_sign(certificate.get(), issuer_key->get(), EVP_sha256()) == 0) {
        return openssl_failed("make a serving certificate");
    }
    return pem_of(*certificate, *key);
}

Result<Validity> validity_of(const std::string& certificate) {
    const auto read = first_certificate(certificate);
    if (!read) {
        return read.error();
    }
    const auto from = time_of(X509_get0_notBefore(read->get()));
    const auto to = time_of(X509_get0_notAfter(read->get()));
    if (!from || !to) {
        return refused("a certificate without a readable validity");
    }
    return Validity{*from, *to};
}

Result<> check_key(const KeyPair& pair) {
    const auto certificate = first_certificate(pair.certificate);
    if (!certificate) {
        return certificate.error();
    }
    const auto key = read_key(pair.key);
    if (!key) {
        return key.error();
    }
    if (X509_check_private_key(certificate->get(), key->get()) != 1) {
        return refused("the key is not that of the certificate");
    }
    return {};
}

Result<> verify(
    const std::string& certificate,
    const std::string& authorities,
    const std::string& name,
    WallTime now
) {
    const std::vector<Certificate> chain = read_certificates(certificate);
    if (chain.empty()) {
        return refused("no certificate in PEM");
    }
    const Store store(X509_STORE_new());
    const Stack between(sk_X509_new_null());
    const StoreContext context(X509_STORE_CTX_new());
    if (!store || !between || !context) {
        return openssl_failed("verify a certificate");
    }
    for (const Certificate& authority : read_certificates(authorities)) {
        X509_STORE_add_cert(store.get(), authority.get());
    }
    for (std::size_t i = 1; i < chain.size(); ++i) {
        X509_up_ref(chain[i].get());
        sk_X509_push(between.get(), chain[i].get());
    }
    if (X509_STORE_CTX_init(context.get(), store.get(), chain[0].get(), between.get()) != 1 ||
        X509_STORE_CTX_set_purpose(context.get(), X509_PURPOSE_SSL_SERVER) != 1) {
        return openssl_failed("verify a certificate");
    }
    X509_VERIFY_PARAM* parameters = X509_STORE_CTX_get0_param(context.get());
    X509_VERIFY_PARAM_set_time(parameters, std::chrono::system_clock::to_time_t(now));
    X509_VERIFY_PARAM_set1_host(parameters, name.data(), name.size());
    if (X509_verify_cert(context.get()) != 1) {
        const int error = X509_STORE_CTX_get_error(context.get());
        return refused(X509_verify_cert_error_string(error));
    }
    ERR_clear_error();
    return {};
}

Result<std::vector<std::string>> split(const std::string& certificates) {
    std::vector<std::string> texts;
    for (const Certificate& certificate : read_certificates(certificates)) {
        auto text = pem_of(*certificate);
        if (!text) {
            return text.error();
        }
        texts.push_back(std::move(*text));
    }
    return texts;
}

}  // namespace steelyard::certs
