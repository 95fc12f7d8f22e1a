#pragma once

#include "speaker/io/dataplane/outcome.hpp"
#include "speaker/netlink/message.hpp"
#include "speaker/proxy/diff/op.hpp"

#include <cstdint>
#include <optional>
#include <string>

// Operations as netlink messages, and what the kernel's answers to them mean.
namespace steelyard::dataplane {

enum class Subsystem : std::uint8_t { Ipvs, Ipset, Route };
[[nodiscard]] Subsystem subsystem_of(const proxy::Op& op);

// What an operation's message holds beside the operation.
struct Encoding {
    std::uint16_t ipvs_family = 0;
    unsigned link_index = 0;
    std::string prefix;  // of set names
};
[[nodiscard]] netlink::Bytes encode(const proxy::Op& op, const Encoding& encoding);

// Of an errno; nullopt when the kernel is now as the operation wanted it.
[[nodiscard]] std::optional<Verdict> judge(const proxy::Op& op, int error);

// One line: the operation, its object, and what the kernel said.
[[nodiscard]] std::string explain(const proxy::Op& op, int error);

}  // namespace steelyard::dataplane
