#include "e2e/apiserver/patch/patch.hpp"

#include "e2e/apiserver/patch/apply.hpp"

#include <gtest/gtest.h>

namespace steelyard::apiserver {
namespace {

Json j(const char* text) {
    Json value = parse_json(text);
    EXPECT_FALSE(value.is_discarded()) << text;
    return value;
}

struct Case {
    const char* name;
    const char* target;
    const char* patch;
    const char* result;  // null: the patch is refused
};

// The examples of RFC 7386, appendix A.
TEST(MergePatchTest, FollowsTheExamplesOfRfc7386) {
    const Case cases[] = {
        {"replace", R"({"a":"b"})", R"({"a":"c"})", R"({"a":"c"})"},
        {"add", R"({"a":"b"})", R"({"b":"c"})", R"({"a":"b","b":"c"})"},
        {"remove", R"({"a":"b"})", R"({"a":null})", R"({})"},
        {"remove one", R"({"a":"b","b":"c"})", R"({"a":null})", R"({"b":"c"})"},
        {"array to text", R"({"a":["b"]})", R"({"a":"c"})", R"({"a":"c"})"},
        {"text to array", R"({"a":"c"})", R"({"a":["b"]})", R"({"a":["b"]})"},
        {"nested", R"({"a":{"b":"c"}})", R"({"a":{"b":"d","c":null}})", R"({"a":{"b":"d"}})"},
        {"array replaced", R"({"a":[{"b":"c"}]})", R"({"a":[1]})", R"({"a":[1]})"},
        {"not an object", R"(["a","b"])", R"(["c","d"])", R"(["c","d"])"},
        {"null kept", R"({"e":null})", R"({"a":1})", R"({"e":null,"a":1})"},
        {"array to object", R"([1,2])", R"({"a":"b","c":null})", R"({"a":"b"})"},
        {"deep null", R"({})", R"({"a":{"bb":{"ccc":null}}})", R"({"a":{"bb":{}}})"},
    };
    for (const Case& c : cases) {
        EXPECT_EQ(merge_patch(j(c.target), j(c.patch)), j(c.result)) << c.name;
    }
}

// From RFC 6902, appendix A.
TEST(JsonPatchTest, FollowsTheExamplesOfRfc6902) {
    const Case cases[] = {
        {"add member",
         R"({"foo":"bar"})",
         R"([{"op":"add","path":"/baz","value":"qux"}])",
         R"({"baz":"qux","foo":"bar"})"},
        {"add element",
         R"({"foo":["bar","baz"]})",
         R"([{"op":"add","path":"/foo/1","value":"qux"}])",
         R"({"foo":["bar","qux","baz"]})"},
        {"remove",
         R"({"baz":"qux","foo":"bar"})",
         R"([{"op":"remove","path":"/baz"}])",
         R"({"foo":"bar"})"},
        {"replace",
         R"({"baz":"qux"})",
         R"([{"op":"replace","path":"/baz","value":"boo"}])",
         R"({"baz":"boo"})"},
        {"move",
         R"({"a":{"x":1},"b":{}})",
         R"([{"op":"move","from":"/a/x","path":"/b/y"}])",
         R"({"a":{},"b":{"y":1}})"},
        {"test fails",
         R"({"baz":"qux"})",
         R"([{"op":"test","path":"/baz","value":"bar"}])",
         nullptr},
        {"add to nowhere",
         R"({"foo":"bar"})",
         R"([{"op":"add","path":"/a/b","value":1}])",
         nullptr},
        {"escape",
         R"({"/":9,"~1":10})",
         R"([{"op":"test","path":"/~01","value":10}])",
         R"({"/":9,"~1":10})"},
        {"append",
         R"({"foo":["bar"]})",
         R"([{"op":"add","path":"/foo/-","value":["a"]}])",
         R"({"foo":["bar",["a"]]})"},
        {"not a patch", R"({})", R"({"op":"add"})", nullptr},
    };
    for (const Case& c : cases) {
        const auto result = json_patch(j(c.target), j(c.patch));
        ASSERT_EQ(result.has_value(), c.result != nullptr) << c.name;
        if (result) {
            EXPECT_EQ(*result, j(c.result)) << c.name;
        }
    }
}

TEST(StrategicPatchTest, MergesListsByTheirKeys) {
    const Case cases[] = {
        {"port by number",
         R"({"spec":{"ports":[{"port":80,"name":"a"},{"port":443}]}})",
         R"({"spec":{"ports":[{"port":443,"nodePort":31000}]}})",
         R"({"spec":{"ports":[{"port":80,"name":"a"},{"port":443,"nodePort":31000}]}})"},
        {"port deleted",
         R"({"spec":{"ports":[{"port":80},{"port":443}]}})",
         R"({"spec":{"ports":[{"$patch":"delete","port":80}]}})",
         R"({"spec":{"ports":[{"port":443}]}})"},
        {"order",
         R"({"spec":{"ports":[{"port":80},{"port":443}]}})",
         R"({"spec":{"$setElementOrder/ports":[{"port":443},{"port":80}]}})",
         R"({"spec":{"ports":[{"port":443},{"port":80}]}})"},
        {"whole list replaced",
         R"({"spec":{"ports":[{"port":80}]}})",
         R"({"spec":{"ports":[{"$patch":"replace"},{"port":1}]}})",
         R"({"spec":{"ports":[{"port":1}]}})"},
        {"atomic list",
         R"({"spec":{"externalIPs":["a"]}})",
         R"({"spec":{"externalIPs":["b"]}})",
         R"({"spec":{"externalIPs":["b"]}})"},
        {"set",
         R"({"metadata":{"finalizers":["a"]}})",
         R"({"metadata":{"finalizers":["b"]}})",
         R"({"metadata":{"finalizers":["a","b"]}})"},
        {"primitive dropped",
         R"({"metadata":{"finalizers":["a","b"]}})",
         R"({"metadata":{"$deleteFromPrimitiveList/finalizers":["a"]}})",
         R"({"metadata":{"finalizers":["b"]}})"},
        {"retain keys",
         R"({"strategy":{"type":"a","rollingUpdate":{}}})",
         R"({"strategy":{"$retainKeys":["type"],"type":"Recreate"}})",
         R"({"strategy":{"type":"Recreate"}})"},
        {"map replaced",
         R"({"a":{"b":1,"c":2}})",
         R"({"a":{"$patch":"replace","d":3}})",
         R"({"a":{"d":3}})"},
        {"key missing",
         R"({"spec":{"ports":[]}})",
         R"({"spec":{"ports":[{"name":"x"}]}})",
         nullptr},
        {"not an object", R"({})", R"([])", nullptr},
    };
    for (const Case& c : cases) {
        const auto result = strategic_merge_patch(j(c.target), j(c.patch), builtin_list_rule);
        ASSERT_EQ(result.has_value(), c.result != nullptr) << c.name;
        if (result) {
            EXPECT_EQ(*result, j(c.result)) << c.name;
        }
    }
}

ApplyRequest by(const char* manager) {
    ApplyRequest request;
    request.manager = manager;
    request.api_version = "v1";
    return request;
}

TEST(ServerSideApplyTest, DropsWhatItsManagerNoLongerSends) {
    const Json first =
        server_side_apply(j("{}"), j(R"({"data":{"a":"1","b":"2"}})"), by("me"), builtin_list_rule)
            .object;

    const Json second =
        server_side_apply(first, j(R"({"data":{"a":"1"}})"), by("me"), builtin_list_rule).object;

    EXPECT_EQ(second["data"], j(R"({"a":"1"})"));
}

TEST(ServerSideApplyTest, KeepsWhatAnotherManagerAlsoOwns) {
    Json object =
        server_side_apply(j("{}"), j(R"({"data":{"a":"1"}})"), by("me"), builtin_list_rule).object;
    object =
        server_side_apply(object, j(R"({"data":{"a":"1"}})"), by("you"), builtin_list_rule).object;

    object = server_side_apply(object, j(R"({"data":{}})"), by("me"), builtin_list_rule).object;

    EXPECT_EQ(object["data"], j(R"({"a":"1"})"));
}

TEST(ServerSideApplyTest, AnotherValueThanTheOwnersIsAConflictUnlessForced) {
    const Json object =
        server_side_apply(j("{}"), j(R"({"data":{"a":"1"}})"), by("me"), builtin_list_rule).object;

    const auto refused =
        server_side_apply(object, j(R"({"data":{"a":"2"}})"), by("you"), builtin_list_rule);
    ApplyRequest forced = by("you");
    forced.force = true;
    const auto taken =
        server_side_apply(object, j(R"({"data":{"a":"2"}})"), forced, builtin_list_rule);

    ASSERT_EQ(refused.conflicts.size(), 1U);
    EXPECT_EQ(refused.conflicts[0].manager, "me");
    EXPECT_EQ(refused.conflicts[0].field, ".data.a");
    EXPECT_TRUE(taken.conflicts.empty());
    EXPECT_EQ(taken.object["data"]["a"], "2");
}

TEST(ServerSideApplyTest, AnUpdateTakesTheFieldsItChanges) {
    const Json before =
        server_side_apply(j("{}"), j(R"({"data":{"a":"1","b":"1"}})"), by("me"), builtin_list_rule)
            .object;
    Json after = before;
    after["data"]["a"] = "2";

    record_update(before, after, by("editor"), builtin_list_rule);
    const auto again =
        server_side_apply(after, j(R"({"data":{"a":"1","b":"1"}})"), by("me"), builtin_list_rule);

    ASSERT_EQ(again.conflicts.size(), 1U);
    EXPECT_EQ(again.conflicts[0].manager, "editor");
}

TEST(ServerSideApplyTest, AForcedApplyTakesOnlyWhatItChanges) {
    const Json object = server_side_apply(
                            j("{}"),
                            j(R"({"webhooks":[{"name":"a","clientConfig":{"caBundle":"Cg==",
                                "service":{"name":"s"}}},{"name":"b"}]})"),
                            by("kubectl"),
                            builtin_list_rule
    )
                            .object;
    const Json bundle = j(R"({"webhooks":[{"name":"a","clientConfig":{"caBundle":"new"}}]})");
    ApplyRequest forced = by("controller");
    forced.force = true;

    const Json taken = server_side_apply(object, bundle, forced, builtin_list_rule).object;
    const Json dropped = server_side_apply(taken, j("{}"), forced, builtin_list_rule).object;

    EXPECT_EQ(
        taken["webhooks"][0]["clientConfig"], j(R"({"caBundle":"new","service":{"name":"s"}})")
    );
    EXPECT_EQ(taken["webhooks"].size(), 2U);
    EXPECT_EQ(
        dropped["webhooks"],
        j(R"([{"name":"a","clientConfig":{"service":{"name":"s"}}},{"name":"b"}])")
    );
}

TEST(ServerSideApplyTest, WhatNobodyAppliedBelongsToThoseBeforeTheFirstApply) {
    const Json live = j(R"({"data":{"a":"1","b":"1"}})");

    const auto refused =
        server_side_apply(live, j(R"({"data":{"a":"2","b":"1"}})"), by("me"), builtin_list_rule);

    ASSERT_EQ(refused.conflicts.size(), 1U);
    EXPECT_EQ(refused.conflicts[0].manager, "before-first-apply");
    EXPECT_EQ(refused.conflicts[0].field, ".data.a");
}

TEST(ListRuleTest, ASchemaSaysHowItsListsMerge) {
    const Json schema = j(R"({"properties":{"spec":{"properties":{"peers":{"type":"array",
        "x-kubernetes-list-type":"map","x-kubernetes-list-map-keys":["name"]}}}}})");

    const ListRule rule = schema_list_rule(schema, {"spec", "peers"});

    EXPECT_EQ(rule.type, ListType::Map);
    EXPECT_EQ(rule.keys, std::vector<std::string>{"name"});
}

}  // namespace
}  // namespace steelyard::apiserver
