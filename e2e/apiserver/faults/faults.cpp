#include "e2e/apiserver/faults/faults.hpp"

#include "e2e/apiserver/json/failure.hpp"

namespace steelyard::apiserver {

namespace {

bool glob_matches(std::string_view pattern, std::string_view text) {
    std::size_t p = 0;
    std::size_t t = 0;
    std::size_t star = std::string_view::npos;
    std::size_t resume = 0;
    while (t < text.size()) {
        if (p < pattern.size() && pattern[p] == '*') {
            star = p++;
            resume = t;
        } else if (p < pattern.size() && pattern[p] == text[t]) {
            ++p;
            ++t;
        } else if (star != std::string_view::npos) {
            p = star + 1;
            t = ++resume;
        } else {
            return false;
        }
    }
    while (p < pattern.size() && pattern[p] == '*') {
        ++p;
    }
    return p == pattern.size();
}

const char* reason_of(unsigned status) {
    switch (status) {
        case 401:
            return "Unauthorized";
        case 403:
            return "Forbidden";
        case 404:
            return "NotFound";
        case 409:
            return "Conflict";
        case 410:
            return "Expired";
        case 429:
            return "TooManyRequests";
        case 503:
            return "ServiceUnavailable";
        case 504:
            return "Timeout";
        default:
            return "InternalError";
    }
}

}  // namespace

bool FaultRule::matches(const RequestKey& request) const {
    const std::string full = request.subresource.empty()
                                 ? request.resource
                                 : request.resource + "/" + request.subresource;
    return (verb.empty() || verb == request.verb) &&
           (resource.empty() || resource == request.resource || resource == full) &&
           (path.empty() || glob_matches(path, request.path));
}

bool FaultRule::shapes_body() const {
    return cut_at || stall_at || bytes_per_second > 0 || garbage_at;
}

bool FaultRule::does_something() const {
    return status >= 400 || body || !content_type.empty() || delay.count() > 0 || drop_connection ||
           shapes_body() || error_after || duplicate_bookmarks || late_bookmarks;
}

FaultRule html_page(unsigned status) {
    FaultRule rule;
    rule.status = status;
    rule.content_type = "text/html";
    rule.body = "<html>\r\n<head><title>" + std::to_string(status) +
                "</title></head>\r\n<body>\r\n<center><h1>" + std::to_string(status) +
                " Bad Gateway</h1></center>\r\n</body>\r\n</html>\r\n";
    return rule;
}

std::optional<FaultRule> Faults::take(const RequestKey& request) {
    for (auto rule = rules_.begin(); rule != rules_.end(); ++rule) {
        if (!rule->matches(request)) {
            continue;
        }
        if (rule->skip > 0) {
            --rule->skip;
            continue;
        }
        FaultRule taken = *rule;
        if (--rule->count == 0) {
            rules_.erase(rule);
        }
        return taken;
    }
    return std::nullopt;
}

Json fault_status(const FaultRule& rule) {
    Failure failure;
    failure.code = rule.status == 0 ? 410 : rule.status;
    failure.reason = reason_of(failure.code);
    failure.message = "injected fault";
    failure.retry_after = rule.retry_after;
    if (!rule.cause.empty()) {
        Json cause{{"reason", rule.cause}, {"message", "injected fault"}};
        failure.details["causes"] = Json::array({std::move(cause)});
    }
    return to_status(failure);
}

}  // namespace steelyard::apiserver
