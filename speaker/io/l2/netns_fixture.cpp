#include "speaker/io/l2/netns_fixture.hpp"

#include <fcntl.h>
#include <net/if.h>
#include <sched.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <memory>

namespace steelyard::io_l2 {
namespace {

constexpr const char* kNodeMac = "02:00:00:00:00:aa";
constexpr const char* kClientMac = "02:00:00:00:00:01";

std::string failure(const char* what) {
    return std::string(what) + ": " + std::strerror(errno);
}

bool write_file(const char* path, const std::string& text) {
    std::ofstream file(path);
    file << text;
    file.flush();
    return file.good();
}

struct ClosePipe {
    void operator()(FILE* pipe) const { ::pclose(pipe); }
};

std::string output_of(const std::string& command) {
    const std::unique_ptr<FILE, ClosePipe> pipe(::popen((command + " 2>&1").c_str(), "r"));
    std::string out;
    std::array<char, 256> chunk{};
    while (pipe && std::fgets(chunk.data(), static_cast<int>(chunk.size()), pipe.get()) != nullptr
    ) {
        out += chunk.data();
    }
    return out;
}

int this_namespace() {
    return ::open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
}

class InNamespace {
public:
    InNamespace(int wanted, int back) : back_(back) { EXPECT_EQ(::setns(wanted, CLONE_NEWNET), 0); }
    ~InNamespace() { EXPECT_EQ(::setns(back_, CLONE_NEWNET), 0); }
    InNamespace(const InNamespace&) = delete;
    InNamespace& operator=(const InNamespace&) = delete;

private:
    int back_;
};

}  // namespace

int NetnsFixture::home_ = -1;
int NetnsFixture::node_ = -1;
int NetnsFixture::client_ = -1;
std::string NetnsFixture::skip_reason_;

// Returns why it cannot be done, or nothing.
std::string NetnsFixture::enter() {
    const auto uid = std::to_string(::getuid());
    const auto gid = std::to_string(::getgid());
    if (::unshare(CLONE_NEWUSER | CLONE_NEWNET) != 0) {
        return failure("user and network namespaces are not permitted here");
    }
    if (!write_file("/proc/self/setgroups", "deny") ||
        !write_file("/proc/self/uid_map", "0 " + uid + " 1") ||
        !write_file("/proc/self/gid_map", "0 " + gid + " 1")) {
        return "the user namespace cannot be mapped";
    }
    client_ = this_namespace();
    if (::unshare(CLONE_NEWNET) != 0) {
        return failure("a second network namespace is not permitted here");
    }
    node_ = this_namespace();
    return lay_cable();
}

std::string NetnsFixture::lay_cable(const std::string& index) {
    const std::string path = "/proc/" + std::to_string(::getpid()) + "/fd/";
    const std::string made = in_node(
        "ip link add eth0 " + (index.empty() ? "" : "index " + index) + " address " + kNodeMac +
        " type veth peer name eth0 netns " + path + std::to_string(client_) + " address " +
        kClientMac
    );
    if (!made.empty()) {
        return "no veth pair: " + made;
    }
    in_node(
        "ip link set lo up; ip link set eth0 up; ip addr add 10.9.0.1/24 dev eth0;"
        "ip addr add fd09::1/64 dev eth0 nodad"
    );
    in_client(
        "ip link set lo up; ip link set eth0 up; ip addr add 10.9.0.2/24 dev eth0;"
        "ip addr add fd09::2/64 dev eth0 nodad"
    );
    return {};
}

void NetnsFixture::cut_cable() {
    in_client("ip link del eth0");
}

unsigned NetnsFixture::client_index() {
    unsigned index = 0;
    with_client([&] { index = ::if_nametoindex("eth0"); });
    return index;
}

void NetnsFixture::SetUpTestSuite() {
    home_ = this_namespace();
    skip_reason_ = enter();
}

void NetnsFixture::TearDownTestSuite() {
    for (int* descriptor : {&node_, &client_, &home_}) {
        if (*descriptor >= 0) {
            ::close(*descriptor);
            *descriptor = -1;
        }
    }
}

void NetnsFixture::SetUp() {
    if (!skip_reason_.empty()) {
        GTEST_SKIP() << skip_reason_;
    }
    if (::if_nametoindex("eth0") == 0) {
        ASSERT_EQ(lay_cable(), "");
    }
    in_client("ip neigh flush all");
}

net::Interface NetnsFixture::node_interface() {
    net::Interface interface;
    interface.index = ::if_nametoindex("eth0");
    interface.name = "eth0";
    interface.mac = net::MacAddress::parse(kNodeMac).value();
    interface.up = true;
    interface.running = true;
    interface.broadcast = true;
    return interface;
}

std::string NetnsFixture::in_client(const std::string& command) {
    const InNamespace scope(client_, node_);
    return output_of(command);
}

void NetnsFixture::with_client(const std::function<void()>& body) {
    const InNamespace scope(client_, node_);
    body();
}

std::string NetnsFixture::in_node(const std::string& command) {
    return output_of(command);
}

void NetnsFixture::resolve(const std::string& address) {
    in_client("bash -c 'echo x > /dev/udp/" + address + "/9'");
}

std::string NetnsFixture::neighbour(const std::string& address) {
    return in_client("ip neigh show " + address + " dev eth0");
}

}  // namespace steelyard::io_l2
