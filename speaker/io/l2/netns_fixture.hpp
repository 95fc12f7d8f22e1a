#pragma once

#include "common/net/interface.hpp"

#include <gtest/gtest.h>

#include <functional>
#include <string>

// Two network namespaces joined by a veth pair, in a user namespace of the test process: `node`
// runs the code under test, `client` is the kernel that resolves neighbours. Nothing outlives the
// process. Where the machine does not permit it, tests are skipped and say so.
namespace steelyard::io_l2 {

class NetnsFixture : public testing::Test {
protected:
    static void SetUpTestSuite();
    static void TearDownTestSuite();
    void SetUp() override;

    // The node's end of the veth, as the link monitor would describe it.
    static net::Interface node_interface();
    // The interface of both ends is taken away; a test starts with one again.
    static void cut_cable();
    // Returns why it cannot be done, or nothing.
    static std::string lay_cable(const std::string& index = "");
    static unsigned client_index();
    // Runs `command` (through a shell) with the client's network and returns what it printed.
    static std::string in_client(const std::string& command);
    static void with_client(const std::function<void()>& body);
    static std::string in_node(const std::string& command);
    // Makes the client's kernel resolve `address` by sending it a datagram.
    static void resolve(const std::string& address);
    // The client's neighbour entry, as "ip neigh" prints it, or "".
    static std::string neighbour(const std::string& address);

private:
    static std::string enter();

    static int home_;  // descriptors of namespaces
    static int node_;
    static int client_;
    static std::string skip_reason_;
};

}  // namespace steelyard::io_l2
