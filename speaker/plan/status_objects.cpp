#include "speaker/plan/status_objects.hpp"

#include "speaker/plan/status_diff.hpp"

#include <algorithm>

namespace steelyard::speaker_plan {
namespace {

// FNV-1a, 64 bits: names must stay the same over restarts and versions.
std::uint64_t hash(std::uint64_t value, std::string_view text) {
    constexpr std::uint64_t kPrime = 0x100000001b3U;
    for (const char c : text) {
        value = (value ^ static_cast<std::uint8_t>(c)) * kPrime;
    }
    return value * kPrime;  // as a zero byte would: "ab","c" and "a","bc" differ
}
constexpr std::uint64_t kHashStart = 0xcbf29ce484222325U;

std::string hex(std::uint64_t value) {
    constexpr std::string_view kDigits = "0123456789abcdef";
    constexpr unsigned kBits = 64;
    std::string text;
    for (unsigned shift = kBits; shift > 0; shift -= 4) {
        text += kDigits[(value >> (shift - 4)) & 0xFU];
    }
    return text;
}

}  // namespace

std::string label_value(std::string_view name) {
    constexpr std::size_t kMaxLabel = 63;
    constexpr std::size_t kHashAndDash = 17;
    if (name.size() <= kMaxLabel) {
        return std::string(name);
    }
    return std::string(name.substr(0, kMaxLabel - kHashAndDash)) + "-" +
           hex(hash(kHashStart, name));
}

kube::ObjectKey status_key(
    std::string_view prefix, const StatusScope& scope, const kube::ObjectKey& subject
) {
    const std::uint64_t name =
        hash(hash(hash(kHashStart, subject.ns), subject.name), scope.node_name);
    return {scope.ns, std::string(prefix) + hex(name)};
}

std::string label_of(const kube::ObjectMeta& meta, std::string_view name) {
    const auto found = meta.labels.find(name);
    return found == meta.labels.end() ? std::string() : found->second;
}

bool LeftoverPace::admits(const Leftover& leftover, Instant now) {
    Node& node = nodes_[leftover.node];
    const auto removed = node.removed.find(leftover.service);
    if (removed != node.removed.end()) {
        if (removed->second == leftover.uid) {
            return false;  // its removal was not seen yet
        }
        node.removed.clear();
        node.held_until = now + node.hold;
        node.hold = std::min(node.hold * 2, kLongestHold);
    }
    return now >= node.held_until;
}

void LeftoverPace::removed(const Leftover& leftover) {
    nodes_[leftover.node].removed.insert_or_assign(leftover.service, leftover.uid);
}

}  // namespace steelyard::speaker_plan
