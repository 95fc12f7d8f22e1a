#pragma once

#include "speaker/plan/plan.hpp"

#include <gtest/gtest.h>

#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

// The small cluster that the tests of this room start from.
namespace steelyard::speaker_plan {

inline net::IpAddress ip(std::string_view text) {
    return net::IpAddress::parse(text).value();
}

// Three nodes, one pool, one advertisement, one Service with an endpoint on each node.
class PlanTest : public testing::Test {
protected:
    PlanTest() {
        snapshot_.node_name = "a";
        snapshot_.members.emplace();
        for (const char* name : {"a", "b", "c"}) {
            add_node(name);
            MemberView view;
            view.name = name;
            view.ready = view.steelyard_capable = true;
            snapshot_.members->push_back(std::move(view));
        }
        snapshot_.interfaces = {{"eth1", true, true}, {"eth0", true, true}};
        config_.pools.push_back(pool("lan", "192.0.2.0/24"));
        config_.pools.push_back(pool("lan6", "2001:db8::/64"));
        config_.l2_advertisements.push_back(advertisement("everything"));
        add_service("web", {"192.0.2.10"});
        add_slice("web", {"a", "b", "c"});
    }

    static config::Pool pool(std::string name, std::string_view range) {
        config::Pool pool;
        pool.name = std::move(name);
        pool.ranges.push_back(net::Range::parse(range).value());
        return pool;
    }
    static config::L2Advertisement advertisement(std::string name) {
        config::L2Advertisement advertisement;
        advertisement.name = std::move(name);
        advertisement.pools = {"lan", "lan6"};
        return advertisement;
    }
    static kube::LabelSelector selector(std::string key, std::string value) {
        kube::LabelSelector out;
        out.match_labels.emplace(std::move(key), std::move(value));
        return out;
    }

    kube::Node& add_node(const std::string& name) {
        auto node = std::make_shared<kube::Node>();
        node->meta.key.name = name;
        node->meta.labels["name"] = name;
        snapshot_.nodes[node->meta.key] = node;
        return *node;
    }
    kube::Service& add_service(const std::string& name, const std::vector<const char*>& addresses) {
        auto service = std::make_shared<kube::Service>();
        service->meta.key = {"default", name};
        service->meta.labels["app"] = name;
        service->type = kube::ServiceType::LoadBalancer;
        for (const char* address : addresses) {
            service->ingress.push_back({ip(address), "", ""});
        }
        snapshot_.services[service->meta.key] = service;
        return *service;
    }
    kube::EndpointSlice& add_slice(
        const std::string& service,
        const std::vector<std::string>& nodes,
        net::Family family = net::Family::V4
    ) {
        auto slice = std::make_shared<kube::EndpointSlice>();
        slice->meta.key = {"default", service + (family == net::Family::V4 ? "-4" : "-6")};
        slice->service = service;
        slice->family = family;
        for (const std::string& node : nodes) {
            kube::SliceEndpoint endpoint;
            endpoint.address = ip(family == net::Family::V4 ? "10.1.0.1" : "fd00::1");
            endpoint.node_name = node;
            slice->endpoints.push_back(endpoint);
        }
        snapshot_.slices[slice->meta.key] = slice;
        return *slice;
    }
    MemberView& member(std::string_view name) {
        for (MemberView& candidate : *snapshot_.members) {
            if (candidate.name == name) {
                return candidate;
            }
        }
        throw std::logic_error("no such member");
    }

    Announcements planned() {
        snapshot_.config = std::make_shared<const config::Config>(config_);
        return plan(snapshot_);
    }
    // The plan of the node that owns the address, so that a test need not know the hash.
    AddressPlan seen_by_owner(std::string_view address = "192.0.2.10") {
        const auto owner = planned().addresses.at(ip(address)).owner;
        if (owner) {
            snapshot_.node_name = *owner;
        }
        return planned().addresses.at(ip(address));
    }
    std::optional<std::string> owner_of(std::string_view address = "192.0.2.10") {
        return planned().addresses.at(ip(address)).owner;
    }
    // Every other member has left, so the named one owns what it may.
    void remove_everyone_but(std::string_view keep) {
        for (MemberView& candidate : *snapshot_.members) {
            candidate.state = candidate.name == keep ? candidate.state : MemberState::Left;
        }
    }
    WhyNot silence(const std::string& service = "web") {
        return planned().silent.at({"default", service}).why_not;
    }

    Snapshot snapshot_;
    config::Config config_;
};

}  // namespace steelyard::speaker_plan
