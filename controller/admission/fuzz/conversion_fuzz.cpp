#include "controller/admission/body.hpp"
#include "controller/admission/conversion.hpp"

#include <nlohmann/json.hpp>

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

// Whatever is posted to /convert; and each v1beta2 object of it survives the way there and back.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    namespace admission = steelyard::admission;
    const auto body =
        admission::read_body(std::string_view(reinterpret_cast<const char*>(data), size));
    if (!body) {
        return 0;
    }
    const auto answer = admission::convert(*body);
    if (!answer) {
        return 0;
    }
    static_cast<void>(answer->dump());
    for (const nlohmann::json& object : body->at("request").at("objects")) {
        if (!object.is_object() ||
            object.value("apiVersion", nlohmann::json()) != "metallb.io/v1beta2") {
            continue;
        }
        const auto older = admission::convert_peer(object, "metallb.io/v1beta1");
        if (older && admission::convert_peer(*older, "metallb.io/v1beta2").value() != object) {
            std::abort();
        }
    }
    return 0;
}
