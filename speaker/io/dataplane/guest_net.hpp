#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

// Network namespaces, shell commands and one-shot TCP for the guest test. Sockets stay in the
// namespace they were opened in, so one process plays node, pods and clients. Needs root.
namespace steelyard::dataplane::guest {

// Runs a shell command, aborts the test program with its text if it fails.
void sh(const std::string& command);
[[nodiscard]] std::string output_of(const std::string& command);

// Moves this thread, the node of the coming test, into a fresh namespace with lo up.
void enter_fresh_node();

// Leaves on the node what kube-proxy in IPVS mode does for a Service at 10.96.0.10, 192.0.2.1 and
// node port 172.16.0.1:30080 with the endpoint 10.244.1.2:8080, and more: a drained endpoint, a
// node port without any, and a Service that is gone.
void play_kube_proxy();

// A namespace joined to the node by a veth pair. `node_address` and `address` are with prefix
// length; its default routes lead to the node.
class Namespace {
public:
    Namespace(std::string name, std::string node_address, std::string address);
    Namespace(const Namespace&) = delete;
    Namespace& operator=(const Namespace&) = delete;
    ~Namespace();

    void add(const std::string& node_address, const std::string& address) const;
    // Runs `work` on a thread inside the namespace.
    void run(const std::function<void()>& work) const;
    [[nodiscard]] const std::string& name() const { return name_; }

private:
    std::string name_;
};

class Listener {
public:
    // In `where`, or on the node when null.
    Listener(const Namespace* where, std::uint16_t port);
    Listener(const Listener&) = delete;
    Listener& operator=(const Listener&) = delete;
    ~Listener();
    // The address of the next client as the listener sees it; nullopt when none comes in 1 s.
    [[nodiscard]] std::optional<std::string> accept() const;

private:
    friend class Conversation;
    int descriptor_ = -1;
};

// A TCP connection that stays open.
class Conversation {
public:
    // From a namespace to an address behind which `listener` is; fails the test program if it does
    // not come about.
    Conversation(
        const Namespace& from,
        std::string_view address,
        std::uint16_t port,
        const Listener& listener
    );
    Conversation(const Conversation&) = delete;
    Conversation& operator=(const Conversation&) = delete;
    ~Conversation();
    // Whether a byte sent from either end arrives at the other within a second.
    [[nodiscard]] bool goes_on() const;

private:
    int client_ = -1;
    int server_ = -1;
};

// What a TCP connection attempt ended in: "connected", "refused" or "timeout".
[[nodiscard]] std::string connect(
    const Namespace* from, std::string_view address, std::uint16_t port
);

}  // namespace steelyard::dataplane::guest
