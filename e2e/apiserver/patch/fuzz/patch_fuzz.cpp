#include "e2e/apiserver/patch/apply.hpp"

#include <cstddef>
#include <cstdint>
#include <string_view>

// Two JSON texts, split at the first line feed: an object and a patch for it.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace steelyard::apiserver;
    const std::string_view text(reinterpret_cast<const char*>(data), size);
    const std::size_t end = text.find('\n');
    if (end == std::string_view::npos) {
        return 0;
    }
    const Json target = parse_json(text.substr(0, end));
    const Json patch = parse_json(text.substr(end + 1));
    if (!target.is_object() || patch.is_discarded()) {
        return 0;
    }
    (void)merge_patch(target, patch);
    (void)json_patch(target, patch);
    (void)strategic_merge_patch(target, patch, builtin_list_rule);
    if (patch.is_object()) {
        ApplyRequest request;
        request.manager = "fuzz";
        (void)server_side_apply(target, patch, request, builtin_list_rule);
    }
    return 0;
}
