#include "common/kube/watch/mirror.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace steelyard::kube {
namespace {

using testing::ElementsAre;

nlohmann::json named(const char* name, const char* version, nlohmann::json labels = {}) {
    nlohmann::json object;
    object["metadata"]["name"] = name;
    object["metadata"]["resourceVersion"] = version;
    object["metadata"]["labels"] = std::move(labels);
    return object;
}

class MirrorTest : public testing::Test {
protected:
    MirrorTest() : mirror_(callbacks()) {}
    MirrorCallbacks<Namespace> callbacks() {
        MirrorCallbacks<Namespace> made;
        made.on_change = [this](const Change<Namespace>& change) {
            heard_.push_back((!change.before ? "+" : !change.after ? "-" : "~") + change.key.name);
        };
        made.on_synced = [this] {
            heard_.emplace_back("synced");
        };
        made.on_bad_object = [this](const ObjectKey& key, const Error&) {
            heard_.push_back("bad " + key.name);
        };
        made.on_no_longer_bad = [this](const ObjectKey& key) {
            EXPECT_EQ(mirror_.bad_objects().count(key), 0U);
            heard_.push_back("no longer bad " + key.name);
        };
        return made;
    }
    void replace(const std::vector<nlohmann::json>& objects) {
        mirror_.begin_replace();
        for (const nlohmann::json& object : objects) {
            mirror_.add(object);
        }
        mirror_.end_replace();
    }

    std::vector<std::string> heard_;
    Mirror<Namespace> mirror_;
};

TEST_F(MirrorTest, AFullStateThatIsNotCompleteChangesNothing) {
    replace({named("a", "1")});
    mirror_.begin_replace();
    mirror_.add(named("b", "2"));
    EXPECT_THAT(heard_, ElementsAre("+a", "synced"));
    replace({named("c", "3")});
    EXPECT_THAT(heard_, ElementsAre("+a", "synced", "-a", "+c"));
}

TEST_F(MirrorTest, ObjectsAFullStateLeavesAsTheyWereAreShared) {
    replace({named("a", "1"), named("b", "1")});
    const auto before = mirror_.store().objects();
    replace({named("a", "1"), named("b", "2")});
    EXPECT_EQ(mirror_.store().objects().at({"", "a"}), before.at({"", "a"}));
    EXPECT_EQ(mirror_.store().objects().at({"", "b"})->meta.resource_version, "2");
}

TEST_F(MirrorTest, ABadObjectInAFullStateKeepsItsLastGoodVersion) {
    replace({named("a", "1")});
    replace({named("a", "2", 7), named("b", "2", 7)});
    EXPECT_THAT(heard_, ElementsAre("+a", "synced", "bad a", "bad b"));
    EXPECT_EQ(mirror_.store().size(), 1U);
    EXPECT_EQ(mirror_.bad_objects().size(), 2U);
}

// The store shows no change then.
TEST_F(MirrorTest, ABadObjectThatBecomesWhatItWasIsToldOf) {
    replace({named("a", "1"), named("b", "1")});
    mirror_.put(named("a", "2", 7));
    mirror_.put(named("b", "2", 7));
    heard_.clear();
    mirror_.put(named("a", "3"));
    EXPECT_THAT(heard_, ElementsAre("no longer bad a"));
    replace({named("a", "3"), named("b", "3")});
    EXPECT_THAT(heard_, ElementsAre("no longer bad a", "no longer bad b"));
}

TEST_F(MirrorTest, ABadObjectThatWasNeverGoodAndGoesIsToldOf) {
    replace({named("a", "1", 7), named("b", "1", 7), named("c", "1")});
    heard_.clear();
    mirror_.erase(named("a", "2", 7));
    mirror_.erase(named("c", "2"));
    EXPECT_THAT(heard_, ElementsAre("no longer bad a", "-c"));
    replace({});
    EXPECT_THAT(heard_, ElementsAre("no longer bad a", "-c", "no longer bad b"));
}

TEST_F(MirrorTest, AnObjectSentTwiceInAStateCountsAsItWasSentLast) {
    mirror_.begin_replace();
    mirror_.add(named("a", "1"));
    mirror_.add(named("a", "2", 7));
    mirror_.add(named("b", "1", 7));
    mirror_.add(named("b", "2"));
    mirror_.end_replace();
    EXPECT_EQ(mirror_.bad_objects().count({"", "a"}), 1U);
    EXPECT_EQ(mirror_.bad_objects().count({"", "b"}), 0U);
    EXPECT_EQ(mirror_.store().size(), 1U);
}

TEST(ActionCarrierTest, AFailureIsToldOnceAndSoIsItsEnd) {
    std::vector<std::string> heard;
    Mirror<Namespace> mirror({});
    ActionCarrier carrier(mirror, [&](const Error* error) {
        heard.push_back(error != nullptr ? error->context : "works");
    });
    WatchActions actions;
    actions.emplace_back(Failed{make_error(Errc::Unavailable, "one")});
    actions.emplace_back(Failed{make_error(Errc::Unavailable, "one")});
    actions.emplace_back(Failed{make_error(Errc::Unavailable, "two")});
    actions.emplace_back(Recovered{});
    actions.emplace_back(Recovered{});
    carrier.apply(actions);
    EXPECT_THAT(heard, ElementsAre("one", "two", "works"));
    EXPECT_TRUE(actions.empty());
}

}  // namespace
}  // namespace steelyard::kube
