#include "common/config/communities.hpp"
#include "common/rt/sleep.hpp"
#include "common/rt/task_group.hpp"
#include "speaker/io/bfd/bfd_driver.hpp"
#include "speaker/io/bgp/bfd_sessions.hpp"
#include "speaker/io/bgp/bgp_driver.hpp"
#include "speaker/io/netlink/link_monitor.hpp"

#include <boost/asio/buffer.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/read_until.hpp>
#include <boost/asio/signal_set.hpp>
#include <nlohmann/json.hpp>

#include <sys/resource.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <fstream>
#include <iostream>
#include <map>

// A node that speaks nothing but BGP and BFD, for the interoperability tests and the benches. It
// takes orders as JSON lines on its standard input and prints JSON lines of what happens; the
// README lists both. SIGTERM and the end of input make it stop.
namespace {

using namespace steelyard;
using namespace std::chrono_literals;
using nlohmann::json;

Instant clock_now() {
    return std::chrono::steady_clock::now();
}

double milliseconds(Duration time) {
    return std::chrono::duration<double, std::milli>(time).count();
}

void print(const json& line) {
    std::cout << line.dump() << std::endl;
}

// ---- Orders as values. A wrong one throws; the caller prints why.

net::IpAddress address_of(const json& value) {
    return net::IpAddress::parse(value.get<std::string>()).value();
}

net::Prefix prefix_of(const json& value) {
    const auto text = value.get<std::string>();
    if (text.find('/') == std::string::npos) {
        const auto address = net::IpAddress::parse(text).value();
        return {address, address.bits()};
    }
    return net::Prefix::parse(text).value();
}

Duration seconds_of(const json& order, const char* name, double otherwise) {
    const std::chrono::duration<double> value(order.value(name, otherwise));
    return std::chrono::duration_cast<Duration>(value);
}

bgp::RemoteAs remote_as_of(const json& value) {
    if (value == "internal") {
        return {bgp::RemoteAs::Kind::Internal, 0};
    }
    if (value == "external") {
        return {bgp::RemoteAs::Kind::External, 0};
    }
    return {bgp::RemoteAs::Kind::Exactly, value.get<std::uint32_t>()};
}

std::optional<bgp_wire::Role> role_of(const json& order) {
    static const std::map<std::string, bgp_wire::Role> names = {
        {"provider", bgp_wire::Role::Provider},
        {"rs-server", bgp_wire::Role::RouteServer},
        {"rs-client", bgp_wire::Role::RouteServerClient},
        {"customer", bgp_wire::Role::Customer},
        {"peer", bgp_wire::Role::Peer}};
    return order.contains("role") ? std::optional(names.at(order["role"].get<std::string>()))
                                  : std::nullopt;
}

bgp::PeerConfig peer_of(const json& order) {
    bgp::PeerConfig out;
    out.name = order.at("name").get<std::string>();
    out.local_asn = order.at("local_as").get<std::uint32_t>();
    out.remote_as = remote_as_of(order.at("remote_as"));
    if (order.contains("address")) {
        out.address = address_of(order["address"]);
    }
    out.interface = order.value("interface", "");
    out.port = order.value("port", std::uint16_t{179});
    if (order.contains("source")) {
        out.source = address_of(order["source"]);
    }
    out.vrf = order.value("vrf", "");
    out.router_id = address_of(order.value("router_id", json("192.0.2.1"))).v4_host_order();
    out.hold_time = seconds_of(order, "hold", 90);
    if (order.contains("keepalive")) {
        out.keepalive_time = seconds_of(order, "keepalive", 0);
    }
    if (order.contains("connect")) {
        out.connect_time = seconds_of(order, "connect", 0);
    }
    out.password = order.value("password", "");
    out.passive = order.value("passive", false);
    out.multihop = order.value("multihop", false);
    if (order.contains("ttl_security")) {
        out.ttl_security_hops = order["ttl_security"].get<std::uint8_t>();
    }
    out.v4 = order.value("ipv4", !out.address || out.address->is_v4());
    out.v6 = order.value("ipv6", !out.address || !out.address->is_v4());
    out.graceful_restart = order.value("graceful_restart", false);
    out.restart_time = seconds_of(order, "restart_time", 120);
    out.role = role_of(order);
    out.bfd = order.contains("bfd") && order["bfd"] != false;
    return out;
}

bfd::Profile profile_of(const json& peer) {
    bfd::Profile out;
    const json order = peer.value("bfd", json());
    if (order.is_object()) {
        out.receive = seconds_of(order, "receive", 0.3);
        out.transmit = seconds_of(order, "transmit", 0.3);
        out.multiplier = order.value("multiplier", out.multiplier);
        out.echo = order.value("echo", false);
        out.echo_interval = seconds_of(order, "echo_interval", 0.05);
        out.passive = order.value("passive", false);
        out.minimum_ttl = order.value("minimum_ttl", out.minimum_ttl);
    }
    return out;
}

bgp_rib::Path path_of(const json& order) {
    bgp_rib::Path out;
    out.peers = order.value("peers", std::vector<std::string>());
    bgp_rib::Attributes& attributes = out.attributes;
    const auto number = [&](const char* name) {
        return order.contains(name) ? std::optional(order[name].get<std::uint32_t>())
                                    : std::nullopt;
    };
    attributes.local_pref = number("local_pref");
    attributes.med = number("med");
    attributes.prepend = order.value("prepend", 0U);
    attributes.link_bandwidth_weight = number("weight");
    config::Communities all;
    for (const auto& text : order.value("communities", std::vector<std::string>())) {
        all.merge(config::parse_community(text).value());
    }
    attributes.communities = all.standard;
    for (const config::LargeCommunity& one : all.large) {
        attributes.large.push_back({one.global, one.data1, one.data2});
    }
    for (const config::ExtendedCommunity& one : all.extended) {
        attributes.extended.push_back({one.bytes});
    }
    return out;
}

// `count` prefixes of `length` from `first` on, taking turns at `sets` sets of attributes.
bgp_rib::Changes generated(const json& order) {
    const net::IpAddress first = address_of(order.at("first"));
    const auto count = order.at("count").get<std::uint64_t>();
    const unsigned length = order.value("length", first.bits());
    const auto sets = order.value("sets", 1U);
    const std::uint64_t step = first.bits() - length < 63 ? 1ULL << (first.bits() - length) : 1;
    const bgp_rib::Path path = path_of(order);
    bgp_rib::Changes out;
    for (std::uint64_t i = 0; i < count; ++i) {
        const net::Prefix prefix(first.plus(i * step), length);
        if (order.value("withdraw", false)) {
            out.remove.push_back(prefix);
            continue;
        }
        bgp_rib::Route route{prefix, {path}};
        if (const auto set = static_cast<std::uint32_t>(i % sets); set > 0) {
            route.paths[0].attributes.communities.push_back(65000U << 16U | set);
        }
        out.upsert.push_back(std::move(route));
    }
    return out;
}

// ---- What happens as JSON.

json counters_of(const bgp::Counters::Messages& messages) {
    return {
        {"opens", messages.opens},
        {"updates", messages.updates},
        {"notifications", messages.notifications},
        {"keepalives", messages.keepalives},
        {"route_refreshes", messages.route_refreshes},
        {"bytes", messages.bytes}};
}

json peer_line(const io::BgpPeerStatus& status) {
    json out = {
        {"peer", status.name},
        {"state", bgp::to_string(status.state)},
        {"remote", to_string(status.remote)},
        {"local", to_string(status.local)},
        {"in_sync", status.in_sync},
        {"synced", status.synced},
        {"sent_ipv4", status.prefixes_v4},
        {"sent_ipv6", status.prefixes_v6},
        {"bfd", bgp::to_string(status.bfd)},
        {"flaps", status.flaps},
        {"in", counters_of(status.counters.in)},
        {"out", counters_of(status.counters.out)},
        {"received_ipv4", status.counters.v4.announced},
        {"received_ipv6", status.counters.v6.announced},
        {"treated_as_withdraw", status.counters.treated_as_withdraw}};
    if (status.trouble) {
        out["trouble"] = {
            {"kind", to_string(status.trouble->kind)}, {"text", status.trouble->text}};
    }
    if (!status.unsendable_v4.empty()) {
        out["unsendable_ipv4"] = status.unsendable_v4;
    }
    if (!status.unsendable_v6.empty()) {
        out["unsendable_ipv6"] = status.unsendable_v6;
    }
    if (const auto& negotiated = status.negotiated) {
        out["negotiated"] = {
            {"remote_as", negotiated->remote_asn},
            {"hold", milliseconds(negotiated->hold_time) / 1000},
            {"ipv4", negotiated->v4},
            {"ipv6", negotiated->v6},
            {"ipv4_over_ipv6", negotiated->v4_over_v6},
            {"extended_message", negotiated->extended_message},
            {"graceful_restart", negotiated->graceful_restart}};
    }
    return out;
}

double cpu_seconds() {
    rusage usage{};
    ::getrusage(RUSAGE_SELF, &usage);
    const auto seconds = [](const timeval& time) {
        return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) * 1e-6;
    };
    return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

std::uint64_t resident_bytes() {
    std::ifstream file("/proc/self/statm");
    std::uint64_t size = 0;
    std::uint64_t resident = 0;
    file >> size >> resident;
    return resident * static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
}

class Node {
public:
    Node(asio::io_context& ioc, io::BgpDriver::Options options)
        : ioc_(ioc),
          tasks_(
              ioc.get_executor(),
              [](const std::string& name, const std::exception_ptr& error) {
                  if (error) {
                      print({{"event", "failed"}, {"why", name + ": " + rt::describe(error)}});
                      std::_Exit(1);
                  }
              }
          ),
          bgp_(ioc.get_executor(), std::move(options), bgp_handlers()),
          bfd_(ioc.get_executor(), {}, bfd_handlers()),
          links_(ioc.get_executor(), {}, [this](const std::vector<net::Interface>& all) {
              bgp_.set_interfaces(all);
          }) {}

