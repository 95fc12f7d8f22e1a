#include "common/yaml/documents.hpp"

#include <gmock/gmock.h>

namespace steelyard::yaml {
namespace {

using nlohmann::json;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

json one(std::string_view text) {
    const Documents documents = read_documents(text);
    EXPECT_THAT(documents.bad, IsEmpty()) << text;
    return documents.read.size() == 1 ? documents.read[0].value : json("not one document");
}

TEST(DocumentsTest, WordsMeanWhatTheyMeanToKubectl) {
    struct Row {
        const char* text;
        json value;
    };
    for (const Row& row : {
             Row{"true", true},
             Row{"yes", true},
             Row{"off", false},
             Row{"'true'", "true"},
             Row{"\"7\"", "7"},
             Row{"!!str 7", "7"},
             Row{"7", 7},
             Row{"-7", -7},
             Row{"+7", 7},
             Row{"0x1F", 31},
             Row{"010", 8},
             Row{"1_000", 1000},
             Row{"0", 0},
             Row{"1.5", 1.5},
             Row{"1e3", 1000.0},
             Row{"64512:100", "64512:100"},
             Row{"192.0.2.1", "192.0.2.1"},
             Row{"10.0", 10.0},
             Row{"fd00::1", "fd00::1"},
             Row{"--", "--"},
             Row{"1-2", "1-2"},
             Row{"90s", "90s"},
             Row{"4294967295", 4294967295},
             Row{"18446744073709551615", 18446744073709551615U},
             Row{"18446744073709551616", 18446744073709551616.0},
             Row{"09", 9.0},
         }) {
        EXPECT_EQ(one(std::string("a: ") + row.text)["a"], row.value) << row.text;
    }
    for (const char* nothing : {"~", "null", "", "NULL"}) {
        EXPECT_TRUE(one(std::string("a: ") + nothing)["a"].is_null()) << nothing;
    }
}

TEST(DocumentsTest, DocumentsAreToldApartAndEmptyOnesLeftOut) {
    const Documents documents = read_documents(
        "# a comment\n---\na: 1\n---\n---\n# nothing\n--- {b: 2}\n...\n%YAML 1.1\n---\nc: |\n  x\n "
        " ---\n"
    );
    EXPECT_THAT(documents.bad, IsEmpty());
    ASSERT_THAT(documents.read, SizeIs(3));
    EXPECT_EQ(documents.read[0].value, json({{"a", 1}}));
    EXPECT_EQ(documents.read[1].value, json({{"b", 2}}));
    EXPECT_EQ(documents.read[2].value, json({{"c", "x\n---\n"}}));
}

TEST(DocumentsTest, EachPartKnowsItsLine) {
    const Documents documents =
        read_documents("\n---\n\nspec:\n  list:\n  - a\n  - b: 1\n    c: 2\n");
    ASSERT_THAT(documents.read, SizeIs(1));
    const Lines& lines = documents.read[0].lines;
    EXPECT_EQ(documents.read[0].line, 4U);
    EXPECT_EQ(lines.of("spec"), 4U);
    EXPECT_EQ(lines.of("spec.list[0]"), 6U);
    EXPECT_EQ(lines.of("spec.list[1].c"), 8U);
    EXPECT_EQ(lines.of("spec.list[1].absent[3].deep"), 7U);
    EXPECT_EQ(lines.of("other"), 0U);
}

TEST(DocumentsTest, AMistakeInOneDocumentHidesNoOther) {
    const Documents documents = read_documents("a: [1\n---\nb: 2\n---\nc: 1\nc: 2\n");
    ASSERT_THAT(documents.read, SizeIs(1));
    EXPECT_EQ(documents.read[0].value, json({{"b", 2}}));
    ASSERT_THAT(documents.bad, SizeIs(2));
    EXPECT_EQ(documents.bad[1], (BadDocument{6, "\"c\" is given twice"}));
}

TEST(DocumentsTest, AliasesAndMergeKeysAreFilledIn) {
    EXPECT_EQ(
        one("a: &x {b: 1, c: 2}\nd: *x\ne:\n  <<: *x\n  c: 3\n")["e"], json({{"b", 1}, {"c", 3}})
    );
    EXPECT_EQ(one("a: &x {b: 1}\ne: {<<: [*x, {b: 2, d: 4}]}")["e"], json({{"b", 1}, {"d", 4}}));
    EXPECT_THAT(read_documents("a: {<<: 1}").bad, SizeIs(1));
}

TEST(DocumentsTest, AFewLinesDoNotBecomeAHugeDocument) {
    std::string text = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n";
    for (int i = 1; i < 12; ++i) {
        const std::string last = "*a" + std::to_string(i - 1);
        text += "a" + std::to_string(i) + ": &a" + std::to_string(i) + " [";
        for (int j = 0; j < 10; ++j) {
            text += (j == 0 ? "" : ", ") + last;
        }
        text += "]\n";
    }
    const Documents documents = read_documents(text);
    ASSERT_THAT(documents.bad, SizeIs(1));
    EXPECT_THAT(documents.bad[0].what, HasSubstr("more than 1000000 values"));
}

TEST(DocumentsTest, DepthIsBoundedThroughAliasesToo) {
    EXPECT_THAT(read_documents(std::string(3000, '[')).bad, SizeIs(1));
    EXPECT_THAT(read_documents(std::string(3000, '{')).bad, SizeIs(1));
    std::string text = "a0: &a0 [[[[[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]]]]]\n";
    for (int i = 1; i < 9; ++i) {
        text += "a" + std::to_string(i) + ": &a" + std::to_string(i) + " [[[[[[[[[[[[[[[[[[[[*a" +
                std::to_string(i - 1) + "]]]]]]]]]]]]]]]]]]]]\n";
    }
    ASSERT_THAT(read_documents(text).bad, SizeIs(1));
    EXPECT_THAT(read_documents(text).bad[0].what, HasSubstr("nested deeper"));
}

TEST(DocumentsTest, WhatIsNoManifestIsRefusedInOneLine) {
    for (const char* text :
         {"a: *nowhere",
          "a: &x [*x]",
          "? [1, 2]\n: 3",
          "a: !!binary aGVsbG8=",
          "a: !custom 1",
          "a: \"unterminated",
          "a: 'x\nb: 2",
          "- a\nb: 1",
          "a: 1\n- b",
          "a: b: c",
          "\ta: 1",
          "{{ .Values.x }}"}) {
        const Documents documents = read_documents(text);
        ASSERT_THAT(documents.bad, SizeIs(1)) << text;
        EXPECT_EQ(documents.bad[0].what.find('\n'), std::string::npos) << text;
        EXPECT_FALSE(documents.bad[0].what.empty()) << text;
        EXPECT_GE(documents.bad[0].line, 1U) << text;
    }
    EXPECT_THAT(read_documents(std::string("a\0b", 3)).bad, SizeIs(1));
    EXPECT_THAT(read_documents(std::string(kMaxText + 1, ' ')).bad, SizeIs(1));
}

TEST(DocumentsTest, JsonIsYaml) {
    EXPECT_EQ(
        one("{\n    \"a\": [1, \"x\", null, true],\n    \"b\": {}\n}\n"),
        json::parse(R"({"a": [1, "x", null, true], "b": {}})")
    );
}

}  // namespace
}  // namespace steelyard::yaml
