#include "common/kube/watch/list_splitter.hpp"

#include "common/base/rng.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <vector>

namespace steelyard::kube {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

constexpr std::size_t kLimit = 1000;

std::vector<std::string> items_of(ListSplitter& list, std::string_view text, std::size_t chunk) {
    std::vector<std::string> items;
    while (!text.empty()) {
        const std::size_t size = std::min(chunk, text.size());
        list.push(text.substr(0, size));
        text.remove_prefix(size);
        while (const auto item = list.next()) {
            items.emplace_back(*item);
        }
    }
    return items;
}

TEST(ListSplitterTest, ItemsComeWhereverTheBytesAreCut) {
    constexpr std::string_view kText =
        R"( {"kind":"L", "x":{"items":[1]}, "items" : [ {"a":"]}\"\\"} ,{"b":[{}]}] ,"y":[2]} )";
    for (std::size_t chunk = 1; chunk <= kText.size(); ++chunk) {
        ListSplitter list(kLimit);
        EXPECT_THAT(
            items_of(list, kText, chunk), ElementsAre(R"({"a":"]}\"\\"})", R"({"b":[{}]})")
        );
        EXPECT_TRUE(list.complete());
        EXPECT_EQ(
            nlohmann::json::parse(list.envelope()),
            nlohmann::json::parse(R"({"kind":"L","x":{"items":[1]},"items":[],"y":[2]})")
        );
    }
}

TEST(ListSplitterTest, AListWithoutItemsHasNone) {
    for (const char* text : {R"({"items":[]})", R"({"items":null})", "{}", R"({"items":[ ]})"}) {
        ListSplitter list(kLimit);
        EXPECT_THAT(items_of(list, text, 3), IsEmpty());
        EXPECT_TRUE(list.complete()) << text;
    }
}

TEST(ListSplitterTest, WhatIsNoListFails) {
    for (const char* text :
         {"[]",
          "x",
          R"({"items":[1]})",
          R"({"items":[,{}]})",
          R"({"items":[{},]})",
          R"({"items":[{}{}]})",
          R"({"items":[{}],"items":[{}]})",
          "{}}",
          "{} x",
          R"({"items":["a"]})"}) {
        ListSplitter list(kLimit);
        items_of(list, text, 2);
        EXPECT_TRUE(list.failed()) << text;
        EXPECT_FALSE(list.complete()) << text;
    }
}

TEST(ListSplitterTest, ACutListIsNotComplete) {
    constexpr std::string_view kText = R"({"metadata":{},"items":[{"a":1},{"b":"}"}]})";
    for (std::size_t size = 0; size < kText.size(); ++size) {
        ListSplitter list(kLimit);
        items_of(list, kText.substr(0, size), 7);
        EXPECT_FALSE(list.complete()) << size;
        EXPECT_FALSE(list.failed()) << size;
    }
}

TEST(ListSplitterTest, AnItemOrAnEnvelopeOverTheLimitFails) {
    ListSplitter item(20);
    items_of(item, R"({"items":[{"a":")" + std::string(30, 'x'), 4);
    EXPECT_TRUE(item.failed());
    ListSplitter envelope(20);
    items_of(envelope, R"({"a":")" + std::string(30, 'x'), 4);
    EXPECT_TRUE(envelope.failed());
}

// Any JSON that is a list of objects is cut as a parser would have it.
TEST(ListSplitterTest, AgreesWithAParserOnRandomLists) {
    constexpr std::string_view kAlphabet = "{}[]\"\\,: \n\xc3\xa9items";
    for (std::uint64_t seed = 1; seed <= 300; ++seed) {
        Rng rng(seed);
        const auto word = [&] {
            std::string text;
            for (std::uint64_t left = rng.below(9); left > 0; --left) {
                const char c = kAlphabet[rng.below(kAlphabet.size())];
                text += static_cast<unsigned char>(c) < 0x80 ? std::string(1, c) : "\xc3\xa9";
            }
            return text;
        };
        nlohmann::json document;
        document["metadata"][word()] = word();
        document["items"] = nlohmann::json::array();
        for (std::uint64_t left = rng.below(6); left > 0; --left) {
            nlohmann::json item = nlohmann::json::object();
            item[word()][word()].push_back(word());
            document["items"].push_back(item);
        }
        ListSplitter list(kLimit * 10);
        nlohmann::json found = nlohmann::json::array();
        const std::string text = document.dump(rng.below(2) == 0 ? -1 : 2);
        for (const std::string& item : items_of(list, text, 1 + rng.below(20))) {
            found.push_back(nlohmann::json::parse(item));
        }
        ASSERT_TRUE(list.complete()) << "seed " << seed;
        ASSERT_EQ(found, document["items"]) << "seed " << seed;
        document["items"] = nlohmann::json::array();
        ASSERT_EQ(nlohmann::json::parse(list.envelope()), document) << "seed " << seed;
    }
}

}  // namespace
}  // namespace steelyard::kube
