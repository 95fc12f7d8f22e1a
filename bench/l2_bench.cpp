#include "common/rt/asio.hpp"
#include "common/rt/task_group.hpp"
#include "speaker/io/l2/packet_driver.hpp"
#include "speaker/l2/arp.hpp"
#include "speaker/l2/ndp.hpp"
#include "speaker/l2/station.hpp"

#include <boost/asio/io_context.hpp>

#include <net/if.h>
#include <sched.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <fstream>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <unordered_map>
#include <vector>

// Layer 2 at 10 000 addresses: what a request costs in user space, beside a speaker that looks
// through all its addresses under a lock for each frame it sees; when the last of many gratuitous
// packets leaves under the pace (on a virtual clock); and how often foreign requests wake the
// process, beside a socket that filters by EtherType alone. The last part runs on a veth pair in a
// network namespace of its own, and says so where that is not permitted.
namespace {

using namespace steelyard;
using namespace std::chrono_literals;

constexpr std::size_t kAddresses = 10'000;
constexpr std::size_t kFrames = 10'000;
constexpr int kRounds = 21;
const net::MacAddress kAsker{{2, 0, 0, 0, 0, 1}};
const net::MacAddress kOurs{{2, 0, 0, 0, 0, 0xaa}};

double cpu_nanoseconds() {
    timespec now{};
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return static_cast<double>(now.tv_sec) * 1e9 + static_cast<double>(now.tv_nsec);
}

template <class Body>
double milliseconds(const Body& body) {
    const double start = cpu_nanoseconds();
    body();
    return (cpu_nanoseconds() - start) / 1e6;
}

// Median CPU time of one frame, of several rounds over all of them.
template <class Body>
double per_frame(const std::vector<l2::Frame>& frames, int rounds, const Body& body) {
    std::vector<double> samples;
    for (int round = 0; round < rounds; ++round) {
        const double start = cpu_nanoseconds();
        for (const l2::Frame& frame : frames) {
            body(frame.view());
        }
        samples.push_back((cpu_nanoseconds() - start) / static_cast<double>(frames.size()));
    }
    std::sort(samples.begin(), samples.end());
    return samples[samples.size() / 2];
}

std::vector<net::IpAddress> scattered(net::Family family, std::size_t count, std::uint64_t seed) {
    Rng rng(seed);
    std::set<net::IpAddress> found;
    while (found.size() < count) {
        if (family == net::Family::V4) {
            const auto value = static_cast<std::uint32_t>(0x0b000000U + rng.below(0xa0000000U));
            found.insert(net::IpAddress::v4(value));
            continue;
        }
        std::array<std::uint8_t, 16> bytes{0x20, 0x01};
        for (std::size_t i = 2; i < bytes.size(); ++i) {
            bytes[i] = static_cast<std::uint8_t>(rng.next());
        }
        found.insert(net::IpAddress::v6(bytes));
    }
    std::vector<net::IpAddress> shuffled(found.begin(), found.end());
    std::shuffle(shuffled.begin(), shuffled.end(), rng);
    return shuffled;
}

l2::Frame request(const net::IpAddress& target) {
    if (target.is_v4()) {
        l2::ArpPacket packet = l2::arp_probe(kAsker, target);
        packet.sender_ip = net::IpAddress::v4(0x0a000001U);
        return l2::encode_arp(packet);
    }
    l2::NdpPacket packet;
    packet.destination = l2::solicited_node_group(target);
    packet.frame_destination = l2::multicast_mac(packet.destination);
    packet.frame_source = kAsker;
    packet.source = net::IpAddress::parse("fd00::1").value();
    packet.target = target;
    packet.link_layer = kAsker;
    return l2::encode_ndp(packet);
}

std::vector<l2::Frame> requests(const std::vector<net::IpAddress>& addresses) {
    std::vector<l2::Frame> frames;
    frames.reserve(addresses.size());
    for (const net::IpAddress& address : addresses) {
        frames.push_back(request(address));
    }
    return frames;
}

std::shared_ptr<const l2::Announcements> announce(const std::vector<net::IpAddress>& addresses) {
    l2::Announcements out;
    for (const net::IpAddress& address : addresses) {
        out[address] = {};
    }
    return std::make_shared<const l2::Announcements>(std::move(out));
}

// As a speaker does it that keeps the advertisements of each Service and goes through them all.
class LinearScan {
public:
    explicit LinearScan(const std::vector<net::IpAddress>& addresses) {
        for (std::size_t i = 0; i < addresses.size(); ++i) {
            services_["default/service-" + std::to_string(i)].push_back({addresses[i], {}});
        }
    }

