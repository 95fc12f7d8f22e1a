#include "bench/proxy/raw.hpp"

#include "bench/proxy/child.hpp"
#include "bench/proxy/loop.hpp"
#include "bench/proxy/objects.hpp"
#include "speaker/io/dataplane/kernel_ipvs.hpp"
#include "speaker/io/dataplane/kernel_ops.hpp"
#include "speaker/netlink/ipset.hpp"
#include "speaker/netlink/ipvs.hpp"
#include "speaker/netlink/link_table.hpp"
#include "speaker/netlink/route.hpp"

#include <linux/netlink.h>
#include <net/if.h>
#include <sys/socket.h>
#include <unistd.h>

#include <string>

namespace steelyard::bench {
namespace {

using netlink::Bytes;
namespace ipvs = netlink::ipvs;

constexpr std::size_t kMostBytes = 60'000;
constexpr int kBuffer = 8 << 20;
constexpr const char* kLink = "kube-ipvs0";

int protocol_of(const proxy::Op& op) {
    switch (dataplane::subsystem_of(op)) {
        case dataplane::Subsystem::Ipvs:
            return NETLINK_GENERIC;
        case dataplane::Subsystem::Ipset:
            return NETLINK_NETFILTER;
        case dataplane::Subsystem::Route:
            return NETLINK_ROUTE;
    }
    fail("an operation of no subsystem");
}

proxy::VirtualServerKey key_of(std::uint32_t service) {
    return {net::Protocol::Tcp, {cluster_ip(service), 80}, 0};
}

}  // namespace

KernelIds kernel_ids() {
    Loop loop;
    auto tables = dataplane::IpvsTables::open(loop.executor());
    if (!tables || !loop.wait((*tables)->find())) {
        fail("the kernel has no IPVS");
    }
    return {(*tables)->family(), ::if_nametoindex(kLink)};
}

RawNetlink::RawNetlink(int protocol) : buffer_(std::size_t{1} << 16U) {
    descriptor_ = ::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, protocol);
    if (descriptor_ < 0) {
        fail("no netlink socket");
    }
    ::setsockopt(descriptor_, SOL_SOCKET, SO_RCVBUFFORCE, &kBuffer, sizeof kBuffer);
    ::setsockopt(descriptor_, SOL_SOCKET, SO_SNDBUFFORCE, &kBuffer, sizeof kBuffer);
    const int yes = 1;
    ::setsockopt(descriptor_, SOL_NETLINK, NETLINK_CAP_ACK, &yes, sizeof yes);
    ::setsockopt(descriptor_, SOL_NETLINK, NETLINK_GET_STRICT_CHK, &yes, sizeof yes);
}

RawNetlink::~RawNetlink() {
    ::close(descriptor_);
}

std::size_t RawNetlink::send(const Bytes& datagram, std::uint32_t last_sequence) {
    if (::send(descriptor_, datagram.data(), datagram.size(), 0) < 0) {
        fail("a datagram was not sent");
    }
    std::size_t refused = 0;
    for (;;) {
        const ssize_t size = ::recv(descriptor_, buffer_.data(), buffer_.size(), 0);
        if (size <= 0) {
            fail("an acknowledgement was lost");
        }
        netlink::ByteView received = std::span(buffer_).first(static_cast<std::size_t>(size));
        while (const auto message = netlink::next_message(received)) {
            const auto error = netlink::decode_ack(*message);
            refused += error && *error != 0 ? 1U : 0U;
            if (error && message->sequence == last_sequence) {
                return refused;
            }
        }
    }
}

std::size_t RawNetlink::ask(Bytes request) {
    const auto flags = netlink::read_header<nlmsghdr>(request)->nlmsg_flags;
    const bool is_dump = (flags & NLM_F_DUMP) == NLM_F_DUMP;
    const unsigned more = NLM_F_REQUEST | (is_dump ? 0U : unsigned{NLM_F_ACK});
    netlink::address(request, ++sequence_, static_cast<std::uint16_t>(more));
    if (::send(descriptor_, request.data(), request.size(), 0) < 0) {
        fail("a request was not sent");
    }
    std::size_t messages = 0;
    for (;;) {
        const ssize_t size = ::recv(descriptor_, buffer_.data(), buffer_.size(), 0);
        if (size <= 0) {
            fail("an answer was lost");
        }
        netlink::ByteView received = std::span(buffer_).first(static_cast<std::size_t>(size));
        while (const auto message = netlink::next_message(received)) {
            if (message->type == NLMSG_DONE || message->type == NLMSG_ERROR) {
                return messages;
            }
            ++messages;
        }
    }
}

