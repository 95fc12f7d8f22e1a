#include "common/yaml/documents.hpp"
#include "controller/check/manifests.hpp"

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

// Any text as manifests: remarks of one line each, and the same ones the second time.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace steelyard::check;
    if (size > 1U << 14U) {
        return 0;
    }
    const std::string_view text(reinterpret_cast<const char*>(data), size);
    const steelyard::yaml::Documents documents = steelyard::yaml::read_documents(text);
    for (const steelyard::yaml::BadDocument& bad : documents.bad) {
        if (bad.what.find('\n') != std::string::npos || bad.line == 0) {
            std::abort();
        }
    }
    Manifests once("metallb-system");
    Manifests again("metallb-system");
    for (const steelyard::yaml::Document& document : documents.read) {
        once.add("f", document);
        again.add("f", document);
    }
    const auto remarks = once.judge(true);
    if (remarks != again.judge(true)) {
        std::abort();
    }
    for (const Remark& remark : remarks) {
        if (to_string(remark).find('\n') != std::string::npos) {
            std::abort();
        }
    }
    return 0;
}
