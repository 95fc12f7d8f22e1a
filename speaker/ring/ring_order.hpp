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
    friend bool operator==(const Place&, const Place&) = default;
};
[[nodiscard]] Place place(std::string_view name, std::uint64_t epoch);

// Picks the first `count` places after one's own, going round, from places in any order.
class Successors {
public:
    Successors(const Place& self, std::size_t count) : self_(self), count_(count) {}
    void consider(const Place& place);
    // The nearest first.
    [[nodiscard]] std::vector<NodeId> ids() const;

private:
    [[nodiscard]] bool nearer(const Place& a, const Place& b) const;

    const Place& self_;  // outlives this
    std::size_t count_;
    std::vector<const Place*> nearest_;
};

}  // namespace steelyard::ring

template <>
struct std::hash<steelyard::ring::NodeId> {
    std::size_t operator()(steelyard::ring::NodeId id) const noexcept {
        return static_cast<std::size_t>(id);
    }
};