    awaitable<void> run(asio::posix::stream_descriptor& input) {
        const auto started = co_await links_.start();
        if (!started) {
            print({{"event", "failed"}, {"why", to_string(started.error())}});
            co_return;
        }
        tasks_.spawn("links", links_.run());
        bgp_.set_interfaces(links_.snapshot());
        bgp_.start();
        print({{"event", "started"}});
        std::string buffer;
        while (!stop_asked_) {
            auto into = asio::dynamic_buffer(buffer);
            const auto [ec, size] = co_await asio::async_read_until(input, into, '\n', kAwait);
            if (ec) {
                break;
            }
            obey(buffer.substr(0, size));
            buffer.erase(0, size);
        }
        co_await bgp_.stop(stop_mode_, stop_text_);
        co_await bfd_.stop();
        tasks_.cancel();
        co_await tasks_.join();
        print({{"event", "stopped"}});
    }

private:
    io::BgpDriver::Handlers bgp_handlers() {
        io::BgpDriver::Handlers out;
        out.on_status = [this](const std::shared_ptr<const io::BgpStatus>& status) {
            tell_changes(*status);
        };
        out.on_bfd_wanted = [this](const std::vector<io::BfdWanted>& wanted) {
            bfd_.set_sessions(io::bfd_sessions(wanted, profiles_));
        };
        out.on_log = [](io::BgpDriver::Level level, const std::string& line) {
            const bool warning = level == io::BgpDriver::Level::Warning;
            print({{"event", "log"}, {"level", warning ? "warning" : "info"}, {"line", line}});
        };
        out.on_failed = [](const std::string& why) {
            print({{"event", "failed"}, {"why", why}});
            std::_Exit(1);
        };
        return out;
    }

