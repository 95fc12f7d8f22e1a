#include "common/kube/model/endpoint_details.hpp"

#include <algorithm>
#include <cstddef>

namespace steelyard::kube {
namespace {

constexpr char kPart = '\n';
constexpr char kItem = ',';

bool is_name(std::string_view text) {
    return std::none_of(text.begin(), text.end(), [](char c) {
        return c == kPart || c == kItem || c == '\0';
    });
}

void append(std::string& text, const std::string& name) {
    if (is_name(name)) {
        text += name;
    }
}

void append(std::string& text, const std::vector<std::string>& names) {
    bool first = true;
    for (const std::string& name : names) {
        if (!name.empty() && is_name(name)) {
            text += first ? "" : std::string_view(&kItem, 1);
            text += name;
            first = false;
        }
    }
}

std::unique_ptr<const char[]> copy(std::string_view text) {
    auto block = std::make_unique<char[]>(text.size() + 1);
    std::copy(text.begin(), text.end(), block.get());
    return block;
}

std::vector<std::string_view> split(std::string_view text) {
    std::vector<std::string_view> items;
    while (!text.empty()) {
        const std::size_t end = std::min(text.find(kItem), text.size());
        items.push_back(text.substr(0, end));
        text.remove_prefix(std::min(end + 1, text.size()));
    }
    return items;
}

}  // namespace

EndpointDetails::EndpointDetails(const Fields& fields) {
    std::string text;
    append(text, fields.zone);
    text += kPart;
    append(text, fields.pod);
    text += kPart;
    append(text, fields.for_zones);
    text += kPart;
    append(text, fields.for_nodes);
    while (!text.empty() && text.back() == kPart) {
        text.pop_back();
    }
    if (!text.empty()) {
        text_ = copy(text);
    }
}

EndpointDetails::EndpointDetails(const EndpointDetails& other)
    : text_(other.text_ ? copy(other.text()) : nullptr) {}

EndpointDetails& EndpointDetails::operator=(const EndpointDetails& other) {
    if (this != &other) {
        text_ = other.text_ ? copy(other.text()) : nullptr;
    }
    return *this;
}

std::string_view EndpointDetails::text() const {
    return text_ ? std::string_view(text_.get()) : std::string_view();
}

std::string_view EndpointDetails::part(unsigned index) const {
    std::string_view rest = text();
    for (; index > 0; --index) {
        const std::size_t end = rest.find(kPart);
        rest = end == std::string_view::npos ? std::string_view() : rest.substr(end + 1);
    }
    return rest.substr(0, rest.find(kPart));
}

std::string_view EndpointDetails::zone() const {
    return part(0);
}

std::string_view EndpointDetails::pod() const {
    return part(1);
}

std::vector<std::string_view> EndpointDetails::for_zones() const {
    return split(part(2));
}

std::vector<std::string_view> EndpointDetails::for_nodes() const {
    return split(part(3));
}

}  // namespace steelyard::kube
