#include "speaker/plan/l2_status.hpp"

#include "speaker/app/status/status_writer.hpp"
#include "speaker/integration/api_fixture.hpp"
#include "speaker/plan/l2_status.hpp"

#include <map>

namespace steelyard::speaker {
namespace {

using nlohmann::json;

constexpr const char* kStatuses =
    "/apis/metallb.io/v1beta1/namespaces/metallb-system/servicel2statuses";

net::IpAddress ip(const char* text) {
    return net::IpAddress::parse(text).value();
}

// A server that knows the kind, and a writer for node n1 beside it.
class L2StatusTest : public ApiFixture {
protected:
    L2StatusTest() {
        const auto compare = [this](const speaker_plan::ObservedL2Statuses& observed) {
            return changes(observed);
        };
        writer_ = std::make_unique<L2StatusWriter>(
            ioc_.get_executor(), *api_, log_, "metallb-system", "", compare, 1
        );
    }
    ~L2StatusTest() override { stop(); }

    void define_kind() {
        json kind = definition(SY_CRD_FOLDER "/servicel2statuses.yaml");
        if (max_interface_name_ != 0) {
            const json::json_pointer name(
                "/spec/versions/0/schema/openAPIV3Schema/properties/status/properties/interfaces/"
                "items/properties/name/maxLength"
            );
            kind[name] = max_interface_name_;
        }
        define(kind);
    }

    // "service/node" of each object whose status is written, joined by blanks.
    std::string told() {
        std::string out;
        const json list = call("GET", kStatuses);
        for (const json& item : list.value("items", json::array())) {
            const json status = item.value("status", json::object());
            if (status.contains("node")) {
                out += (out.empty() ? "" : " ") + status.value("serviceName", "?") + "/" +
                       status.value("node", "?");
            }
        }
        return out;
    }

    L2StatusWriter::Changes changes(const speaker_plan::ObservedL2Statuses& observed) const {
        if (!plan_) {
            return {};
        }
        const auto desired = speaker_plan::desired_l2_statuses(scope_, *plan_, {});
        return speaker_plan::diff_l2_statuses(scope_, *plan_, desired, observed);
    }

    void announce(std::vector<std::string> services) {
        auto plan = std::make_shared<speaker_plan::Announcements>();
        unsigned host = 1;
        for (const std::string& service : services) {
            const auto address = ip(("192.0.2." + std::to_string(host++)).c_str());
            speaker_plan::AddressPlan& entry = plan->addresses[address];
            entry.services = {{"default", service}};
            entry.owner = "n1";
            entry.mine = entry.announced_here = true;
            entry.interfaces = {interface_of_.contains(service) ? interface_of_[service] : "eth0"};
        }
        plan_ = std::move(plan);
        scope_.pod = kube::PodOwner{"speaker-x", "uid-x"};
        writer_->wake();
    }

    speaker_plan::StatusScope scope_{"n1", "metallb-system", std::nullopt};
    std::shared_ptr<const speaker_plan::Announcements> plan_;
    int max_interface_name_ = 0;  // 0: as the definition has it
    std::map<std::string, std::string> interface_of_;
    std::unique_ptr<L2StatusWriter> writer_;
};

TEST_F(L2StatusTest, FollowsWhatIsAnnouncedAndRepairsWhatSomebodyDeletes) {
    define_kind();
    writer_->spawn(tasks_);

    announce({"api", "web"});
    ASSERT_TRUE(until([this] { return told() == "api/n1 web/n1" || told() == "web/n1 api/n1"; }))
        << told();
    announce({"web"});
    ASSERT_TRUE(until([this] { return told() == "web/n1"; })) << told();

    const json item = call("GET", kStatuses)["items"][0];
    EXPECT_EQ(item["metadata"]["labels"]["metallb.io/node"], "n1");
    EXPECT_EQ(item["metadata"]["ownerReferences"][0]["uid"], "uid-x");
    EXPECT_EQ(item["status"]["interfaces"][0]["name"], "eth0");

    const std::string name = item["metadata"]["name"];
    const std::string first_uid = item["metadata"]["uid"];
    call("DELETE", std::string(kStatuses) + "/" + name);
    ASSERT_TRUE(until([&] { return told() == "web/n1"; }));
    EXPECT_NE(call("GET", kStatuses)["items"][0]["metadata"]["uid"], first_uid);
}

TEST_F(L2StatusTest, AnEarlierRunsObjectsOfThisNodeGo) {
    define_kind();
    json stale = json::object();
    stale["apiVersion"] = "metallb.io/v1beta1";
    stale["kind"] = "ServiceL2Status";
    stale["metadata"]["name"] = "l2-old";
    stale["metadata"]["labels"]["metallb.io/node"] = "n1";
    stale["metadata"]["labels"]["metallb.io/service-name"] = "gone";
    stale["metadata"]["labels"]["metallb.io/service-namespace"] = "default";
    call("POST", kStatuses, stale);
    writer_->spawn(tasks_);

    announce({});

    EXPECT_TRUE(until([this] { return call("GET", kStatuses)["items"].empty(); }));
}

// Another API server's rules may be stricter than ours.
TEST_F(L2StatusTest, AnObjectThatTheServerRefusesHoldsUpNoOther) {
    max_interface_name_ = 4;
    define_kind();
    interface_of_["b"] = "longer0";
    interface_of_["d"] = "longer0";
    writer_->spawn(tasks_);

    announce({"a", "b", "c", "d", "e"});

    EXPECT_TRUE(until([this] {
        const std::string all = told();
        return all.find("a/n1") != std::string::npos && all.find("c/n1") != std::string::npos &&
               all.find("e/n1") != std::string::npos;
    })) << told();
    EXPECT_EQ(told().find("b/n1"), std::string::npos);
}

// Each of two nodes believes that the other is dead, and both reach the API server.
TEST_F(L2StatusTest, DoesNotFightOverWhatComesBack) {
    define_kind();
    announce({"web"});
    json rival = json::object();
    rival["apiVersion"] = "metallb.io/v1beta1";
    rival["kind"] = "ServiceL2Status";
    rival["metadata"]["name"] = "l2-rival";
    rival["metadata"]["labels"]["metallb.io/node"] = "n2";
    rival["metadata"]["labels"]["metallb.io/service-name"] = "web";
    rival["metadata"]["labels"]["metallb.io/service-namespace"] = "default";
    call("POST", kStatuses, rival);
    const auto is_there = [&] {
        return call("GET", std::string(kStatuses) + "/l2-rival").value("kind", "") ==
               "ServiceL2Status";
    };
    writer_->spawn(tasks_);
    ASSERT_TRUE(until([&] { return told() == "web/n1" && !is_there(); }));

    call("POST", kStatuses, rival);
    announce({"web", "api"});
    ASSERT_TRUE(until([&] { return told().find("api/n1") != std::string::npos; }));
    announce({"web"});
    ASSERT_TRUE(until([&] { return told() == "web/n1"; }));

    EXPECT_TRUE(is_there());
}

TEST_F(L2StatusTest, WithoutTheKindItWaitsForIt) {
    writer_->spawn(tasks_);
    announce({"web"});
    // Time for the first list to fail; were it too short, the test would only show less.
    for (int turn = 0; turn < 50; ++turn) {
        ioc_.run_one_for(std::chrono::milliseconds(5));
    }
    define_kind();

    EXPECT_TRUE(until([this] { return told() == "web/n1"; }));
}

}  // namespace
}  // namespace steelyard::speaker
