#include "common/kube/watch/list_splitter.hpp"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

// Any bytes as a List, cut anywhere: cutting does not depend on the chunks, and what is cut out of
// a well-formed list is what a parser finds in it.
namespace {

using namespace steelyard::kube;

struct Found {
    bool complete = false;
    std::vector<std::string> items;
    std::string envelope;
    bool operator==(const Found&) const = default;
};

Found cut(std::string_view text, std::size_t chunk) {
    ListSplitter list(1U << 16U);
    Found found;
    while (!text.empty()) {
        const std::size_t size = std::min(chunk, text.size());
        list.push(text.substr(0, size));
        text.remove_prefix(size);
        while (const auto item = list.next()) {
            found.items.emplace_back(*item);
        }
    }
    found.complete = list.complete();
    found.envelope = list.envelope();
    return found;
}

void require(bool holds) {
    if (!holds) {
        std::abort();
    }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size == 0) {
        return 0;
    }
    const std::size_t chunk = 1 + data[0] % 32;
    const std::string_view text(reinterpret_cast<const char*>(data) + 1, size - 1);
    const Found found = cut(text, chunk);
    require(found == cut(text, text.size() + 1));
    const nlohmann::json document = nlohmann::json::parse(text, nullptr, false);
    // A key may be written twice, the second time with an escape: the parser then sees another one.
    const bool plain = text.find("\\u") == std::string_view::npos;
    if (!found.complete || !plain || !document.is_object() || found.items.empty()) {
        return 0;
    }
    const auto& items = document.at("items");
    require(items.size() == found.items.size());
    for (std::size_t i = 0; i < found.items.size(); ++i) {
        require(nlohmann::json::parse(found.items[i], nullptr, false) == items[i]);
    }
    return 0;
}