    io::BfdDriver::Handlers bfd_handlers() {
        io::BfdDriver::Handlers out;
        out.on_change =
            [this](const std::string& key, bfd::State state, bfd::Diagnostic why, Instant) {
                print(
                    {{"event", "bfd"},
                     {"peer", key},
                     {"state", to_string(state)},
                     {"diagnostic", to_string(why)}}
                );
                bgp_.on_bfd(key, io::as_bgp_sees(state));
            };
        out.on_trouble = [](const std::string& line) {
            print({{"event", "log"}, {"level", "warning"}, {"line", line}});
        };
        return out;
    }

    // A line for each peer whose state or trouble is another one, and for each that came in sync.
    void tell_changes(const io::BgpStatus& status) {
        for (const io::BgpPeerStatus& peer : status) {
            const std::string trouble = peer.trouble ? peer.trouble->text : "";
            auto& told = told_[peer.name];
            if (told.state != peer.state || told.trouble != trouble) {
                json line = peer_line(peer);
                line["event"] = "peer";
                print(line);
            }
            const std::size_t sent = peer.prefixes_v4 + peer.prefixes_v6;
            if (peer.in_sync &&
                (!told.in_sync || told.synced != peer.synced || told.sent != sent)) {
                print(
                    {{"event", "in_sync"},
                     {"peer", peer.name},
                     {"sequence", peer.synced},
                     {"after_ms", milliseconds(clock_now() - applied_[peer.synced])},
                     {"sent_ipv4", peer.prefixes_v4},
                     {"sent_ipv6", peer.prefixes_v6},
                     {"updates_out", peer.counters.out.updates},
                     {"bytes_out", peer.counters.out.bytes}}
                );
            }
            told = {peer.state, trouble, peer.in_sync, peer.synced, sent};
        }
    }

