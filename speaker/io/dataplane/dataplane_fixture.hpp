#pragma once

#include "speaker/io/dataplane/dataplane.hpp"
#include "speaker/io/dataplane/guest_net.hpp"
#include "speaker/io/dataplane/loop_fixture.hpp"
#include "speaker/proxy/planner.hpp"

#include <gmock/gmock.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace steelyard::dataplane {

// A node in the guest, with a planner and a data plane that can be started anew.
class DataplaneTest : public LoopTest {
protected:
    DataplaneTest() {
        guest::enter_fresh_node();
        context_.node_name = "a";
        context_.node_addresses = {ip("172.16.0.1"), ip("fd16::1")};
        context_.config.drain_grace = Duration::zero();
        planner_ = std::make_unique<proxy::Planner>(context_);
        restart();
    }

    void restart() {
        dataplane_ = make_ipvs_dataplane(ioc_.get_executor(), context_.config);
        fresh_ = true;
    }

    void start() {
        const auto started = wait(dataplane_->start());
        ASSERT_TRUE(started) << to_string(started.error());
    }
    Report apply() {
        proxy::Changes changes = planner_->take_changes();
        planned_.sources = changes.sources;
        for (const auto& [service, tables] : changes.services) {
            if (tables) {
                planned_.services[service] = tables;
            } else {
                planned_.services.erase(service);
            }
        }
        if (std::exchange(fresh_, false)) {  // a new data plane has heard of nothing yet
            changes = planned_;
        }
        return checked(wait(dataplane_->apply(std::move(changes))));
    }
    Report audit() { return checked(wait(dataplane_->audit())); }
    static Report checked(Result<Report> report) {
        EXPECT_TRUE(report) << to_string(report.error());
        if (!report) {
            return {};
        }
        EXPECT_THAT(report->failures, testing::IsEmpty());
        return *report;
    }

    // A LoadBalancer Service with cluster addresses and one load-balancer address per family.
    static std::shared_ptr<kube::Service> service(
        const std::string& name, std::vector<std::string_view> cluster, std::string_view external
    ) {
        auto made = std::make_shared<kube::Service>();
        made->meta.key = {"default", name};
        made->type = kube::ServiceType::LoadBalancer;
        for (const std::string_view address : cluster) {
            made->cluster_ips.push_back(ip(address));
        }
        kube::ServicePort port;
        port.port = 80;
        made->ports = {port};
        if (!external.empty()) {
            made->ingress = {{ip(external), "", ""}};
        }
        return made;
    }
    void put(const std::shared_ptr<kube::Service>& service) {
        planner_->set_service(service->meta.key, service);
    }
    // Endpoints as (address, node), all on port 8080.
    void put_endpoints(
        const std::string& name, std::vector<std::pair<std::string_view, std::string>> endpoints
    ) {
        for (const net::Family family : {net::Family::V4, net::Family::V6}) {
            auto slice = std::make_shared<kube::EndpointSlice>();
            slice->meta.key = {"default", name + (family == net::Family::V4 ? "-4" : "-6")};
            slice->service = name;
            slice->family = family;
            slice->ports = {{"", net::Protocol::Tcp, 8080}};
            for (const auto& [address, node] : endpoints) {
                kube::SliceEndpoint endpoint;
                endpoint.address = ip(address);
                endpoint.node_name = node;
                if (endpoint.address->family() == family) {
                    slice->endpoints.push_back(endpoint);
                }
            }
            planner_->set_slice(slice->meta.key, slice);
        }
    }

    proxy::Context context_;
    std::unique_ptr<proxy::Planner> planner_;
    std::unique_ptr<Dataplane> dataplane_;
    proxy::Changes planned_;  // all that holds
    bool fresh_ = true;
};

}  // namespace steelyard::dataplane
