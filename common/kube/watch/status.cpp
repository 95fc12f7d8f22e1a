#include "common/kube/watch/status.hpp"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <charconv>
#include <chrono>
#include <cstdint>

namespace steelyard::kube {
namespace {

// Longest wait we accept from a server, seconds.
constexpr std::int64_t kMaxRetryAfter = 600;

Duration seconds_of(std::int64_t value) {
    return std::chrono::seconds(std::clamp<std::int64_t>(value, 0, kMaxRetryAfter));
}

Duration parse_retry_after(std::string_view text) {
    std::int64_t value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    const bool whole = error == std::errc{} && end == text.data() + text.size();
    return whole ? seconds_of(value) : Duration{};
}

std::string text_at(const nlohmann::json& object, const char* name) {
    if (object.is_object()) {
        const auto found = object.find(name);
        if (found != object.end() && found->is_string()) {
            return found->get<std::string>();
        }
    }
    return {};
}

std::int64_t number_at(const nlohmann::json& object, const char* name) {
    if (object.is_object()) {
        const auto found = object.find(name);
        if (found != object.end() && found->is_number_integer()) {
            return found->get<std::int64_t>();
        }
    }
    return 0;
}

std::string one_line(std::string_view text, std::size_t limit) {
    std::string result(text.substr(0, limit));
    for (char& c : result) {
        if (static_cast<unsigned char>(c) < ' ' || c == '\x7f') {
            c = ' ';
        }
    }
    return result;
}

bool says_too_large(const nlohmann::json& details, std::string_view message) {
    // Servers before 1.18 sent only the text.
    if (message.find("Too large resource version") != std::string_view::npos) {
        return true;
    }
    if (!details.is_object() || !details.contains("causes") || !details["causes"].is_array()) {
        return false;
    }
    const auto& causes = details["causes"];
    return std::any_of(causes.begin(), causes.end(), [](const nlohmann::json& cause) {
        return text_at(cause, "reason") == "ResourceVersionTooLarge";
    });
}

Errc errc_of(unsigned code) {
    switch (code) {
        case 401:
        case 403:
            return Errc::Unauthorized;
        case 404:
            return Errc::NotFound;
        case 408:
        case 504:
            return Errc::Timeout;
        case 409:
            return Errc::Conflict;
        case 410:
            return Errc::Expired;
        case 429:
            return Errc::TooManyRequests;
        case 502:
        case 503:
            return Errc::Unavailable;
        default:
            return code >= 400 && code < 500 ? Errc::Invalid : Errc::Internal;
    }
}

// Codes of an Errc that also carry the server's Retry-After, in milliseconds.
// Boost's error_category has a protected non-virtual destructor by design: categories are never
// deleted.
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wnon-virtual-dtor"
// NOLINTNEXTLINE(cppcoreguidelines-virtual-class-destructor): as above
class ComeBackLater final : public boost::system::error_category {
public:
    explicit ComeBackLater(Errc errc) : condition_(static_cast<int>(errc), errc_category()) {}
    [[nodiscard]] const char* name() const noexcept override { return "steelyard.kube.later"; }
    [[nodiscard]] std::string message(int /*value*/) const override { return condition_.message(); }
    [[nodiscard]] boost::system::error_condition default_error_condition(int /*value*/
    ) const noexcept override {
        return condition_;
    }

private:
    boost::system::error_condition condition_;
};
#pragma GCC diagnostic pop

// Null for the kinds of failure that are not about the server's load.
const boost::system::error_category* later_category(Errc errc) {
    static const ComeBackLater kTooManyRequests(Errc::TooManyRequests);
    static const ComeBackLater kUnavailable(Errc::Unavailable);
    static const ComeBackLater kTimeout(Errc::Timeout);
    if (errc == Errc::TooManyRequests) {
        return &kTooManyRequests;
    }
    if (errc == Errc::Unavailable) {
        return &kUnavailable;
    }
    return errc == Errc::Timeout ? &kTimeout : nullptr;
}

boost::system::error_code code_of(const ApiStatus& status) {
    const Errc errc = status.expired() ? Errc::Expired : errc_of(status.code);
    const auto* later = later_category(errc);
    const auto wait = std::chrono::duration_cast<std::chrono::milliseconds>(status.retry_after);
    if (later == nullptr || wait.count() <= 0) {
        return make_error_code(errc);
    }
    return {static_cast<int>(wait.count()), *later};  // at most kMaxRetryAfter: it fits
}

}  // namespace

bool ApiStatus::expired() const {
    return code == 410 || reason == "Expired" || reason == "Gone";
}

ApiStatus status_of(const nlohmann::json& object) {
    constexpr std::size_t kMaxMessage = 500;
    ApiStatus status;
    const std::int64_t code = number_at(object, "code");
    status.code = code >= 100 && code <= 599 ? static_cast<unsigned>(code) : 500;
    status.reason = one_line(text_at(object, "reason"), kMaxMessage);
    status.message = one_line(text_at(object, "message"), kMaxMessage);
    if (object.is_object() && object.contains("details")) {
        const nlohmann::json& details = object["details"];
        status.retry_after = seconds_of(number_at(details, "retryAfterSeconds"));
        status.version_too_large = says_too_large(details, status.message);
    } else {
        status.version_too_large = says_too_large(nlohmann::json(), status.message);
    }
    return status;
}

ApiStatus parse_status(unsigned http_status, std::string_view retry_after, std::string_view body) {
    constexpr std::size_t kShownOfForeignBody = 120;
    const nlohmann::json object = nlohmann::json::parse(body, nullptr, false);
    ApiStatus status;
    if (text_at(object, "kind") == "Status") {
        status = status_of(object);
    } else {
        status.message = one_line(body, kShownOfForeignBody);
    }
    status.code = http_status;
    const Duration header = parse_retry_after(retry_after);
    if (header > Duration{}) {
        status.retry_after = header;
    }
    return status;
}

Error to_error(const ApiStatus& status, std::string_view what) {
    std::string text(what);
    text += ": ";
    if (!status.message.empty()) {
        text += status.message;
    } else {
        text += status.reason.empty() ? "the server refused" : status.reason;
    }
    text += " (HTTP " + std::to_string(status.code) + ")";
    return make_error(code_of(status), std::move(text));
}

Duration retry_after(const Error& error) {
    for (const Errc errc : {Errc::TooManyRequests, Errc::Unavailable, Errc::Timeout}) {
        if (error.code.category() == *later_category(errc)) {
            return std::chrono::milliseconds(error.code.value());
        }
    }
    return {};
}

}  // namespace steelyard::kube