    void apply(const bgp_rib::Changes& changes) {
        applied_[++sequence_] = clock_now();
        bgp_.apply(changes, sequence_);
    }

    // One apply() a route, spread evenly over a time, as a burst of Service changes would come.
    awaitable<void> apply_spread(bgp_rib::Changes changes, Duration time) {
        const Instant start = clock_now();
        const std::size_t count = changes.upsert.size() + changes.remove.size();
        for (std::size_t i = 0; i < count; ++i) {
            const Instant due = start + time * i / count;
            if (due > clock_now()) {
                co_await rt::sleep_until(due);
            }
            bgp_rib::Changes one;
            if (i < changes.upsert.size()) {
                one.upsert.push_back(changes.upsert[i]);
            } else {
                one.remove.push_back(changes.remove[i - changes.upsert.size()]);
            }
            apply(one);
        }
    }

    void obey(const std::string& text) {
        const json order = json::parse(text, nullptr, false);
        json answer = {{"event", "done"}};
        try {
            if (!order.is_object() || !obey(order, answer)) {
                answer["why"] = "no such order: " + text;
            }
        } catch (const std::exception& error) {
            answer["why"] = error.what();
        }
        print(answer);
    }

    bool obey(const json& order, json& answer) {
        if (order.contains("peers")) {
            set_peers(order["peers"]);
        } else if (order.contains("announce")) {
            bgp_rib::Changes changes;
            for (const json& route : order["announce"]) {
                changes.upsert.push_back({prefix_of(route.at("prefix")), {path_of(route)}});
            }
            apply(changes);
        } else if (order.contains("withdraw")) {
            bgp_rib::Changes changes;
            for (const json& prefix : order["withdraw"]) {
                changes.remove.push_back(prefix_of(prefix));
            }
            apply(changes);
        } else if (order.contains("generate")) {
            const json& what = order["generate"];
            if (what.contains("spread_ms")) {
                const std::chrono::milliseconds time(what["spread_ms"].get<int>());
                tasks_.spawn("spread", apply_spread(generated(what), time));
            } else {
                apply(generated(what));
            }
        } else if (order.contains("drain")) {
            bgp_.set_draining(order["drain"].get<bool>());
        } else if (order.contains("status")) {
            answer["status"] = json::array();
            const auto status = bgp_.status();
            for (const io::BgpPeerStatus& peer : *status) {
                answer["status"].push_back(peer_line(peer));
            }
            answer["listen_port"] = bgp_.listen_port();
            answer["unknown_callers"] = bgp_.unknown_callers();
        } else if (order.contains("figures")) {
            tell_figures(answer);
        } else if (order.contains("stop")) {
            stop_asked_ = true;
            stop_mode_ =
                order["stop"] == "restart" ? io::StopMode::Restart : io::StopMode::Shutdown;
            stop_text_ = order.value("text", "");
        } else {
            return false;
        }
        answer["sequence"] = sequence_;
        return true;
    }

