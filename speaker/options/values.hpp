#pragma once

#include "common/base/error.hpp"
#include "common/net/prefix.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

// The values people write on a command line and in kube-proxy's file, from text. Each parser says
// no by nothing at all: what is accepted stands where the flag or the field is declared.
namespace steelyard::speaker {

using Cidrs = std::vector<net::Prefix>;

// `name`: the flag or the field. "NAME: "VALUE" is not WANTED".
[[nodiscard]] Error bad_value(
    std::string_view name, std::string_view value, std::string_view wanted
);

// 1 to 65535.
[[nodiscard]] std::optional<std::uint16_t> parse_port(std::string_view text);

// "192.0.2.1", "192.0.2.1:7946", "2001:db8::1" or "[2001:db8::1]:7946".
[[nodiscard]] std::optional<net::Endpoint> parse_endpoint(
    std::string_view text, std::uint16_t default_port
);

// The words between commas, without blanks round them; "" has none.
[[nodiscard]] std::vector<std::string> split_list(std::string_view text);

// Every text a CIDR.
[[nodiscard]] std::optional<Cidrs> parse_cidrs(const std::vector<std::string>& texts);

// Fit to stand in an iptables rule: letters, digits, ".", "_" and "-", at most 15 of them.
[[nodiscard]] bool is_interface_name(std::string_view text);

}  // namespace steelyard::speaker