std::vector<Datagram> encode_all(
    const std::vector<proxy::Op>& ops, const KernelIds& ids, std::size_t most
) {
    const dataplane::Encoding with{ids.ipvs_family, ids.link_index, "KUBE"};
    std::vector<Datagram> datagrams;
    std::vector<Bytes> pending;
    std::size_t size = 0;
    std::uint32_t sequence = 0;
    int protocol = 0;
    const auto flush = [&] {
        if (pending.empty()) {
            return;
        }
        netlink::address(pending.back(), sequence, NLM_F_ACK);
        Datagram datagram;
        datagram.protocol = protocol;
        datagram.last_sequence = sequence;
        for (const Bytes& message : pending) {
            datagram.bytes.insert(datagram.bytes.end(), message.begin(), message.end());
        }
        datagrams.push_back(std::move(datagram));
        pending.clear();
        size = 0;
    };
    for (const proxy::Op& op : ops) {
        Bytes message = dataplane::encode(op, with);
        const int next = protocol_of(op);
        if (next != protocol || pending.size() == most || size + message.size() > kMostBytes) {
            flush();
        }
        protocol = next;
        size += message.size();
        netlink::address(message, ++sequence, NLM_F_REQUEST);
        pending.push_back(std::move(message));
    }
    flush();
    return datagrams;
}

Sent send_all(const std::vector<Datagram>& datagrams) {
    RawNetlink generic(NETLINK_GENERIC);
    RawNetlink netfilter(NETLINK_NETFILTER);
    RawNetlink route(NETLINK_ROUTE);
    Sent sent;
    const Stopwatch watch;
    for (const Datagram& datagram : datagrams) {
        RawNetlink& socket = datagram.protocol == NETLINK_GENERIC     ? generic
                             : datagram.protocol == NETLINK_NETFILTER ? netfilter
                                                                      : route;
        sent.refused += socket.send(datagram.bytes, datagram.last_sequence);
    }
    sent.seconds = watch.seconds();
    return sent;
}

double raw_dump(const KernelIds& ids, std::uint32_t services) {
    std::vector<Bytes> sets;
    for (const proxy::SetName name : proxy::all_set_names()) {
        for (const net::Family family : {net::Family::V4, net::Family::V6}) {
            sets.push_back(netlink::ipset::list(proxy::set_name({name, family})));
        }
    }
    RawNetlink generic(NETLINK_GENERIC);
    RawNetlink netfilter(NETLINK_NETFILTER);
    RawNetlink route(NETLINK_ROUTE);
    std::size_t found = 0;
    const Stopwatch watch;
    found += route.ask(netlink::dump_addresses(ids.link_index));
    for (const net::Family family : {net::Family::V4, net::Family::V6}) {
        found += route.ask(netlink::dump_local_routes(family));
    }
    for (const Bytes& set : sets) {
        found += netfilter.ask(set);
    }
    found += generic.ask(ipvs::dump_services(ids.ipvs_family));
    for (std::uint32_t number = 0; number < services; ++number) {
        found += generic.ask(ipvs::dump_dests(ids.ipvs_family, key_of(number)));
    }
    const double seconds = watch.seconds();
    if (found < services * (kEndpoints + 1)) {
        fail("the dump is short");
    }
    return seconds;
}

double kube_proxy_questions(const KernelIds& ids, std::uint32_t services) {
    RawNetlink generic(NETLINK_GENERIC);
    const Stopwatch watch;
    for (std::uint32_t number = 0; number < services; ++number) {
        const auto key = key_of(number);
        const std::size_t found = generic.ask(ipvs::get_service(ids.ipvs_family, key)) +
                                  generic.ask(ipvs::get_service(ids.ipvs_family, key)) +
                                  generic.ask(ipvs::dump_dests(ids.ipvs_family, key));
        if (found < kEndpoints + 2) {
            fail("a virtual server is missing");
        }
    }
    return watch.seconds();
}

}  // namespace steelyard::bench
