#include "controller/check/schema.hpp"

#include <gmock/gmock.h>

#include <fstream>
#include <set>
#include <sstream>

namespace steelyard::check {
namespace {

using nlohmann::json;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

const KindRule& rule(std::string_view api_version, std::string_view kind) {
    for (const KindRule& rule : kind_rules()) {
        if (rule.kind == kind && rule.api_version == api_version) {
            return rule;
        }
    }
    ADD_FAILURE() << "no rule for " << kind;
    return kind_rules().front();
}

std::vector<std::string> told(const std::vector<Misfit>& misfits) {
    std::vector<std::string> lines;
    for (const Misfit& misfit : misfits) {
        lines.push_back(misfit.path + ": " + misfit.value + ": " + misfit.accepted);
    }
    return lines;
}

// The list is compared with the definitions by a lint; here with our table.
TEST(SchemaTest, TheTableHoldsTheFieldsOfTheDefinitions) {
    std::ifstream list(SY_CRD_FIELDS);
    ASSERT_TRUE(list) << SY_CRD_FIELDS;
    std::set<std::string> defined;
    for (std::string line; std::getline(list, line);) {
        std::istringstream words(line);
        std::string kind;
        std::string version;
        std::string path;
        std::string type;
        words >> kind >> version >> path >> type;
        if (path.starts_with("spec.") && type != "stored") {
            type = type.starts_with("int") ? "integer" : type;
            defined.insert(kind + " " + version + " " + path.substr(5) + " " + type);
        }
    }
    std::set<std::string> known;
    for (const KindRule& kind : kind_rules()) {
        const std::string version(kind.api_version.substr(kind.api_version.find('/') + 1));
        for (const FieldRule& field : kind.fields) {
            known.insert(
                std::string(kind.kind) + " " + version + ": " + std::string(field.path) + " " +
                std::string(field.type)
            );
        }
    }
    EXPECT_EQ(known, defined);
}

TEST(SchemaTest, AMisspeltFieldIsToldWithTheOneThatWasMeant) {
    json object = {
        {"kind", "IPAddressPool"}, {"spec", {{"adresses", {"x"}}, {"autoassign", true}}}};
    const auto misfits = remove_misfits(object, rule("metallb.io/v1beta1", "IPAddressPool"));
    EXPECT_THAT(
        told(misfits),
        ElementsAre(
            HasSubstr("spec.adresses: : there is no such field; addresses?"),
            HasSubstr("spec.autoassign: true: there is no such field; autoAssign?")
        )
    );
    EXPECT_THAT(object["spec"], IsEmpty());
}

TEST(SchemaTest, AFieldThatResemblesNoneIsToldWithAllOfThem) {
    json object = {{"spec", {{"serviceAllocation", {{"whatever", 1}}}}}};
    const auto misfits = remove_misfits(object, rule("metallb.io/v1beta1", "IPAddressPool"));
    EXPECT_THAT(
        told(misfits),
        ElementsAre("spec.serviceAllocation.whatever: 1: there is no such field; give priority, "
                    "namespaces, namespaceSelectors or serviceSelectors")
    );
}

TEST(SchemaTest, AWrongTypeIsToldAndLeavesThePlacesOfTheOthers) {
    json object = {
        {"spec",
         {{"addresses", {"10.0.0.0/24", 7, "10.0.1.0/24"}},
          {"autoAssign", "false"},
          {"serviceAllocation", {{"priority", "high"}, {"namespaces", "a"}}}}}};
    const auto misfits = remove_misfits(object, rule("metallb.io/v1beta1", "IPAddressPool"));
    EXPECT_THAT(
        told(misfits),
        ElementsAre(
            "spec.addresses[1]: 7: give text (in quotes if it looks like a number or like true)",
            "spec.autoAssign: \"false\": give true or false, without quotes",
            "spec.serviceAllocation.namespaces: \"a\": give a list",
            "spec.serviceAllocation.priority: \"high\": give a whole number, without quotes"
        )
    );
    EXPECT_EQ(object["spec"]["addresses"], json({"10.0.0.0/24", "", "10.0.1.0/24"}));
    EXPECT_FALSE(object["spec"].contains("autoAssign"));
}

TEST(SchemaTest, SelectorsAreLookedInto) {
    json object = {
        {"spec",
         {{"nodeSelectors",
           {{{"matchLabels", {{"zone", 1}}}}, {{"matchLabel", {{"a", "b"}}}}, "zone=a"}}}}};
    const auto misfits = remove_misfits(object, rule("metallb.io/v1beta1", "L2Advertisement"));
    ASSERT_THAT(misfits, SizeIs(3));
    EXPECT_EQ(misfits[0].path, "spec.nodeSelectors[0].matchLabels.zone");
    EXPECT_THAT(misfits[1].accepted, HasSubstr("matchLabels?"));
    EXPECT_EQ(misfits[2].path, "spec.nodeSelectors[2]");
}

TEST(SchemaTest, APasswordIsNotShown) {
    json object = {{"spec", {{"password", 12345}}}};
    const auto misfits = remove_misfits(object, rule("metallb.io/v1beta2", "BGPPeer"));
    ASSERT_THAT(misfits, SizeIs(1));
    EXPECT_EQ(misfits[0].value, "");
}

TEST(SchemaTest, TheOldPeerHasFewerFields) {
    const json spec = {{"myASN", 1}, {"vrf", "red"}};
    json before = {{"spec", spec}};
    json now = {{"spec", spec}};
    EXPECT_THAT(remove_misfits(before, rule("metallb.io/v1beta1", "BGPPeer")), SizeIs(1));
    EXPECT_THAT(remove_misfits(now, rule("metallb.io/v1beta2", "BGPPeer")), IsEmpty());
}

TEST(SchemaTest, WhatStandsBesideSpecIsLookedAtToo) {
    json object = {{"kind", "Community"}, {"communities", json::array()}, {"spec", 1}};
    const auto misfits = remove_misfits(object, rule("metallb.io/v1beta1", "Community"));
    ASSERT_THAT(misfits, SizeIs(2));
    EXPECT_EQ(misfits[0].path, "communities");
    EXPECT_EQ(misfits[1].path, "spec");
}

TEST(SchemaTest, NullIsAsGoodAsAbsent) {
    json object = {{"spec", {{"autoAssign", nullptr}, {"addresses", nullptr}}}};
    EXPECT_THAT(remove_misfits(object, rule("metallb.io/v1beta1", "IPAddressPool")), IsEmpty());
}

}  // namespace
}  // namespace steelyard::check
