#include "e2e/apiserver/api/admit.hpp"
#include "e2e/apiserver/registry/timestamp.hpp"

// Leases (coordination.k8s.io/v1): their MicroTimes and what they may hold.
namespace steelyard::apiserver {

namespace {

// Go's wording for a text that does not fit RFC 3339 with six digits.
std::string unreadable(const std::string& text) {
    constexpr std::size_t kPoint = 19;
    const std::string rest = text.size() > kPoint ? text.substr(kPoint) : text;
    return "parsing time \"" + text +
           "\" as \"2006-01-02T15:04:05.000000Z07:00\": cannot parse \"" + rest +
           "\" as \".000000\"";
}

void check_whole(const Json& spec, const char* field, std::int64_t least, FieldErrors& errors) {
    const Json* value = member(spec, field);
    if (value == nullptr || value->is_null()) {
        return;
    }
    if (!value->is_number_integer() || value->get<std::int64_t>() < least) {
        errors.push_back(
            {std::string("spec.") + field,
             "FieldValueInvalid",
             "Invalid value: " + dump(*value) +
                 (least > 0 ? ": must be greater than 0" : ": must be greater than or equal to 0")}
        );
    }
}

}  // namespace

Outcome<> decode_builtin(const Kind& kind, const std::string& version, Json& object) {
    if (kind.resource() != "leases.coordination.k8s.io") {
        return {};
    }
    Json* spec = find(object, "spec");
    if (spec == nullptr || !spec->is_object()) {
        return {};
    }
    for (const char* field : {"acquireTime", "renewTime"}) {
        const Json* value = member(*spec, field);
        if (value == nullptr || value->is_null()) {
            spec->erase(field);
            continue;
        }
        const std::string text = value->is_string() ? value->get<std::string>() : dump(*value);
        const auto time = parse_micro_time(text);
        if (!time) {
            return bad_request(
                "Lease in version \"" + version +
                "\" cannot be handled as a Lease: " + unreadable(text)
            );
        }
        (*spec)[field] = format_micro_time(*time);
    }
    return {};
}

FieldErrors admit_lease(const Json& lease) {
    FieldErrors errors;
    const Json& spec = object_at(lease, "spec");
    check_whole(spec, "leaseDurationSeconds", 1, errors);
    check_whole(spec, "leaseTransitions", 0, errors);
    return errors;
}

}  // namespace steelyard::apiserver
