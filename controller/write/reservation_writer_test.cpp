#include "controller/write/reservation_writer.hpp"

#include "controller/write/write_test_support.hpp"

#include <gmock/gmock.h>

namespace steelyard::controller {
namespace {

using controller_plan::ReservationChange;
using nlohmann::json;
using testing::ElementsAre;

ReservationChange change(ReservationChange::Kind kind) {
    ReservationChange made;
    made.kind = kind;
    made.object.meta.key = {"default", "ns.web"};
    made.object.meta.uid = "uid-ns.web";
    made.object.service_namespace = "ns";
    made.object.service_name = "web";
    made.object.addresses = {"10.0.0.1"};
    made.object.keep_for = "10m";
    made.object.pool = "x";
    made.object.in_use = true;
    return made;
}

class ReservationWriterTest : public testing::Test {
protected:
    void SetUp() override { writer_.start(bench_.tasks); }
    void run_after(ReservationChange wanted, std::size_t answers) {
        bench_.run([&]() -> awaitable<void> {
            writer_.put(wanted);
            co_await api_.answered(answers);
        }());
    }

    test::Bench bench_;
    test::FakeApi& api_ = bench_.api;
    ReservationWriter writer_{bench_.loop.executor(), bench_.api, bench_.logger, bench_.errors, 1};
};

TEST_F(ReservationWriterTest, MakesTheObject) {
    run_after(change(ReservationChange::Kind::Create), 1);

    EXPECT_THAT(api_.requests, ElementsAre("POST ns.web"));
    EXPECT_EQ(api_.bodies[0]["kind"], "AddressReservation");
    EXPECT_EQ(api_.bodies[0]["spec"]["addresses"], json::parse(R"(["10.0.0.1"])"));
}

TEST_F(ReservationWriterTest, OneThatIsThereAlreadyIsLeftAsItIs) {
    api_.put("ns.web", json::parse(R"({"spec":{"keepFor":"1h"}})"));
    run_after(change(ReservationChange::Kind::Create), 1);

    EXPECT_EQ(api_.object("ns.web")["spec"]["keepFor"], "1h");
}

TEST_F(ReservationWriterTest, WritesTheStatusOfTheVersionItWasDecidedOn) {
    api_.put("ns.web", json::object());
    ReservationChange wanted = change(ReservationChange::Kind::Status);
    wanted.object.meta.resource_version = "1";
    run_after(wanted, 1);

    EXPECT_THAT(api_.requests, ElementsAre("PATCH ns.web/status"));
    EXPECT_EQ(api_.object("ns.web")["status"]["pool"], "x");
    EXPECT_EQ(api_.object("ns.web")["status"]["inUse"], true);
}

TEST_F(ReservationWriterTest, AnObjectThatChangedMeanwhileIsLeftToThePlanner) {
    api_.put("ns.web", json::object());
    api_.put("ns.web", json::object());
    ReservationChange wanted = change(ReservationChange::Kind::Status);
    wanted.object.meta.resource_version = "1";
    run_after(wanted, 1);

    EXPECT_THAT(api_.requests, ElementsAre("PATCH ns.web/status"));
    EXPECT_FALSE(api_.object("ns.web").contains("status"));
}

TEST_F(ReservationWriterTest, DeletesThatVeryObject) {
    api_.put("ns.web", json::object());
    run_after(change(ReservationChange::Kind::Delete), 1);
    EXPECT_FALSE(api_.has("ns.web"));
}

TEST_F(ReservationWriterTest, OneMadeAnewUnderTheNameStays) {
    api_.put("ns.web", json::parse(R"({"metadata":{"uid":"another"}})"));
    run_after(change(ReservationChange::Kind::Delete), 1);

    EXPECT_THAT(api_.requests, ElementsAre("DELETE ns.web"));
    EXPECT_TRUE(api_.has("ns.web"));
}

TEST_F(ReservationWriterTest, OneNeverSeenIsNotMadeAnyMoreNorDeletedByAnEmptyUid) {
    ReservationChange unseen = change(ReservationChange::Kind::Delete);
    unseen.object.meta.uid.clear();
    ReservationChange other = change(ReservationChange::Kind::Create);
    other.object.meta.key.name = "ns.xyz";
    bench_.run([&]() -> awaitable<void> {
        writer_.put(change(ReservationChange::Kind::Create));
        writer_.put(unseen);
        writer_.put(other);
        co_await api_.answered(1);
    }());

    EXPECT_THAT(api_.requests, ElementsAre("POST ns.xyz"));
}

TEST_F(ReservationWriterTest, WhatFailsIsTriedAgain) {
    int failures = 1;
    api_.refuse = [&](const std::string&) -> std::optional<Error> {
        if (failures-- > 0) {
            return make_error(Errc::Internal, "etcd is not well");
        }
        return std::nullopt;
    };
    run_after(change(ReservationChange::Kind::Create), 2);

    EXPECT_TRUE(api_.has("ns.web"));
}

}  // namespace
}  // namespace steelyard::controller
