#include "common/base/rng.hpp"
#include "speaker/bgp/rib/rib_out.hpp"
#include "speaker/bgp/wire/message.hpp"

#include <malloc.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <ctime>
#include <map>
#include <memory>
#include <string>
#include <vector>

// The shared RIB-out at 10 000 and 100 000 /32s: what a route costs to plan in and to write, in
// memory and for each further peer; what one change among all costs; and how many bytes and
// messages leave. Beside it, in the same run: a map of routes for each peer, and one UPDATE a
// prefix, as MetalLB's native mode sends them. Memory is what malloc handed out, its own overhead
// included.
namespace {

using namespace steelyard;
using namespace steelyard::bgp_rib;

constexpr std::size_t kBuffer = std::size_t{256} * 1024;  // as the driver asks for
constexpr int kRounds = 7;

double cpu_nanoseconds() {
    timespec now{};
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return static_cast<double>(now.tv_sec) * 1e9 + static_cast<double>(now.tv_nsec);
}

std::size_t allocated() {
    const struct mallinfo2 info = mallinfo2();
    return info.uordblks + info.hblkhd;
}

double median(std::vector<double> samples) {
    std::sort(samples.begin(), samples.end());
    return samples[samples.size() / 2];
}

// Scattered over few pools, in no order; `sets` kinds of attributes.
Changes plan(std::size_t routes, std::uint32_t sets, std::uint32_t med = 0) {
    Changes out;
    for (std::uint32_t i = 0; i < routes; ++i) {
        Attributes attributes;
        attributes.med = med + i % sets;
        attributes.communities = {64'512U << 16U | 100U};
        out.upsert.push_back(
            {net::Prefix(net::IpAddress::v4(0x0a000000U + i), 32), {{{}, attributes}}}
        );
    }
    Rng rng(1);
    std::shuffle(out.upsert.begin(), out.upsert.end(), rng);
    return out;
}

SessionView session_of(std::size_t number) {
    SessionView session;
    session.peer = "tor-" + std::to_string(number);
    session.local_asn = 64'512;
    session.v4 = true;
    session.next_hop_v4 = net::IpAddress::v4(0xc0000201U);
    return session;
}

struct Sent {
    std::size_t bytes = 0;
    std::size_t messages = 0;
};

Sent drain(RibOut& rib, PeerId peer, bool count = false) {
    Sent out;
    while (rib.pending(peer)) {
        wire::Writer writer;
        out.bytes += rib.write(peer, writer, kBuffer);
        const wire::Bytes& bytes = writer.view();
        for (std::size_t at = 0; count && at < bytes.size(); ++out.messages) {
            at += std::to_integer<std::size_t>(bytes[at + 16]) << 8U |
                  std::to_integer<std::size_t>(bytes[at + 17]);
        }
    }
    return out;
}

void times(std::size_t routes, std::size_t peers, std::uint32_t sets) {
    const Changes first = plan(routes, sets);
    const Changes second = plan(routes, sets, 1000);
    std::vector<double> fresh;
    std::vector<double> written;
    std::vector<double> changed;
    for (int round = 0; round < kRounds; ++round) {
        RibOut rib;
        rib.release();
        double start = cpu_nanoseconds();
        rib.apply(first, 1);
        fresh.push_back((cpu_nanoseconds() - start) / static_cast<double>(routes));
        std::vector<PeerId> ids;
        for (std::size_t peer = 0; peer < peers; ++peer) {
            ids.push_back(rib.add_peer(session_of(peer)));
        }
        start = cpu_nanoseconds();
        for (const PeerId id : ids) {
            (void)drain(rib, id);
        }
        written.push_back((cpu_nanoseconds() - start) / static_cast<double>(routes * peers));
        start = cpu_nanoseconds();
        rib.apply(second, 2);
        changed.push_back((cpu_nanoseconds() - start) / static_cast<double>(routes));
    }
    std::printf(
        "%6zu routes, %zu peers, %3u attribute sets: apply new %5.0f ns a route, changed %5.0f; "
        "write %4.0f ns a route and peer, %.1f ms in all\n",
        routes,
        peers,
        sets,
        median(fresh),
        median(changed),
        median(written),
        median(written) * static_cast<double>(routes * peers) / 1e6
    );
}

// As each session keeps its own table: prefix to attributes, shared ones here to its favour.
double map_per_peer(std::size_t routes) {
    const auto attributes = std::make_shared<const Attributes>();
    const std::size_t before = allocated();
    std::map<net::Prefix, std::shared_ptr<const Attributes>> table;
    for (std::uint32_t i = 0; i < routes; ++i) {
        table.emplace(net::Prefix(net::IpAddress::v4(0x0a000000U + i), 32), attributes);
    }
    return static_cast<double>(allocated() - before) / static_cast<double>(routes);
}

void memory(std::size_t routes) {
    const double map = map_per_peer(routes);
    const double count = static_cast<double>(routes);
    auto changes = std::make_unique<Changes>(plan(routes, 4));
    const std::size_t empty = allocated();
    RibOut rib;
    rib.release();
    rib.apply(*changes, 1);
    const std::size_t without = allocated();
    std::vector<PeerId> ids;
    std::vector<std::size_t> with;
    for (std::size_t peer = 0; peer < 8; ++peer) {
        ids.push_back(rib.add_peer(session_of(peer)));
        (void)drain(rib, ids.back());
        with.push_back(allocated());
    }
    const double route = static_cast<double>(without - empty) / count;
    const double first = static_cast<double>(with.front() - without) / count;
    const double extra = static_cast<double>(with.back() - with.front()) / 7 / count;
    std::printf(
        "%6zu routes: %.1f bytes a route (BIRD 98, ratio %.2f), %.2f bits for one peer, %.2f bits "
        "for each further\n",
        routes,
        route,
        route / 98,
        first * 8,
        extra * 8
    );
    std::printf(
        "        with 8 peers %.1f bytes a route; a map for each peer %.0f, %.0f times ours\n",
        route + first + 7 * extra,
        8 * map,
        8 * map / (route + first + 7 * extra)
    );
    changes = std::make_unique<Changes>(plan(routes, 4, 100));
    const std::size_t quiet = allocated();
    rib.apply(*changes, 2);
    std::printf(
        "        all routes changed while 8 peers are blocked: %.1f bytes a route more, all told\n",
        static_cast<double>(allocated() - quiet) / count
    );
}

void one_change(std::size_t routes) {
    RibOut rib;
    rib.release();
    rib.apply(plan(routes, 4), 1);
    std::vector<PeerId> ids;
    for (std::size_t peer = 0; peer < 8; ++peer) {
        ids.push_back(rib.add_peer(session_of(peer)));
        (void)drain(rib, ids.back());
    }
    Rng rng(2);
    std::vector<double> samples;
    std::size_t bytes = 0;
    wire::Writer writer;
    for (std::uint32_t i = 0; i < 2001; ++i) {
        Attributes attributes;
        attributes.med = 5000 + i;
        const auto address =
            net::IpAddress::v4(static_cast<std::uint32_t>(0x0a000000U + rng.below(routes)));
        const Changes change{{{net::Prefix(address, 32), {{{}, attributes}}}}, {}};
        const double start = cpu_nanoseconds();
        rib.apply(change, 2 + i);
        for (const PeerId id : ids) {
            bytes += rib.write(id, writer, kBuffer);
        }
        samples.push_back(cpu_nanoseconds() - start);
    }
    std::printf(
        "%6zu routes: one change, new attributes, to 8 peers: %.0f ns (%zu bytes to each)\n",
        routes,
        median(samples),
        bytes / samples.size() / ids.size()
    );
}

void wire_figures(std::size_t routes, std::uint32_t sets) {
    // MetalLB native: ORIGIN, AS_PATH and NEXT_HOP beside one prefix; a community makes it longer.
    constexpr std::size_t kNative = 48;
    // Ethernet, IPv4 and TCP with timestamps; it writes each message by itself.
    constexpr double kHeaders = 14 + 20 + 32;
    constexpr double kSegment = 1448;
    RibOut rib;
    rib.release();
    Changes changes = plan(routes, sets);
    if (sets == 1) {
        for (Route& route : changes.upsert) {
            route.paths.front().attributes = {};
        }
    }
    rib.apply(changes, 1);
    const Sent sent = drain(rib, rib.add_peer(session_of(0)), true);
    const auto bytes = static_cast<double>(sent.bytes);
    const auto count = static_cast<double>(routes);
    std::printf(
        "%6zu routes, %3u attribute sets: %zu bytes (%.3f a route), %zu messages with End-of-RIB; "
        "one UPDATE a prefix: %.1f times the bytes (%.1f in segments), %.0f times the messages\n",
        routes,
        sets,
        sent.bytes,
        bytes / count,
        sent.messages,
        count * kNative / bytes,
        count * (kNative + kHeaders) / (bytes + kHeaders * std::ceil(bytes / kSegment)),
        count / static_cast<double>(sent.messages)
    );
}

}  // namespace

int main() {
    for (const std::size_t routes : {std::size_t{10'000}, std::size_t{100'000}}) {
        memory(routes);
    }
    for (const std::size_t routes : {std::size_t{10'000}, std::size_t{100'000}}) {
        for (const std::size_t peers : {std::size_t{1}, std::size_t{8}}) {
            times(routes, peers, 4);
        }
    }
    times(100'000, 8, 100);
    for (const std::size_t routes : {std::size_t{10'000}, std::size_t{100'000}}) {
        one_change(routes);
        wire_figures(routes, 1);
        wire_figures(routes, 10);
    }
    return 0;
}
