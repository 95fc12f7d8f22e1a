#include "e2e/apiserver/schema/schema.hpp"

#include <gtest/gtest.h>

namespace steelyard::apiserver {
namespace {

const Json kSchema = parse_json(R"({"type":"object","required":["spec"],"properties":{
    "spec":{"type":"object","required":["addresses"],"properties":{
        "addresses":{"type":"array","minItems":1,"items":{"type":"string"}},
        "auto":{"type":"boolean","default":true},
        "mode":{"type":"string","enum":["fast","safe"]},
        "port":{"type":"integer","format":"int32","minimum":0,"maximum":16384},
        "name":{"type":"string","pattern":"^[a-z]+$","maxLength":3},
        "size":{"x-kubernetes-int-or-string":true},
        "free":{"type":"object","x-kubernetes-preserve-unknown-fields":true},
        "inner":{"type":"object","properties":{"n":{"type":"integer","default":7}}},
        "peers":{"type":"array","x-kubernetes-list-type":"map",
                 "x-kubernetes-list-map-keys":["id"],
                 "items":{"type":"object","properties":{"id":{"type":"string"}}}}}}}})");

std::string errors_of(const char* spec) {
    Json object = Json::object();
    object["spec"] = parse_json(spec);
    std::string out;
    for (const FieldError& error : validate(kSchema, object)) {
        out += (out.empty() ? "" : "; ") + error.path + ": " + error.text;
    }
    return out;
}

TEST(SchemaTest, ErrorsSayWhatKubernetesSays) {
    const struct {
        const char* spec;
        const char* error;
    } cases[] = {
        {R"({"addresses":["a"]})", ""},
        {R"({})", "spec.addresses: Required value"},
        {R"({"addresses":[]})",
         "spec.addresses: Invalid value: 0: spec.addresses in body should have at least 1 items"},
        {R"({"addresses":[1]})",
         "spec.addresses[0]: Invalid value: \"integer\": spec.addresses[0] in body must be of type "
         "string: \"integer\""},
        {R"({"addresses":["a"],"mode":"odd"})",
         "spec.mode: Unsupported value: \"odd\": supported values: \"fast\", \"safe\""},
        {R"({"addresses":["a"],"port":-1})",
         "spec.port: Invalid value: -1: spec.port in body should be greater than or equal to 0"},
        {R"({"addresses":["a"],"port":16385})",
         "spec.port: Invalid value: 16385: spec.port in body should be less than or equal to "
         "16384"},
        {R"({"addresses":["a"],"name":"A"})",
         "spec.name: Invalid value: \"A\": spec.name in body should match '^[a-z]+$'"},
        {R"({"addresses":["a"],"name":"abcd"})",
         "spec.name: Too long: may not be more than 3 bytes"},
        {R"({"addresses":["a"],"size":"10%"})", ""},
        {R"({"addresses":["a"],"peers":[{"id":"x"},{"id":"x"}]})",
         "spec.peers[1]: Duplicate value: {\"id\":\"x\"}"},
    };
    for (const auto& c : cases) {
        EXPECT_EQ(errors_of(c.spec), c.error) << c.spec;
    }
}

TEST(SchemaTest, PruningDropsAndNamesUnknownFields) {
    Json object = parse_json(R"({"kind":"X","metadata":{"name":"n"},"odd":1,
        "spec":{"colour":"red","free":{"any":1},"peers":[{"id":"a","x":1}]}})");
    std::vector<std::string> unknown;

    prune(kSchema, object, unknown);

    EXPECT_EQ(unknown, (std::vector<std::string>{"odd", "spec.colour", "spec.peers[0].x"}));
    EXPECT_EQ(object["spec"], parse_json(R"({"free":{"any":1},"peers":[{"id":"a"}]})"));
}

TEST(SchemaTest, DefaultsFillInsideObjectsThatAreThere) {
    Json object = parse_json(R"({"spec":{"inner":{}}})");

    apply_defaults(kSchema, object);

    EXPECT_EQ(object, parse_json(R"({"spec":{"auto":true,"inner":{"n":7}}})"));
}

}  // namespace
}  // namespace steelyard::apiserver
