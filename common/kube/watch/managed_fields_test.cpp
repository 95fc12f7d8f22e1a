#include "common/kube/watch/managed_fields.hpp"

#include "common/base/rng.hpp"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

namespace steelyard::kube {
namespace {

std::string skimmed(std::string_view text) {
    std::string scratch;
    return std::string(without_managed_fields(text, scratch));
}

TEST(ManagedFieldsTest, TheirValueBecomesNull) {
    EXPECT_EQ(
        skimmed(R"({"a":1,"managedFields":[{"f":{"k:{\"x\":1}":{}},"m":"]"}],"b":2})"),
        R"({"a":1,"managedFields":null,"b":2})"
    );
    EXPECT_EQ(skimmed(R"({"managedFields": {}})"), R"({"managedFields":null})");
}

TEST(ManagedFieldsTest, WhatOnlyLooksLikeThemStays) {
    for (const char* text : {
             R"({"a":1})",
             R"({"a":"{\"managedFields\":[1]}"})",
             R"({"a":"x\"managedFields":[1]})",
             R"({"managedFields":"text"})",
             R"({"managedFields":7})",
             R"({"managedFields":null})",
             R"({"managedFieldsToo":[1]})",
         }) {
        EXPECT_EQ(skimmed(text), text);
    }
}

TEST(ManagedFieldsTest, WhatIsNotWellFormedIsLeftToTheParser) {
    for (const char* text :
         {R"({"managedFields":[)",
          R"({"managedFields":[}])",
          R"({"managedFields":["a)",
          R"({"managedFields":["\)",
          R"({"managedFields":)",
          "{\"managedFields\":[\"\x01\"]}"}) {
        EXPECT_EQ(skimmed(text), text);
    }
}

// With and without them a parser reads the same.
TEST(ManagedFieldsTest, NothingElseIsTouched) {
    constexpr std::uint64_t kRuns = 500;
    for (std::uint64_t seed = 1; seed <= kRuns; ++seed) {
        Rng rng(seed);
        const auto word = [&]() -> std::string {
            constexpr const char* kWords[] = {
                "managedFields", "\"managedFields\":[", "]}", "\\", "\"", ":", "a", "{\"b\":["};
            return std::string(kWords[rng.below(8)]) + kWords[rng.below(8)];
        };
        nlohmann::json wanted;
        nlohmann::json sent;
        for (std::uint64_t left = rng.below(6); left > 0; --left) {
            const std::string key = word();
            const std::string value = word();
            wanted["metadata"][key] = value;
            sent["metadata"][key] = value;
        }
        nlohmann::json managed = nlohmann::json::array();
        managed.push_back(word());
        managed.push_back(nlohmann::json::object({{word(), word()}}));
        wanted["metadata"]["managedFields"] = nullptr;
        sent["metadata"]["managedFields"] = managed;
        ASSERT_EQ(nlohmann::json::parse(skimmed(sent.dump())), wanted) << "seed " << seed;
    }
}

}  // namespace
}  // namespace steelyard::kube