    void set_peers(const json& orders) {
        std::vector<bgp::PeerConfig> peers;
        profiles_.clear();
        for (const json& order : orders) {
            peers.push_back(peer_of(order));
            profiles_[peers.back().name] = profile_of(order);
        }
        bgp_.set_peers(std::move(peers));
    }

    void tell_figures(json& answer) const {
        const auto rib = bgp_.rib().figures();
        answer["cpu_seconds"] = cpu_seconds();
        answer["resident_bytes"] = resident_bytes();
        answer["rib"] = {
            {"routes", rib.routes},
            {"tombstones", rib.tombstones},
            {"attribute_sets", rib.attribute_sets},
            {"shared_bytes", rib.shared_bytes},
            {"peer_bytes", rib.peer_bytes}};
    }

    struct Told {
        bgp::State state = bgp::State::Idle;
        std::string trouble;
        bool in_sync = false;
        std::uint64_t synced = 0;
        std::size_t sent = 0;
    };

    asio::io_context& ioc_;
    rt::TaskGroup tasks_;
    io::BfdProfiles profiles_;
    std::map<std::string, Told> told_;
    std::map<std::uint64_t, Instant> applied_;
    std::uint64_t sequence_ = 0;
    bool stop_asked_ = false;
    io::StopMode stop_mode_ = io::StopMode::Shutdown;
    std::string stop_text_;
    io::BgpDriver bgp_;
    io::BfdDriver bfd_;
    netlink::LinkMonitor links_;
};

// SIGTERM ends the input, and so the node.
awaitable<void> end_on_signal(asio::signal_set& signals, asio::posix::stream_descriptor& input) {
    (void)co_await signals.async_wait(kAwait);
    input.cancel();
}

int serve(io::BgpDriver::Options options) {
    asio::io_context ioc(1);
    Node node(ioc, std::move(options));
    asio::signal_set signals(ioc, SIGTERM, SIGINT);
    asio::posix::stream_descriptor input(ioc, ::dup(STDIN_FILENO));
    rt::TaskGroup waiting(ioc.get_executor(), [](const std::string&, const std::exception_ptr&) {});
    rt::TaskGroup main_task(
        ioc.get_executor(),
        [&](const std::string&, const std::exception_ptr& error) {
            if (error) {
                print({{"event", "failed"}, {"why", rt::describe(error)}});
            }
            waiting.cancel();
        }
    );
    waiting.spawn("signal", end_on_signal(signals, input));
    main_task.spawn("main", node.run(input));
    ioc.run();
    return 0;
}

}  // namespace

int main(int argc, char** argv) {
    try {
        io::BgpDriver::Options options;
        double drain_wait = 2;
        CLI::App app("BGP node for tests and benches");
        app.add_option("--listen-port", options.listen_port, "0: do not listen");
        app.add_option("--default-local-pref", options.default_local_pref);
        app.add_option("--drain-wait", drain_wait, "seconds");
        app.add_flag("--restarting", options.restarting, "we kept forwarding: say so in OPEN");
        CLI11_PARSE(app, argc, argv);
        options.drain_wait =
            std::chrono::duration_cast<Duration>(std::chrono::duration<double>(drain_wait));
        return serve(std::move(options));
    } catch (const std::exception& error) {
        std::cerr << error.what() << std::endl;
        return 1;
    }
}
