#pragma once

#include <sys/types.h>

#include <functional>
#include <string>
#include <vector>

// Each measurement in a process and a network namespace of its own: what one leaves in the kernel
// (IPVS keeps deleted destinations for two minutes) never meets the next.
namespace steelyard::bench {

using Numbers = std::vector<double>;

inline constexpr const char* kNodeAddress = "172.16.0.1";

// A process in a fresh namespace with lo up and the node's address on it. It answers each ask()
// with the numbers its `serve` comes to and ends with this object.
class Node {
public:
    // `prepare` runs once, in the child, and returns what answers.
    using Serve = std::function<Numbers()>;
    explicit Node(const std::function<Serve()>& prepare);
    Node(const Node&) = delete;
    Node& operator=(const Node&) = delete;
    ~Node();

    [[nodiscard]] Numbers ask() const;

private:
    pid_t pid_ = -1;
    int orders_ = -1;
    int answers_ = -1;
};

// One answer from a node of its own; afterwards waits until the kernel has cleaned up.
[[nodiscard]] Numbers once(const std::function<Numbers()>& measure);

// Returns when the machine has had nothing to do for a moment.
void wait_until_idle();

[[nodiscard]] double median(Numbers numbers);
// The value that `share` of the numbers do not exceed.
[[nodiscard]] double quantile(Numbers numbers, double share);
[[noreturn]] void fail(const std::string& line);

}  // namespace steelyard::bench
