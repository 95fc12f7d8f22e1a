#include "common/testing/certificates.hpp"

#include "common/base/check.hpp"

#include <openssl/bio.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include <memory>

namespace steelyard::fakes {
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

std::string text_of(const Bio& bio) {
    BUF_MEM* memory = nullptr;
    BIO_get_mem_ptr(bio.get(), &memory);
    return {memory->data, memory->length};
}

void add_extension(X509& certificate, X509& issuer, int nid, const std::string& value) {
    X509V3_CTX context;
    X509V3_set_ctx(&context, &issuer, &certificate, nullptr, nullptr, 0);
    X509_EXTENSION* extension = X509V3_EXT_conf_nid(nullptr, &context, nid, value.c_str());
    SY_CHECK(extension != nullptr, "test certificate extension");
    X509_add_ext(&certificate, extension, -1);
    X509_EXTENSION_free(extension);
}

Certificate blank(EVP_PKEY& key, const char* common_name, long serial) {
    constexpr long kHour = 3600;
    Certificate certificate(X509_new());
    X509_set_version(certificate.get(), 2);
    ASN1_INTEGER_set(X509_get_serialNumber(certificate.get()), serial);
    X509_gmtime_adj(X509_getm_notBefore(certificate.get()), -kHour);
    X509_gmtime_adj(X509_getm_notAfter(certificate.get()), kHour);
    X509_set_pubkey(certificate.get(), &key);
    const std::string name(common_name);
    X509_NAME_add_entry_by_NID(
        X509_get_subject_name(certificate.get()),
        NID_commonName,
        MBSTRING_ASC,
        reinterpret_cast<const unsigned char*>(name.c_str()),
        -1,
        -1,
        0
    );
    return certificate;
}

PemPair pem_of(X509& certificate, EVP_PKEY& key) {
    const Bio certificate_bio(BIO_new(BIO_s_mem()));
    PEM_write_bio_X509(certificate_bio.get(), &certificate);
    const Bio key_bio(BIO_new(BIO_s_mem()));
    PEM_write_bio_PrivateKey(key_bio.get(), &key, nullptr, nullptr, 0, nullptr, nullptr);
    return PemPair{text_of(certificate_bio), text_of(key_bio)};
}

Key new_key() {
    Key key(EVP_EC_gen("P-256"));
    SY_CHECK(key != nullptr, "test key");
    return key;
}

}  // namespace

PemPair make_authority() {
    const Key key = new_key();
    const Certificate certificate = blank(*key, "test authority", 1);
    X509_set_issuer_name(certificate.get(), X509_get_subject_name(certificate.get()));
    add_extension(*certificate, *certificate, NID_basic_constraints, "critical,CA:TRUE");
    X509_sign(certificate.get(), key.get(), EVP_sha256());
    return pem_of(*certificate, *key);
}

PemPair issue(const PemPair& authority, const std::string& alternative_name) {
    const Bio certificate_bio(BIO_new_mem_buf(authority.certificate.data(), -1));
    const Certificate issuer(PEM_read_bio_X509(certificate_bio.get(), nullptr, nullptr, nullptr));
    const Bio key_bio(BIO_new_mem_buf(authority.key.data(), -1));
    const Key issuer_key(PEM_read_bio_PrivateKey(key_bio.get(), nullptr, nullptr, nullptr));
    SY_CHECK(issuer && issuer_key, "test authority");

    const Key key = new_key();
    const Certificate certificate = blank(*key, "test server", 2);
    X509_set_issuer_name(certificate.get(), X509_get_subject_name(issuer.get()));
    add_extension(*certificate, *issuer, NID_subject_alt_name, alternative_name);
    X509_sign(certificate.get(), issuer_key.get(), EVP_sha256());
    return pem_of(*certificate, *key);
}

}  // namespace steelyard::fakes
