#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

// What a slice says of an endpoint beside where it is. Most say nothing that matters, and there are
// tens of thousands of them: one pointer to one block of text holds it all.
namespace steelyard::kube {

class EndpointDetails {
public:
    struct Fields {
        std::string zone;  // of an endpoint without a node
        std::string pod;   // targetRef, where it is a StatefulSet's pod
        // hints: for which zones and which nodes the endpoint is meant.
        std::vector<std::string> for_zones;
        std::vector<std::string> for_nodes;
        friend bool operator==(const Fields&, const Fields&) = default;
    };

    EndpointDetails() = default;
    // NOLINTNEXTLINE(google-explicit-constructor): only a cheaper way to hold the same fields
    EndpointDetails(const Fields& fields);
    EndpointDetails(const EndpointDetails& other);
    EndpointDetails(EndpointDetails&&) noexcept = default;
    EndpointDetails& operator=(const EndpointDetails& other);
    EndpointDetails& operator=(EndpointDetails&&) noexcept = default;
    ~EndpointDetails() = default;

    // Views live as long as this object.
    [[nodiscard]] std::string_view zone() const;
    [[nodiscard]] std::string_view pod() const;
    [[nodiscard]] std::vector<std::string_view> for_zones() const;
    [[nodiscard]] std::vector<std::string_view> for_nodes() const;

    friend bool operator==(const EndpointDetails& a, const EndpointDetails& b) {
        return a.text() == b.text();
    }

private:
    [[nodiscard]] std::string_view text() const;
    [[nodiscard]] std::string_view part(unsigned index) const;

    // "zone\npod\nzone,zone\nnode,node"; null when all are empty. Names in the API hold neither
    // line ends nor commas; one that does is left out.
    std::unique_ptr<const char[]> text_;
};

}  // namespace steelyard::kube