    std::size_t on_frame(std::span<const std::byte> frame) {
        const auto packet = l2::decode_arp(frame);
        if (!packet || packet->operation != l2::ArpOperation::Request) {
            return 0;
        }
        const std::scoped_lock lock(mutex_);
        for (const auto& [service, advertisements] : services_) {
            for (const Advertisement& advertisement : advertisements) {
                if (advertisement.address == packet->target_ip) {
                    return l2::encode_arp(l2::arp_reply(kOurs, packet->target_ip, *packet)).size();
                }
            }
        }
        return 0;
    }

private:
    struct Advertisement {
        net::IpAddress address;
        std::set<std::string> interfaces;
    };
    std::mutex mutex_;
    std::unordered_map<std::string, std::vector<Advertisement>> services_;
};

void user_space() {
    const auto owned = scattered(net::Family::V4, kAddresses, 1);
    const auto hits = requests(owned);
    const auto misses = requests(scattered(net::Family::V4, kFrames, 2));
    Rng rng(1);
    l2::Station station({}, rng);
    station.set_ports({{1, "eth0", kOurs, true, true}}, Instant{});
    station.set_announcements(announce(owned), Instant{});
    LinearScan scan(owned);
    l2::Actions out;
    std::size_t answered = 0;
    const auto ours = [&](std::span<const std::byte> frame) {
        station.on_frame(1, frame, Instant{} + 1h, out);
        answered += out.size();
        out.clear();
    };
    const auto theirs = [&](std::span<const std::byte> frame) {
        answered += scan.on_frame(frame);
    };
    const double hit = per_frame(hits, kRounds, ours);
    const double miss = per_frame(misses, kRounds, ours);
    const double scan_hit = per_frame(hits, 3, theirs);
    const double scan_miss = per_frame(misses, 3, theirs);
    std::printf("%zu addresses, ARP request in to reply out (%zu)\n", kAddresses, answered);
    std::printf(
        "hit   %8.0f ns; linear scan %8.0f ns, %.0f times ours\n", hit, scan_hit, scan_hit / hit
    );
    std::printf(
        "miss  %8.0f ns; linear scan %8.0f ns, %.0f times ours (and see the wake-ups below)\n",
        miss,
        scan_miss,
        scan_miss / miss
    );
}

// Runs the schedule on a virtual clock; prints when every address had its first packet and its
// last.
void burst(std::size_t addresses, unsigned pace) {
    l2::AnnouncerOptions options;
    options.packets_per_second = pace;
    options.refresh_interval = Duration::zero();
    Rng rng(1);
    l2::Announcer announcer(options, rng);
    announcer.set_ports({{1, "eth0", kOurs, true, true}}, Instant{});
    announcer.set_announcements(announce(scattered(net::Family::V4, addresses, 3)), Instant{});
    std::size_t sent = 0;
    double first = 0;
    double last = 0;
    l2::Actions out;
    while (const auto deadline = announcer.next_deadline()) {
        announcer.on_deadline(*deadline, out);
        last = std::chrono::duration<double>(*deadline - Instant{}).count();
        if (sent < addresses) {
            first = last;
        }
        sent += out.size();
        out.clear();
    }
    std::printf(
        "%5zu addresses at %4u packets a second: all once after %6.1f s (floor %6.1f), all %zu "
        "packets after %6.1f s (%.3f of the pace)\n",
        addresses,
        pace,
        first,
        std::max(0.0, static_cast<double>(addresses) / pace - 1),
        sent,
        last,
        static_cast<double>(sent) / pace / std::max(last, 1.0)
    );
}

bool write_file(const char* path, const std::string& text) {
    std::ofstream file(path);
    file << text;
    file.flush();
    return file.good();
}

bool make_cable() {
    const auto uid = std::to_string(::getuid());
    const auto gid = std::to_string(::getgid());
    return ::unshare(CLONE_NEWUSER | CLONE_NEWNET) == 0 &&
           write_file("/proc/self/setgroups", "deny") &&
           write_file("/proc/self/uid_map", "0 " + uid + " 1") &&
           write_file("/proc/self/gid_map", "0 " + gid + " 1") &&
           std::system(
               "ip link add eth0 address 02:00:00:00:00:aa type veth peer name far0 && "
               "ip link set eth0 up && ip link set far0 up"
           ) == 0;
}

// Sends every frame from the far end of the cable while the loop runs between batches; returns the
// nanoseconds a frame took, the receiving side of the kernel included.
double flood(asio::io_context& ioc, const std::vector<l2::Frame>& frames) {
    auto far = io_l2::PacketSocket::open(
        ioc.get_executor(),
        ::if_nametoindex("far0"),
        l2::kEtherTypeArp,
        l2::make_filters(l2::Channel::Arp, {}, l2::kSmallestBudget).front(),
        io_l2::PacketSocket::Reception::Normal
    );
    double spent = 0;
    for (std::size_t i = 0; i < frames.size(); ++i) {
        const double start = cpu_nanoseconds();
        (void)far.value().send(frames[i].view());
        spent += cpu_nanoseconds() - start;
        ioc.restart();
        ioc.poll();
    }
    return spent / static_cast<double>(frames.size());
}

void drain(io_l2::PacketSocket& socket) {
    while (socket.receive()) {
    }
}

awaitable<void> count_wake_ups(io_l2::PacketSocket& socket, std::size_t& wake_ups) {
    for (;;) {
        const bool ready = co_await socket.readable();
        if (!ready) {
            co_return;
        }
        ++wake_ups;
        drain(socket);
    }
}

void wake_ups(net::Family family, const char* name) {
    asio::io_context ioc{1};
    Rng rng(1);
    io_l2::PacketDriverCallbacks callbacks;
    callbacks.on_error = [](const Error& error) {
        std::printf("%s\n", to_string(error).c_str());
    };
    callbacks.on_conflict = [](const l2::Conflict&) {
    };
    const auto foreign = requests(scattered(family, kFrames, 2));
    rt::TaskGroup tasks(ioc.get_executor(), [](const std::string&, const std::exception_ptr&) {});
    const unsigned index = ::if_nametoindex("eth0");
    const double bare = flood(ioc, foreign);

    io_l2::PacketDriver driver(ioc.get_executor(), {}, rng, std::move(callbacks));
    net::Interface link;
    link.index = index;
    link.name = "eth0";
    link.mac = kOurs;
    link.up = link.running = link.broadcast = true;
    driver.set_interfaces({link});
    auto addresses = scattered(family, kAddresses, 1);
    const double all = milliseconds([&] { driver.set_announcements(announce(addresses)); });
    ioc.run_for(500ms);
    addresses.pop_back();
    const double one = milliseconds([&] { driver.set_announcements(announce(addresses)); });
    ioc.run_for(100ms);
    const auto before = driver.wake_ups();
    const double filtered = flood(ioc, foreign);
    const auto ours = driver.wake_ups() - before;
    (void)flood(ioc, requests(scattered(family, kAddresses, 1)));
    const auto own = driver.frames_received();
    tasks.spawn("stop", driver.stop());
    ioc.restart();
    ioc.run();

    const auto channel = family == net::Family::V4 ? l2::Channel::Arp : l2::Channel::Ndp;
    auto socket = io_l2::PacketSocket::open(
        ioc.get_executor(),
        index,
        l2::ether_type(channel),
        l2::pass_everything(),
        io_l2::PacketSocket::Reception::Normal
    );
    std::size_t theirs = 0;
    tasks.spawn("reader", count_wake_ups(socket.value(), theirs));
    const double unfiltered = flood(ioc, foreign);
    socket->close();
    ioc.restart();
    ioc.run();
    std::printf(
        "%zu %s addresses announced in %.1f ms, one of them released in %.1f ms\n",
        kAddresses,
        name,
        all,
        one
    );
    std::printf(
        "%zu foreign %s requests at %zu scattered addresses: %llu wake-ups, by EtherType alone "
        "%zu (of as many for our own, %llu came); the kernel's part of a frame %.0f ns without us, "
        "%.0f ns with our filters, %.0f ns "
        "delivered\n",
        foreign.size(),
        name,
        kAddresses,
        static_cast<unsigned long long>(ours),
        theirs,
        static_cast<unsigned long long>(own),
        bare,
        filtered,
        unfiltered
    );
}

}  // namespace

int main() {
    user_space();
    for (const unsigned pace : {15U, 100U, 1000U}) {
        burst(1000, pace);
    }
    burst(5, 15);
    if (!make_cable()) {
        std::printf("wake-ups: not measured, network namespaces are not permitted here\n");
        return 0;
    }
    wake_ups(net::Family::V4, "ARP");
    wake_ups(net::Family::V6, "NDP");
    return 0;
}
