#include "speaker/proxy/tuning.hpp"

#include "speaker/proxy/plan_test_support.hpp"

namespace steelyard::proxy {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

class TuningTest : public PlanTest {
protected:
    Tuning tune(std::initializer_list<std::pair<const std::string, std::string>> annotations) {
        service_.meta.annotations = annotations;
        return tuning_of(service_, context_.config);
    }
};

TEST_F(TuningTest, TheServicesSchedulerGoesBeforeTheNodes) {
    context_.config.scheduler = "lc";
    EXPECT_EQ(tune({}).scheduling.scheduler, "lc");
    EXPECT_EQ(tune({{"steelyard.io/ipvs-scheduler", " wlc "}}).scheduling.scheduler, "wlc");
    EXPECT_EQ(tune({{"kube-router.io/service.scheduler", "sh"}}).scheduling.scheduler, "sh");
    for (const char* name :
         {"rr",
          "wrr",
          "lc",
          "wlc",
          "lblc",
          "lblcr",
          "dh",
          "sh",
          "sed",
          "nq",
          "fo",
          "ovf",
          "mh",
          "twos"}) {
        EXPECT_TRUE(is_scheduler(name)) << name;
    }
}

TEST_F(TuningTest, FlagsBelongToTheScheduler) {
    struct Row {
        const char* scheduler;
        const char* flags;  // null: no annotation
        SchedulerFlags wanted;
        bool complains;
    };
    for (const Row& row : {
             Row{"rr", nullptr, {false, false}, false},
             Row{"mh", nullptr, {true, true}, false},  // as under kube-proxy
             Row{"sh", nullptr, {false, true}, false},
             Row{"mh", "", {false, true}, false},
             Row{"mh", "mh-port,mh-fallback", {true, true}, false},
             Row{"mh", "mh-fallback", {false, true}, false},
             Row{"sh", " sh-port , sh-fallback", {true, true}, false},
             Row{"sh", "mh-port", {false, true}, true},
             Row{"rr", "rr-port", {false, false}, true},
             Row{"sh", "sh-fallback,loud", {false, true}, true},
         }) {
        service_.meta.annotations = {{"steelyard.io/ipvs-scheduler", row.scheduler}};
        if (row.flags != nullptr) {
            service_.meta.annotations["steelyard.io/ipvs-scheduler-flags"] = row.flags;
        }
        const Tuning tuning = tuning_of(service_, context_.config);
        SCOPED_TRACE(row.scheduler + std::string(row.flags == nullptr ? "" : row.flags));
        EXPECT_EQ(tuning.scheduling.flags, row.wanted);
        EXPECT_EQ(!tuning.complaints.empty(), row.complains);
    }
}

TEST_F(TuningTest, TheNodesFlagsGoWithTheNodesScheduler) {
    context_.config.scheduler = "sh";
    context_.config.scheduler_flags = {true, true};
    EXPECT_EQ(tune({}).scheduling.flags, (SchedulerFlags{true, true}));
    EXPECT_EQ(tune({{"steelyard.io/ipvs-scheduler", "rr"}}).scheduling.flags, SchedulerFlags());
}

TEST_F(TuningTest, WrongValuesAreComplainedOfAndTheDefaultIsUsed) {
    const Tuning tuning = tune(
        {{"steelyard.io/ipvs-scheduler", "fastest"},
         {"steelyard.io/ipvs-weights", "node/n1=3,zone/a=many"},
         {"steelyard.io/drain-seconds", "-1"}}
    );
    EXPECT_EQ(tuning.scheduling, Scheduling());
    EXPECT_TRUE(tuning.weights.empty());
    EXPECT_FALSE(tuning.drain_grace);
    EXPECT_THAT(
        tuning.complaints,
        ElementsAre(
            "annotation steelyard.io/ipvs-scheduler: \"fastest\" is not a scheduler (rr, wrr, lc, "
            "wlc, lblc, lblcr, dh, sh, sed, nq, fo, ovf, mh, twos)",
            "annotation steelyard.io/ipvs-weights: \"zone/a=many\" is not a weight (node/NAME=N, "
            "zone/NAME=N, pod/NAME-0=N of a StatefulSet, ADDRESS=N or *=N, N from 0 to 65535)",
            "annotation steelyard.io/drain-seconds: \"-1\" is not a number of seconds (0 to 86400)"
        )
    );
}

TEST_F(TuningTest, TheMostParticularWeightCounts) {
    const auto weights =
        Weights::parse("node/n1=3, zone/a=2, pod/web-0=5, 10.1.2.3=7, fd00::1=8, *=9").value();
    struct Row {
        const char* address;
        const char* pod;
        const char* node;
        const char* zone;
        std::uint32_t weight;
    };
    for (const Row& row : {
             Row{"10.1.2.3", "web-0", "n1", "a", 7},
             Row{"10.1.2.4", "web-0", "n1", "a", 5},
             Row{"10.1.2.4", "web-1", "n1", "a", 3},
             Row{"10.1.2.4", "web-1", "n2", "a", 2},
             Row{"10.1.2.4", "web-1", "n2", "b", 9},
             Row{"10.1.2.4", "", "", "", 9},
             Row{"fd00::1", "", "", "", 8},
             Row{"10.1.2.4", "", "n3", "", 2},  // the zone of its node is known otherwise
         }) {
        kube::EndpointDetails::Fields fields;
        fields.pod = row.pod;
        fields.zone = row.zone;
        const kube::EndpointDetails details(fields);
        Candidate candidate;
        candidate.node = row.node;
        candidate.details = &details;
        EXPECT_EQ(weights.of(ip(row.address), candidate, {{"n3", "a"}}), row.weight)
            << row.address << " " << row.pod << " " << row.node;
    }
    Candidate elsewhere;
    const kube::EndpointDetails nothing;
    elsewhere.details = &nothing;
    EXPECT_EQ(Weights::parse("node/n1=3").value().of(ip("10.0.0.1"), elsewhere, {}), 1U);
}

TEST_F(TuningTest, WhatIsNoWeightNamesTheItem) {
    for (const char* text :
         {"3",
          "node/=3",
          "pod/x-0=65536",
          "pod/x-0=",
          "pod/x-6d4cf56db6-abcde=2",
          "pod/-=1",
          "10.0.0.300=1",
          "host/x=1",
          "zone/a=-1"}) {
        const auto parsed = Weights::parse(text);
        ASSERT_FALSE(parsed) << text;
        EXPECT_THAT(parsed.error().context, HasSubstr("\"" + std::string(text) + "\"")) << text;
    }
    EXPECT_TRUE(Weights::parse(" , ").value().empty());
}

TEST_F(TuningTest, WeightsReachTheRealServersAndNeedAWeighingScheduler) {
    service_.meta.annotations = {{"steelyard.io/ipvs-weights", "node/b=3,10.244.1.1=0"}};
    const ServiceTables tables = plan_it();
    EXPECT_THAT(
        behind(tables, "10.96.0.10"), ElementsAre("10.244.1.1:8080=0", "10.244.2.1:8080=3")
    );
    const auto& server = *tables.virtual_servers.begin()->second;
    EXPECT_EQ(server.scheduling.scheduler, "wrr");  // rr would not look at them

    service_.meta.annotations["steelyard.io/ipvs-scheduler"] = "rr";  // asked for
    EXPECT_EQ(plan_it().virtual_servers.begin()->second->scheduling.scheduler, "rr");
    EXPECT_THAT(plan_it().complaints, IsEmpty());
}

TEST_F(TuningTest, DrainSecondsReachTheServersOfTcpOnly) {
    service_.meta.annotations = {{"steelyard.io/drain-seconds", "120"}};
    EXPECT_EQ(plan_it().virtual_servers.begin()->second->drain_grace, std::chrono::seconds(120));
    set_protocol(net::Protocol::Udp);
    EXPECT_EQ(plan_it().virtual_servers.begin()->second->drain_grace, std::chrono::seconds(0));
}

}  // namespace
}  // namespace steelyard::proxy
