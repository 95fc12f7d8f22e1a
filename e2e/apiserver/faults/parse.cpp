#include "e2e/apiserver/faults/faults.hpp"

#include <algorithm>

namespace steelyard::apiserver {

namespace {

std::int64_t number(const Json& value, const char* name, std::int64_t fallback, std::int64_t most) {
    return std::clamp<std::int64_t>(integer_at(value, name).value_or(fallback), 0, most);
}

std::optional<std::size_t> offset(const Json& value, const char* name) {
    if (!integer_at(value, name)) {
        return std::nullopt;
    }
    return static_cast<std::size_t>(number(value, name, 0, std::int64_t{1} << 40U));
}

std::chrono::milliseconds span(const Json& value, const char* name) {
    return std::chrono::milliseconds(number(value, name, 0, 600000));
}

void parse_shape(const Json& value, FaultRule& rule) {
    rule.cut_at = offset(value, "cutAt");
    rule.mid_chunk = true_at(value, "midChunk");
    rule.reset = true_at(value, "reset");
    rule.stall = span(value, "stallMs");
    rule.stall_at = offset(value, "stallAt");
    if (!rule.stall_at && rule.stall.count() > 0) {
        rule.stall_at = 0;
    }
    rule.bytes_per_second = static_cast<unsigned>(number(value, "bytesPerSecond", 0, 1000000000));
    rule.garbage = text_at(value, "garbage");
    rule.garbage_at = offset(value, "garbageAt");
    if (!rule.garbage_at && !rule.garbage.empty()) {
        rule.garbage_at = 0;
    }
    rule.raw_garbage = true_at(value, "rawGarbage");
}

}  // namespace

Result<FaultRule> parse_fault(const Json& value) {
    if (!value.is_object()) {
        return make_error(Errc::Invalid, "fault: want a JSON object");
    }
    const auto status = static_cast<unsigned>(number(value, "status", 0, 599));
    FaultRule rule = true_at(value, "html") ? html_page(status == 0 ? 502 : status) : FaultRule();
    rule.status = rule.status == 0 ? status : rule.status;
    rule.verb = text_at(value, "verb");
    rule.resource = text_at(value, "resource");
    rule.path = text_at(value, "path");
    rule.count = static_cast<unsigned>(number(value, "count", 1, 1000000000));
    rule.skip = static_cast<unsigned>(number(value, "skip", 0, 1000000000));
    rule.retry_after = static_cast<unsigned>(number(value, "retryAfter", 0, 3600));
    rule.cause = text_at(value, "cause");
    if (const Json* body = member(value, "body"); body != nullptr && body->is_string()) {
        rule.body = body->get<std::string>();
    }
    if (const std::string type = text_at(value, "contentType"); !type.empty()) {
        rule.content_type = type;
    }
    rule.delay = span(value, "delayMs");
    rule.drop_connection = true_at(value, "dropConnection");
    parse_shape(value, rule);
    if (integer_at(value, "errorAfter")) {
        rule.error_after = static_cast<unsigned>(number(value, "errorAfter", 0, 1000000000));
    }
    rule.duplicate_bookmarks = true_at(value, "duplicateBookmarks");
    rule.late_bookmarks = true_at(value, "lateBookmarks");
    if (rule.count == 0 || !rule.does_something()) {
        return make_error(
            Errc::Invalid,
            "fault: want count > 0 and at least one of status (400-599), html, body, contentType, "
            "delayMs, dropConnection, cutAt, stallMs, bytesPerSecond, garbage, errorAfter, "
            "duplicateBookmarks, lateBookmarks"
        );
    }
    return rule;
}

}  // namespace steelyard::apiserver
