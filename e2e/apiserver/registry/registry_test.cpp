#include "e2e/apiserver/registry/discovery.hpp"
#include "e2e/apiserver/registry/json_path.hpp"
#include "e2e/apiserver/registry/openapi.hpp"
#include "e2e/apiserver/registry/printers.hpp"
#include "e2e/apiserver/registry/table.hpp"
#include "e2e/apiserver/registry/timestamp.hpp"

#include <gtest/gtest.h>

namespace steelyard::apiserver {
namespace {

using std::chrono::seconds;

Json pool_crd() {
    return parse_json(R"({"spec":{"group":"example.org","scope":"Namespaced",
        "names":{"kind":"Pool","plural":"pools","singular":"pool","shortNames":["pl"]},
        "versions":[
          {"name":"v1beta1","served":true,"storage":false,"schema":{"openAPIV3Schema":{}}},
          {"name":"v1","served":true,"storage":true,"subresources":{"status":{}},
           "additionalPrinterColumns":[
             {"name":"Addresses","type":"string","jsonPath":".spec.addresses"},
             {"name":"Ready","type":"string","priority":1,
              "jsonPath":".status.conditions[?(@.type=='Ready')].status"},
             {"name":"Age","type":"date","jsonPath":".metadata.creationTimestamp"}],
           "schema":{"openAPIV3Schema":{"type":"object","properties":{"spec":{"type":"object",
             "properties":{"addresses":{"type":"array","items":{"type":"string"},
                                        "description":"What to hand out."}}}}}}}]}})");
}

TEST(HumanDurationTest, ReadsAsKubectlPrintsIt) {
    const struct {
        long value;
        const char* text;
    } cases[] = {
        {0, "0s"},
        {119, "119s"},
        {120, "2m"},
        {185, "3m5s"},
        {600, "10m"},
        {10799, "179m"},
        {10800, "3h"},
        {11100, "3h5m"},
        {28800, "8h"},
        {172799, "47h"},
        {172800, "2d"},
        {176400, "2d1h"},
        {691200, "8d"},
        {63072000, "2y"},
        {63158400, "2y1d"},
        {-5, "<invalid>"}};
    for (const auto& c : cases) {
        EXPECT_EQ(human_duration(seconds(c.value)), c.text) << c.value;
    }
}

TEST(TimestampTest, RoundTripsAndReadsOffsets) {
    EXPECT_EQ(format_time(WallTime(seconds(1700000000))), "2023-11-14T22:13:20Z");
    EXPECT_EQ(parse_time("2023-11-14T22:13:20.123456Z"), WallTime(seconds(1700000000)));
    EXPECT_EQ(parse_time("2023-11-15T00:13:20+02:00"), WallTime(seconds(1700000000)));
    EXPECT_FALSE(parse_time("yesterday"));
    EXPECT_FALSE(parse_time("2023-02-31T00:00:00Z"));
}

TEST(JsonPathTest, FollowsWhatPrinterColumnsUse) {
    const Json object = parse_json(R"({"a":{"b":[{"t":"x","v":1},{"t":"y","v":2}]},"d.e":3})");
    const struct {
        const char* path;
        std::vector<Json> values;
    } cases[] = {
        {".a.b[0].v", {1}},
        {".a.b[*].v", {1, 2}},
        {".a.b[-1].v", {2}},
        {".a.b[?(@.t==\"y\")].v", {2}},
        {".d\\.e", {3}},
        {"['d.e']", {3}},
        {".a.none", {}},
        {".a.b[9]", {}},
        {".a.b[", {}},
    };
    for (const auto& c : cases) {
        std::vector<Json> values;
        for (const Json* value : json_path(object, c.path)) {
            values.push_back(*value);
        }
        EXPECT_EQ(values, c.values) << c.path;
    }
}

TEST(TableTest, CustomKindsPrintTheirColumns) {
    Registry registry;
    registry.add_custom(pool_crd());
    const Kind* kind = registry.find_kind("example.org", "Pool");
    ASSERT_NE(kind, nullptr);
    const Json object = parse_json(R"({"metadata":{"name":"a",
        "creationTimestamp":"2023-11-14T22:13:20Z"},"spec":{"addresses":["x","y"]},
        "status":{"conditions":[{"type":"Ready","status":"True"}]}})");

    const Json row = table_row(*kind, "v1", object, TableFormat(), WallTime(seconds(1700000030)));

    EXPECT_EQ(row["cells"], Json::array({"a", "[\"x\",\"y\"]", "True", "30s"}));
    EXPECT_EQ(table_columns(*kind, "v1")[2]["priority"], 1);
}

TEST(TableTest, EveryBuiltInKindHasACellForEachColumn) {
    for (const Kind& kind : builtin_kinds()) {
        const Json cells =
            builtin_cells(kind.resource(), Json::object(), WallTime(seconds(1700000000)));
        EXPECT_EQ(cells.size(), builtin_columns(kind.resource()).size()) << kind.name;
    }
}

TEST(DiscoveryTest, ACustomKindAppearsInItsGroup) {
    Registry registry;
    registry.add_custom(pool_crd());

    const Json list = api_resource_list(registry, "example.org", "v1");

    ASSERT_EQ(list["resources"].size(), 2U);
    EXPECT_EQ(list["resources"][0]["shortNames"], Json::array({"pl"}));
    EXPECT_EQ(list["resources"][1]["name"], "pools/status");
    EXPECT_EQ(group_versions(registry, "example.org"), (std::vector<std::string>{"v1", "v1beta1"}));
    registry.remove_custom(pool_crd());
    EXPECT_TRUE(api_group(registry, "example.org").is_null());
}

TEST(DiscoveryTest, TheNewestVersionOfAGroupIsPreferredWhicheverKindHasIt) {
    Registry registry;
    registry.add_custom(pool_crd());
    Json other = pool_crd();
    other["spec"]["names"]["plural"] = "zebras";
    other["spec"]["versions"][0]["name"] = "v2";
    registry.add_custom(other);

    EXPECT_EQ(
        group_versions(registry, "example.org"), (std::vector<std::string>{"v2", "v1", "v1beta1"})
    );
}

TEST(OpenapiTest, TellsKubectlThatTheServerChecksFields) {
    Registry registry;
    registry.add_custom(pool_crd());

    const Json document = openapi_v3(registry, "example.org", "v1");
    const Json& item =
        document["paths"]["/apis/example.org/v1/namespaces/{namespace}/pools/{name}"];

    EXPECT_EQ(item["patch"]["x-kubernetes-group-version-kind"]["kind"], "Pool");
    EXPECT_EQ(item["patch"]["parameters"][2]["name"], "fieldValidation");
    EXPECT_TRUE(document["components"]["schemas"].contains("org.example.v1.Pool"));
}

TEST(OpenapiTest, TheProtobufFormCarriesNamesAndDescriptions) {
    Registry registry;
    registry.add_custom(pool_crd());

    const std::string bytes = encode_openapi_v2(openapi_v2(registry));

    EXPECT_TRUE(bytes.starts_with(std::string("\x0a\x03") + "2.0"));
    EXPECT_NE(bytes.find("org.example.v1.Pool"), std::string::npos);
    EXPECT_NE(bytes.find("What to hand out."), std::string::npos);
}

}  // namespace
}  // namespace steelyard::apiserver
