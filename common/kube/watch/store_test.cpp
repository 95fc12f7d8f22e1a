#include "common/kube/watch/store.hpp"

#include "common/kube/model/core.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

namespace steelyard::kube {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

Namespace made(const std::string& name, const std::string& version, const std::string& label) {
    Namespace object;
    object.meta.key.name = name;
    object.meta.resource_version = version;
    object.meta.labels["l"] = label;
    return object;
}

std::vector<std::string> words(const std::vector<Change<Namespace>>& changes) {
    std::vector<std::string> result;
    for (const auto& change : changes) {
        const std::string before = change.before ? change.before->meta.labels.at("l") : "-";
        const std::string after = change.after ? change.after->meta.labels.at("l") : "-";
        result.push_back(change.key.name + ":" + before + ">" + after);
    }
    return result;
}

Store<Namespace>::Objects objects(std::vector<Namespace> list) {
    Store<Namespace>::Objects result;
    for (Namespace& object : list) {
        const ObjectKey key = object.meta.key;
        result[key] = std::make_shared<const Namespace>(std::move(object));
    }
    return result;
}

TEST(StoreTest, PutReportsWhatWasAndWhatIs) {
    Store<Namespace> store;
    EXPECT_THAT(words(store.put(made("a", "1", "x"))), ElementsAre("a:->x"));
    EXPECT_THAT(words(store.put(made("a", "2", "y"))), ElementsAre("a:x>y"));
}

TEST(StoreTest, ANewVersionWithoutAChangeIsKeptButNotReported) {
    Store<Namespace> store;
    store.put(made("a", "1", "x"));

    EXPECT_THAT(words(store.put(made("a", "2", "x"))), IsEmpty());
    EXPECT_EQ(store.find(ObjectKey{"", "a"})->meta.resource_version, "2");
}

TEST(StoreTest, EraseReportsOnceAndForgets) {
    Store<Namespace> store;
    store.put(made("a", "1", "x"));

    EXPECT_THAT(words(store.erase(ObjectKey{"", "a"})), ElementsAre("a:x>-"));
    EXPECT_THAT(words(store.erase(ObjectKey{"", "a"})), IsEmpty());
    EXPECT_EQ(store.find(ObjectKey{"", "a"}), nullptr);
}

TEST(StoreTest, ReplaceSynthesisesTheDeletionsNobodySaw) {
    Store<Namespace> store;
    store.put(made("a", "1", "x"));
    store.put(made("b", "1", "x"));
    store.put(made("c", "1", "x"));

    const auto changes =
        store.replace(objects({made("b", "2", "y"), made("c", "9", "x"), made("d", "3", "z")}));

    EXPECT_THAT(words(changes), ElementsAre("a:x>-", "b:x>y", "d:->z"));
    EXPECT_EQ(store.size(), 3U);
}

TEST(StoreTest, ASnapshotIsNotTouchedByLaterChanges) {
    Store<Namespace> store;
    store.put(made("a", "1", "x"));
    const auto snapshot = store.objects();

    store.put(made("a", "2", "y"));

    EXPECT_EQ(snapshot.at(ObjectKey{"", "a"})->meta.labels.at("l"), "x");
}

}  // namespace
}  // namespace steelyard::kube
