#pragma once

#include "speaker/proxy/select/select.hpp"

#include <gtest/gtest.h>

#include <memory>
#include <ostream>
#include <string>
#include <string_view>
#include <vector>

// Endpoints written short, for tables: "1@a" is ready on node a, and after the node come
//   t  terminating, still serving      x  not ready       d  terminating, serves no more
//   z=v,w  hints of zones              n=b,c  hints of nodes
// as in "1@a t z=v n=a,b". The number is the last byte of the address, 0 to 255.
namespace steelyard::proxy::testing_support {

inline std::vector<std::string> split(std::string_view text, char separator) {
    std::vector<std::string> parts;
    while (!text.empty()) {
        const std::size_t end = std::min(text.find(separator), text.size());
        if (end > 0) {
            parts.emplace_back(text.substr(0, end));
        }
        text.remove_prefix(std::min(end + 1, text.size()));
    }
    return parts;
}

inline kube::SliceEndpoint endpoint(std::string_view text) {
    const std::vector<std::string> words = split(text, ' ');
    kube::SliceEndpoint made;
    const std::size_t at = words.front().find('@');
    made.address = net::IpAddress::parse("10.0.0." + words.front().substr(0, at)).value();
    made.node_name = words.front().substr(at + 1);
    kube::EndpointDetails::Fields details;
    for (std::size_t i = 1; i < words.size(); ++i) {
        const std::string& word = words[i];
        if (word.starts_with("z=")) {
            details.for_zones = split(word.substr(2), ',');
        } else if (word.starts_with("n=")) {
            details.for_nodes = split(word.substr(2), ',');
        } else {
            made.ready = false;
            made.terminating = word != "x";
            made.serving = word == "t";
        }
    }
    made.details = kube::EndpointDetails(details);
    return made;
}

// A slice of port 80, TCP, without a name.
inline std::shared_ptr<const kube::EndpointSlice> slice(const std::vector<std::string>& endpoints) {
    auto made = std::make_shared<kube::EndpointSlice>();
    made->ports = {kube::SlicePort{"", net::Protocol::Tcp, 80}};
    for (const std::string& text : endpoints) {
        made->endpoints.push_back(endpoint(text));
    }
    return made;
}

// The last bytes of the addresses: "1 2".
inline std::string numbers(const std::vector<net::Endpoint>& endpoints) {
    std::string text;
    for (const net::Endpoint& each : endpoints) {
        text += (text.empty() ? "" : " ") + std::to_string(each.address.bytes().back());
    }
    return text;
}

}  // namespace steelyard::proxy::testing_support
