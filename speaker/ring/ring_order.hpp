#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

// Numbers for names, and who stands after whom. Every node computes the same from the same names.
namespace steelyard::ring {

// A node in one of its lives: a hash of its name and boot epoch, and what packets call it. A node
// that restarted is another one, so that news of its former life cannot concern it.
enum class NodeId : std::uint64_t {};
[[nodiscard]] NodeId node_id(std::string_view name, std::uint64_t epoch);

// A place on the ring; of the name alone, so that a restart moves nobody.
struct Place {
    std::uint64_t position = 0;
    std::string name;
    NodeId id{};
    friend auto operator<=>(const Place&, const Place&) = default;
};
[[nodiscard]] Place place(std::string_view name, std::uint64_t epoch);

// The up to `count` places after `self` in the sorted `ring`, going round, without `self`.
[[nodiscard]] std::vector<NodeId> successors(
    std::span<const Place> ring, const Place& self, std::size_t count
);

}  // namespace steelyard::ring

template <>
struct std::hash<steelyard::ring::NodeId> {
    std::size_t operator()(steelyard::ring::NodeId id) const noexcept {
        return static_cast<std::size_t>(id);
    }
};
