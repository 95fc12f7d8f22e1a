#include "e2e/apiserver/server/faults.hpp"

#include "e2e/apiserver/json/failure.hpp"

#include <algorithm>

namespace steelyard::apiserver {

std::optional<FaultRule> Faults::take(std::string_view verb, std::string_view resource) {
    const auto found = std::find_if(rules_.begin(), rules_.end(), [&](const FaultRule& rule) {
        return (rule.verb.empty() || rule.verb == verb) &&
               (rule.resource.empty() || rule.resource == resource);
    });
    if (found == rules_.end()) {
        return std::nullopt;
    }
    FaultRule taken = *found;
    if (--found->count == 0) {
        rules_.erase(found);
    }
    return taken;
}

Result<FaultRule> parse_fault(const Json& value) {
    if (!value.is_object()) {
        return make_error(Errc::Invalid, "fault: want a JSON object");
    }
    FaultRule rule;
    rule.verb = text_at(value, "verb");
    rule.resource = text_at(value, "resource");
    const auto number = [&](const char* name, std::int64_t fallback, std::int64_t most) {
        return std::clamp<std::int64_t>(integer_at(value, name).value_or(fallback), 0, most);
    };
    rule.count = static_cast<unsigned>(number("count", 1, 1000000));
    rule.status = static_cast<unsigned>(number("status", 0, 599));
    rule.retry_after = static_cast<unsigned>(number("retryAfter", 0, 3600));
    rule.delay = std::chrono::milliseconds(number("delayMs", 0, 600000));
    rule.drop_connection = true_at(value, "dropConnection");
    const bool does_something =
        rule.status >= 400 || rule.delay.count() > 0 || rule.drop_connection;
    if (rule.count == 0 || !does_something) {
        return make_error(
            Errc::Invalid,
            "fault: want count > 0 and at least one of status (400-599), delayMs, dropConnection"
        );
    }
    return rule;
}

Json fault_status(const FaultRule& rule) {
    Failure failure;
    failure.code = rule.status;
    failure.message = "injected fault";
    failure.retry_after = rule.retry_after;
    switch (rule.status) {
        case 401:
            failure.reason = "Unauthorized";
            break;
        case 403:
            failure.reason = "Forbidden";
            break;
        case 404:
            failure.reason = "NotFound";
            break;
        case 409:
            failure.reason = "Conflict";
            break;
        case 410:
            failure.reason = "Expired";
            break;
        case 429:
            failure.reason = "TooManyRequests";
            break;
        case 503:
            failure.reason = "ServiceUnavailable";
            break;
        case 504:
            failure.reason = "Timeout";
            break;
        default:
            failure.reason = "InternalError";
            break;
    }
    return to_status(failure);
}

}  // namespace steelyard::apiserver
