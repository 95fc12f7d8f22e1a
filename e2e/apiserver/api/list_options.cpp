#include "e2e/apiserver/api/list_options.hpp"

#include <charconv>

namespace steelyard::apiserver {

namespace {

std::optional<std::uint64_t> number(const std::string& text) {
    std::uint64_t value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc{} || end != text.data() + text.size()) {
        return std::nullopt;
    }
    return value;
}

FieldError forbidden_field(const char* field, const char* why) {
    return {field, "FieldValueForbidden", std::string("Forbidden: ") + why};
}

FieldError unsupported_match(const std::string& match, const char* accepted) {
    return {
        "resourceVersionMatch",
        "FieldValueNotSupported",
        "Unsupported value: \"" + match + "\": supported values: " + accepted};
}

Failure invalid_options(const FieldErrors& errors) {
    Subject subject;
    subject.group = "meta.k8s.io";
    subject.kind = "ListOptions";
    return invalid(subject, errors);
}

// The version a request names; 0 when it names none.
Outcome<std::uint64_t> version_of(const std::string& text) {
    if (text.empty()) {
        return Outcome<std::uint64_t>(boost::system::in_place_value, 0U);
    }
    const auto version = number(text);
    if (!version) {
        return bad_request(
            "invalid resource version: resourceVersion: Invalid value: \"" + text +
            "\": strconv.ParseUint: parsing \"" + text + "\": invalid syntax"
        );
    }
    return Outcome<std::uint64_t>(boost::system::in_place_value, *version);
}

}  // namespace

Outcome<ListOptions> parse_list_options(const Query& query) {
    const std::string text = query_text(query, "resourceVersion");
    const std::string match = query_text(query, "resourceVersionMatch");
    ListOptions options;
    options.continue_token = query_text(query, "continue");
    options.limit = number(query_text(query, "limit")).value_or(0);
    FieldErrors errors;
    if (!match.empty()) {
        if (text.empty()) {
            errors.push_back(forbidden_field(
                "resourceVersionMatch",
                "resourceVersionMatch is forbidden unless resourceVersion is provided"
            ));
        }
        if (!options.continue_token.empty()) {
            errors.push_back(forbidden_field(
                "resourceVersionMatch",
                "resourceVersionMatch is forbidden when continue is provided"
            ));
        }
        if (match != "Exact" && match != "NotOlderThan") {
            errors.push_back(unsupported_match(match, R"("Exact", "NotOlderThan", "")"));
        }
        if (match == "Exact" && text == "0") {
            errors.push_back(forbidden_field(
                "resourceVersionMatch",
                "resourceVersionMatch \"exact\" is forbidden for resourceVersion \"0\""
            ));
        }
    }
    if (!query_text(query, "sendInitialEvents").empty()) {
        errors.push_back(
            forbidden_field("sendInitialEvents", "sendInitialEvents is forbidden for list")
        );
    }
    if (!errors.empty()) {
        return invalid_options(errors);
    }
    const auto version = version_of(text);
    if (!version) {
        return version.error();
    }
    options.version = *version;
    if (!options.continue_token.empty() && options.version != 0) {
        return bad_request("specifying resource version is not allowed when using continue");
    }
    if (text.empty()) {
        options.freshness = Freshness::Newest;
    } else if (options.version == 0) {
        options.freshness = Freshness::Any;
        // Served from the watch cache, which does not page.
        options.limit = options.continue_token.empty() ? 0 : options.limit;
    } else {
        // A paged list of a version without a match has always meant exactly that version.
        const bool exact = match == "Exact" || (match.empty() && options.limit > 0);
        options.freshness = exact ? Freshness::Exact : Freshness::NotOlderThan;
    }
    return Outcome<ListOptions>(boost::system::in_place_value, std::move(options));
}

Outcome<WatchOptions> parse_watch_options(const Query& query, bool watch_list) {
    const std::string text = query_text(query, "resourceVersion");
    const std::string match = query_text(query, "resourceVersionMatch");
    const std::string initial = query_text(query, "sendInitialEvents");
    FieldErrors errors;
    if (initial.empty() && !match.empty()) {
        errors.push_back(forbidden_field(
            "resourceVersionMatch",
            "resourceVersionMatch is forbidden for watch unless sendInitialEvents is provided"
        ));
    }
    if (!initial.empty() && match != "NotOlderThan") {
        errors.push_back(forbidden_field(
            "resourceVersionMatch",
            "sendInitialEvents requires setting resourceVersionMatch to NotOlderThan"
        ));
        if (!match.empty()) {
            errors.push_back(unsupported_match(match, R"("NotOlderThan")"));
        }
    }
    if (!initial.empty() && !watch_list) {
        errors.push_back(forbidden_field(
            "sendInitialEvents",
            "sendInitialEvents is forbidden for watch unless the WatchList feature gate is enabled"
        ));
    }
    if (!errors.empty()) {
        return invalid_options(errors);
    }
    const auto version = version_of(text);
    if (!version) {
        return version.error();
    }
    WatchOptions options;
    options.version = *version;
    if (!initial.empty()) {
        options.send_initial_events = query_true(query, "sendInitialEvents");
    }
    if (text.empty()) {
        options.freshness = Freshness::Newest;
    } else if (options.version == 0) {
        options.freshness = Freshness::Any;
    } else {
        options.freshness = options.send_initial_events.value_or(false) ? Freshness::NotOlderThan
                                                                        : Freshness::Exact;
    }
    return options;
}

std::string format_continue(const ListPlace& place) {
    static constexpr char kHex[] = "0123456789abcdef";
    std::string out = std::to_string(place.version) + "z";
    for (const char c : place.key) {
        const auto byte = static_cast<unsigned char>(c);
        out.push_back(kHex[byte >> 4U]);
        out.push_back(kHex[byte & 15U]);
    }
    return out;
}

std::optional<ListPlace> parse_continue(const std::string& token) {
    const std::size_t end = token.find('z');
    const auto version = number(token.substr(0, end));
    if (end == std::string::npos || !version || (token.size() - end - 1) % 2 != 0) {
        return std::nullopt;
    }
    ListPlace place;
    place.version = *version;
    for (std::size_t i = end + 1; i < token.size(); i += 2) {
        unsigned byte = 0;
        if (std::from_chars(&token[i], &token[i] + 2, byte, 16).ptr != &token[i] + 2) {
            return std::nullopt;
        }
        place.key.push_back(static_cast<char>(byte));
    }
    return place;
}

Failure version_too_large(std::uint64_t wanted, std::uint64_t current) {
    Failure failure;
    failure.code = 504;
    failure.reason = "Timeout";
    failure.message = "Timeout: Too large resource version: " + std::to_string(wanted) +
                      ", current: " + std::to_string(current);
    failure.details = Json{
        {"causes",
         Json::array(
             {{{"reason", "ResourceVersionTooLarge"}, {"message", "Too large resource version"}}}
         )}};
    failure.retry_after = 1;
    return failure;
}

}  // namespace steelyard::apiserver
