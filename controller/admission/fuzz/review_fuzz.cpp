#include "controller/admission/body.hpp"
#include "controller/admission/review.hpp"

#include <nlohmann/json.hpp>

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

// Whatever is posted to /validate: an answer with a verdict, or one line.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    namespace admission = steelyard::admission;
    const auto body =
        admission::read_body(std::string_view(reinterpret_cast<const char*>(data), size));
    if (!body) {
        return 0;
    }
    admission::Snapshot snapshot;
    snapshot.ns = "metallb-system";
    const auto answer = admission::review(*body, snapshot);
    if (!answer) {
        if (answer.error().context.find('\n') != std::string::npos) {
            std::abort();
        }
        return 0;
    }
    const nlohmann::json& response = answer->at("response");
    const bool allowed = response.at("allowed");
    if (allowed == response.contains("status") || answer->dump().empty()) {
        std::abort();
    }
    return 0;
}
