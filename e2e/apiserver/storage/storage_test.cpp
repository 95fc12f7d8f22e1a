#include "e2e/apiserver/storage/selector.hpp"
#include "e2e/apiserver/storage/store.hpp"

#include <gtest/gtest.h>

namespace steelyard::apiserver {
namespace {

Json named(const char* name) {
    return Json{{"metadata", {{"name", name}, {"namespace", "n"}}}};
}

bool label_match(const char* selector, const char* labels) {
    Selector all;
    all.labels = parse_label_selector(selector).value();
    return all.matches(Json{{"metadata", {{"labels", parse_json(labels)}}}});
}

TEST(SelectorTest, LabelsMatchAsInKubernetes) {
    const char* const labels = R"({"app":"web","tier":"front","a.b/c":"d"})";
    const struct {
        const char* selector;
        bool matches;
    } cases[] = {
        {"", true},
        {"app=web", true},
        {"app==web,tier=front", true},
        {"app!=web", false},
        {"none!=web", true},
        {"app in (web,db)", true},
        {"app notin (web,db)", false},
        {"none notin (web)", true},
        {"app", true},
        {"!app", false},
        {"!none", true},
        {"a.b/c=d", true},
        {"app=db", false},
    };
    for (const auto& c : cases) {
        EXPECT_EQ(label_match(c.selector, labels), c.matches) << c.selector;
    }
}

TEST(SelectorTest, BrokenSelectorsAreRefused) {
    for (const char* text : {"app in web", "=x", "app ~ x", "app in ("}) {
        EXPECT_FALSE(parse_label_selector(text)) << text;
    }
}

TEST(SelectorTest, AnAbsentFieldIsTheEmptyString) {
    Selector selector;
    selector.fields = parse_field_selector("spec.nodeName=,metadata.name=p").value();

    EXPECT_TRUE(selector.matches(named("p")));
}

TEST(StoreTest, EveryChangeHasItsOwnVersion) {
    Store store;
    const Object a = store.put("x.", named("a"));
    const std::uint64_t first = store.version();
    store.put("x.", named("a"));
    store.erase("x.", "n/a");

    std::vector<ChangeType> types;
    store.each_change_after(first, [&](const Change& change) { types.push_back(change.type); });

    EXPECT_EQ((*a)["metadata"]["resourceVersion"], std::to_string(first));
    EXPECT_EQ(types, (std::vector<ChangeType>{ChangeType::Modified, ChangeType::Deleted}));
    EXPECT_EQ(store.get("x.", "n/a"), nullptr);
}

TEST(StoreTest, OldHistoryIsForgotten) {
    Store store(2);
    store.put("x.", named("a"));
    const std::uint64_t first = store.version();
    store.put("x.", named("b"));
    store.put("x.", named("c"));
    const bool still = store.remembers(first);
    store.put("x.", named("d"));

    EXPECT_TRUE(still);
    EXPECT_FALSE(store.remembers(first));
}

TEST(StoreTest, ForgettingHistoryMakesEarlierVersionsTooOld) {
    Store store;
    store.put("x.", named("a"));
    const std::uint64_t before = store.version();

    store.forget_history();

    EXPECT_FALSE(store.remembers(before));
    EXPECT_TRUE(store.remembers(store.version()));
    EXPECT_NE(store.get("x.", "n/a"), nullptr);
}

TEST(StoreTest, AnEarlierStateCanStillBeListed) {
    Store store;
    store.put("x.", named("a"));
    store.put("x.", named("b"));
    const std::uint64_t then = store.version();
    const Object old = store.get("x.", "n/a");
    store.put("x.", named("a"));
    store.put("y.", named("z"));
    store.put("x.", named("c"));
    store.erase("x.", "n/b");

    const std::vector<Object> state = store.list_at(then, "x.", "n");

    ASSERT_EQ(state.size(), 2U);
    EXPECT_EQ(state[0], old);
    EXPECT_EQ((*state[1])["metadata"]["name"], "b");
    EXPECT_EQ(store.list_at(then, "x.", "", "n/a").size(), 1U);
    EXPECT_EQ(store.list_at(store.version(), "x.", "").size(), 2U);
}

}  // namespace
}  // namespace steelyard::apiserver
