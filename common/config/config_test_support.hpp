#pragma once

#include "common/config/config.hpp"

#include <gmock/gmock.h>

#include <string>
#include <utility>
#include <vector>

// Objects to start a test from: each is right, the test spoils or refines it.
namespace steelyard::config {

inline constexpr const char* kNamespace = "metallb-system";

template <class T>
T named(std::string name) {
    T object;
    object.meta.key = {kNamespace, std::move(name)};
    return object;
}

inline kube::IpAddressPool pool(std::string name, std::vector<std::string> addresses) {
    auto object = named<kube::IpAddressPool>(std::move(name));
    object.addresses = std::move(addresses);
    return object;
}

// An external peer.
inline kube::BgpPeer bgp_peer(std::string name, std::string address = "192.0.2.1") {
    auto object = named<kube::BgpPeer>(std::move(name));
    object.my_asn = 64512;
    object.peer_asn = 64513;
    object.peer_address = std::move(address);
    return object;
}

inline kube::BgpAdvertisement bgp_ad(std::string name) {
    return named<kube::BgpAdvertisement>(std::move(name));
}

inline kube::LabelSelector label(std::string key, std::string value) {
    kube::LabelSelector selector;
    selector.match_labels[std::move(key)] = std::move(value);
    return selector;
}

// The texts, in order.
inline std::vector<std::string> texts(const std::vector<Problem>& problems) {
    std::vector<std::string> result;
    for (const Problem& problem : problems) {
        result.push_back(to_string(problem));
    }
    return result;
}

}  // namespace steelyard::config
