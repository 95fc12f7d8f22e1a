#include "e2e/apiserver/server/certificates.hpp"

#include <boost/asio/ip/address.hpp>

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509v3.h>

#include <memory>

namespace steelyard::apiserver {

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

constexpr long kTenYears = 10L * 365 * 24 * 3600;

Error openssl_error(const char* what) {
    char text[160];
    ERR_error_string_n(ERR_get_error(), text, sizeof text);
    return make_error(Errc::Internal, std::string(what) + ": " + text);
}

std::string content(BIO* bio) {
    char* data = nullptr;
    const long size = BIO_get_mem_data(bio, &data);
    return std::string(data, static_cast<std::size_t>(size));
}

Result<KeyPair> to_pem(X509* certificate, EVP_PKEY* key) {
    const Bio certificate_bio(BIO_new(BIO_s_mem()));
    const Bio key_bio(BIO_new(BIO_s_mem()));
    if (PEM_write_bio_X509(certificate_bio.get(), certificate) != 1 ||
        PEM_write_bio_PrivateKey(key_bio.get(), key, nullptr, nullptr, 0, nullptr, nullptr) != 1) {
        return openssl_error("write PEM");
    }
    KeyPair pair;
    pair.certificate = content(certificate_bio.get());
    pair.private_key = content(key_bio.get());
    return pair;
}

bool add_extension(X509* certificate, X509* issuer, int id, const std::string& value) {
    X509V3_CTX context;
    X509V3_set_ctx_nodb(&context);
    X509V3_set_ctx(&context, issuer, certificate, nullptr, nullptr, 0);
    const Extension extension(X509V3_EXT_conf_nid(nullptr, &context, id, value.c_str()));
    return extension != nullptr && X509_add_ext(certificate, extension.get(), -1) == 1;
}

// A certificate for key with everything but issuer, extensions and signature.
Certificate blank_certificate(EVP_PKEY* key, const std::string& common_name) {
    Certificate certificate(X509_new());
    X509_set_version(certificate.get(), 2);  // X.509 v3
    std::uint64_t serial = 1;
    RAND_bytes(reinterpret_cast<unsigned char*>(&serial), sizeof serial);
    ASN1_INTEGER_set_uint64(X509_get_serialNumber(certificate.get()), serial >> 1U);
    // A little in the past, for guests whose clock is behind.
    X509_gmtime_adj(X509_getm_notBefore(certificate.get()), -86400);
    X509_gmtime_adj(X509_getm_notAfter(certificate.get()), kTenYears);
    X509_set_pubkey(certificate.get(), key);
    X509_NAME_add_entry_by_txt(
        X509_get_subject_name(certificate.get()),
        "CN",
        MBSTRING_UTF8,
        reinterpret_cast<const unsigned char*>(common_name.c_str()),
        -1,
        -1,
        0
    );
    return certificate;
}

std::string alternative_names(const std::vector<std::string>& names) {
    std::string out;
    for (const std::string& name : names) {
        boost::system::error_code not_an_address;
        boost::asio::ip::make_address(name, not_an_address);
        out += (out.empty() ? "" : ",") + std::string(not_an_address ? "DNS:" : "IP:") + name;
    }
    return out;
}

}  // namespace

Result<KeyPair> make_authority(const std::string& common_name) {
    const Key key(EVP_EC_gen("P-256"));
    if (key == nullptr) {
        return openssl_error("generate key");
    }
    const Certificate certificate = blank_certificate(key.get(), common_name);
    X509* own = certificate.get();
    X509_set_issuer_name(own, X509_get_subject_name(own));
    const bool made = add_extension(own, own, NID_basic_constraints, "critical,CA:TRUE") &&
                      add_extension(own, own, NID_key_usage, "critical,keyCertSign,cRLSign") &&
                      add_extension(own, own, NID_subject_key_identifier, "hash") &&
                      X509_sign(own, key.get(), EVP_sha256()) != 0;
    if (!made) {
        return openssl_error("make certificate authority");
    }
    return to_pem(own, key.get());
}

Result<KeyPair> issue_serving_certificate(
    const KeyPair& authority, const std::vector<std::string>& names
) {
    const Bio certificate_bio(BIO_new_mem_buf(
        authority.certificate.data(), static_cast<int>(authority.certificate.size())
    ));
    const Bio key_bio(BIO_new_mem_buf(
        authority.private_key.data(), static_cast<int>(authority.private_key.size())
    ));
    const Certificate issuer(PEM_read_bio_X509(certificate_bio.get(), nullptr, nullptr, nullptr));
    const Key issuer_key(PEM_read_bio_PrivateKey(key_bio.get(), nullptr, nullptr, nullptr));
    if (issuer == nullptr || issuer_key == nullptr) {
        return openssl_error("read certificate authority");
    }
    const Key key(EVP_EC_gen("P-256"));
    if (key == nullptr) {
        return openssl_error("generate key");
    }
    const Certificate certificate = blank_certificate(key.get(), "kube-apiserver");
    X509* own = certificate.get();
    X509_set_issuer_name(own, X509_get_subject_name(issuer.get()));
    const bool made =
        add_extension(own, issuer.get(), NID_basic_constraints, "critical,CA:FALSE") &&
        add_extension(own, issuer.get(), NID_key_usage, "critical,digitalSignature") &&
        add_extension(own, issuer.get(), NID_ext_key_usage, "serverAuth") &&
        add_extension(own, issuer.get(), NID_subject_alt_name, alternative_names(names)) &&
        X509_sign(own, issuer_key.get(), EVP_sha256()) != 0;
    if (!made) {
        return openssl_error("issue serving certificate");
    }
    return to_pem(own, key.get());
}

std::string base64_line(const std::string& bytes) {
    std::string out(4 * ((bytes.size() + 2) / 3) + 1, '\0');
    const int size = EVP_EncodeBlock(
        reinterpret_cast<unsigned char*>(out.data()),
        reinterpret_cast<const unsigned char*>(bytes.data()),
        static_cast<int>(bytes.size())
    );
    out.resize(static_cast<std::size_t>(size));
    return out;
}

}  // namespace steelyard::apiserver
