#pragma once

#include "speaker/proxy/plan.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

// A Service and its endpoints to plan, and tables as text.
namespace steelyard::proxy {

inline net::IpAddress ip(std::string_view text) {
    return net::IpAddress::parse(text).value();
}
inline net::Prefix cidr(std::string_view text) {
    return net::Prefix::parse(text).value();
}

inline constexpr auto kCluster = kube::TrafficPolicy::Cluster;
inline constexpr auto kLocal = kube::TrafficPolicy::Local;

// Type LoadBalancer, port http 80 (node port 30080), at 192.0.2.1; endpoints 10.244.1.1 here (node
// a) and 10.244.2.1 on node b.
class PlanTest : public testing::Test {
protected:
    PlanTest() {
        service_.meta.key = {"default", "web"};
        service_.type = kube::ServiceType::LoadBalancer;
        service_.cluster_ips = {ip("10.96.0.10")};
        kube::ServicePort port;
        port.name = "http";
        port.port = 80;
        port.node_port = 30080;
        service_.ports = {port};
        service_.ingress = {kube::LoadBalancerIngress{ip("192.0.2.1"), "", ""}};
        slice_.meta.key = {"default", "web-1"};
        slice_.service = "web";
        slice_.ports = {kube::SlicePort{"http", net::Protocol::Tcp, 8080}};
        slice_.endpoints = {endpoint("10.244.1.1", "a"), endpoint("10.244.2.1", "b")};
        context_.node_name = "a";
        context_.node_addresses = {ip("172.16.0.1"), ip("127.0.0.1")};
    }

    static kube::SliceEndpoint endpoint(std::string_view address, std::string node) {
        kube::SliceEndpoint made;
        made.address = ip(address);
        made.node_name = std::move(node);
        return made;
    }
    static kube::SliceEndpoint terminating(std::string_view address, std::string node) {
        kube::SliceEndpoint made = endpoint(address, std::move(node));
        made.ready = false;
        made.terminating = true;
        return made;
    }
    static kube::SliceEndpoint unready(std::string_view address, std::string node) {
        kube::SliceEndpoint made = endpoint(address, std::move(node));
        made.ready = false;
        made.serving = false;
        return made;
    }

    void set_protocol(net::Protocol protocol) {
        service_.ports[0].protocol = protocol;
        slice_.ports[0].protocol = protocol;
    }

    ServiceTables plan_it() { return plan_slices({slice_}); }
    ServiceTables plan_slices(const std::vector<kube::EndpointSlice>& slices) {
        std::vector<SliceRef> shared;
        for (const kube::EndpointSlice& slice : slices) {
            shared.push_back(std::make_shared<const kube::EndpointSlice>(slice));
        }
        return plan_service(service_, shared, context_, marks_);
    }

    using Texts = std::vector<std::string>;

    // Real servers as "10.244.1.1:8080", with "=w" where the weight is not 1.
    static Texts texts(const RealServers& real_servers) {
        Texts result;
        for (const auto& [real_server, weight] : real_servers) {
            result.push_back(
                to_string(real_server) + (weight == 1 ? "" : "=" + std::to_string(weight))
            );
        }
        return result;
    }
    // Of the virtual server of address:port; "none" when there is none.
    static Texts behind(
        const ServiceTables& tables,
        std::string_view address,
        std::uint16_t port = 80,
        net::Protocol protocol = net::Protocol::Tcp
    ) {
        const auto found =
            tables.virtual_servers.find({protocol, net::Endpoint{ip(address), port}});
        return found == tables.virtual_servers.end() ? Texts{"none"}
                                                     : texts(found->second->real_servers);
    }
    // The servers of marks.
    static std::vector<std::pair<VirtualServerKey, VirtualServer>> mark_servers(
        const ServiceTables& tables
    ) {
        std::vector<std::pair<VirtualServerKey, VirtualServer>> result;
        for (const auto& [key, server] : tables.virtual_servers) {
            if (key.mark != 0) {
                result.emplace_back(key, *server);
            }
        }
        return result;
    }
    // Elements of a set, both families: "10.96.0.10:80", "30080" of a bitmap, with "/UDP" where it
    // is not TCP, and ",x" for a second dimension.
    static Texts members(const ServiceTables& tables, SetName set) {
        Texts result;
        for (const auto& [element, mark] : tables.entries) {
            if (element.set.name == set) {
                result.push_back(text(element));
            }
        }
        return result;
    }
    // The marks of a set's elements.
    static std::set<std::uint32_t> marks(const ServiceTables& tables, SetName set) {
        std::set<std::uint32_t> result;
        for (const auto& [element, mark] : tables.entries) {
            if (element.set.name == set) {
                result.insert(mark);
            }
        }
        return result;
    }

    kube::Service service_;
    kube::EndpointSlice slice_;
    Context context_;
    MarkAllocator marks_{14};

private:
    static std::string text(const SetElement& element) {
        const SetEntry& entry = element.entry;
        const SetType type = set_type(element.set.name);
        if (type == SetType::BitmapPort) {
            return std::to_string(entry.port);
        }
        std::string result = to_string(entry.ip);
        if (type != SetType::HashIp && type != SetType::HashNet) {
            result = to_string(net::Endpoint{entry.ip, entry.port});
            result += entry.protocol == net::Protocol::Tcp
                          ? ""
                          : "/" + std::string(net::to_string(entry.protocol));
        }
        if (entry.second_ip) {
            result += "," + to_string(*entry.second_ip);
        }
        return result + (entry.prefix_length == 0 ? "" : "/" + std::to_string(entry.prefix_length));
    }
};

}  // namespace steelyard::proxy
