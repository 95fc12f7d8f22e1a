#include "common/rt/task_group.hpp"
#include "speaker/io/bfd/bfd_driver.hpp"

#include <boost/asio/buffer.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/read_until.hpp>
#include <boost/asio/signal_set.hpp>
#include <nlohmann/json.hpp>

#include <sys/resource.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <iostream>

// A node that speaks nothing but BFD, for interoperability tests and the benchmark. It takes orders
// as JSON lines on its standard input, {"sessions": [{"key": "a", "remote": "10.0.0.2", ...}]},
// {"admin_down": "a", "down": true} and {"status": true}, and prints what happens as JSON lines;
// "at" is seconds of the monotonic clock. SIGTERM makes it say AdminDown and exit.
namespace {

using namespace steelyard;
using nlohmann::json;

void print(const json& line) {
    std::cout << line.dump() << std::endl;
}

double seconds(Instant instant) {
    return std::chrono::duration<double>(instant.time_since_epoch()).count();
}

double milliseconds(Duration duration) {
    return std::chrono::duration<double, std::milli>(duration).count();
}

Duration milliseconds_of(const json& order, const char* field, Duration fallback) {
    const double count = order.value(field, milliseconds(fallback));
    return std::chrono::duration_cast<Duration>(std::chrono::duration<double, std::milli>(count));
}

bfd::Profile profile_of(const json& order) {
    bfd::Profile out;
    out.receive = milliseconds_of(order, "receive_ms", out.receive);
    out.transmit = milliseconds_of(order, "transmit_ms", out.transmit);
    out.multiplier = order.value("multiplier", out.multiplier);
    out.echo = order.value("echo", out.echo);
    out.echo_interval = milliseconds_of(order, "echo_ms", out.echo_interval);
    out.passive = order.value("passive", out.passive);
    out.minimum_ttl = order.value("minimum_ttl", out.minimum_ttl);
    return out;
}

Result<bfd::SessionConfig> session_of(const json& order) {
    bfd::SessionConfig out;
    out.key = order.value("key", "");
    const auto remote = net::IpAddress::parse(order.value("remote", ""));
    if (!remote) {
        return remote.error();
    }
    out.remote = *remote;
    if (order.contains("local")) {
        const auto local = net::IpAddress::parse(order.value("local", ""));
        if (!local) {
            return local.error();
        }
        out.local = *local;
    }
    out.interface = order.value("interface", "");
    out.vrf = order.value("vrf", "");
    out.multihop = order.value("multihop", false);
    out.profile = profile_of(order);
    return out;
}

json status_of(const io::BfdSessionStatus& one) {
    const bfd::SessionStatus& session = one.session;
    json out;
    out["key"] = one.key;
    out["state"] = to_string(session.state);
    out["remote_state"] = to_string(session.remote_state);
    out["diagnostic"] = to_string(session.diagnostic);
    out["remote_diagnostic"] = to_string(session.remote_diagnostic);
    out["transmit_ms"] = milliseconds(session.transmit_interval);
    out["receive_ms"] = milliseconds(session.receive_interval);
    out["detection_ms"] = milliseconds(session.detection_time);
    out["echo"] = session.echo;
    out["sent"] = session.counters.sent;
    out["received"] = session.counters.received;
    out["echoes_sent"] = session.counters.echoes_sent;
    out["echoes_received"] = session.counters.echoes_received;
    out["ups"] = session.counters.ups;
    out["downs"] = session.counters.downs;
    out["trouble"] = one.trouble;
    return out;
}

double cpu_seconds() {
    rusage usage{};
    ::getrusage(RUSAGE_SELF, &usage);
    const auto of = [](const timeval& time) {
        return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) / 1e6;
    };
    return of(usage.ru_utime) + of(usage.ru_stime);
}

void print_status(const io::BfdDriver& driver) {
    json line;
    line["event"] = "status";
    line["sessions"] = json::array();
    for (const io::BfdSessionStatus& one : driver.status()) {
        line["sessions"].push_back(status_of(one));
    }
    line["drops"] = json::object();
    for (std::size_t i = 0; i < bfd::kDrops; ++i) {
        line["drops"][std::string(to_string(static_cast<bfd::Drop>(i)))] = driver.drops()[i];
    }
    line["cpu_seconds"] = cpu_seconds();
    print(line);
}

Result<> set_sessions(io::BfdDriver& driver, const json& orders) {
    std::vector<bfd::SessionConfig> sessions;
    for (const json& order : orders) {
        auto session = session_of(order);
        if (!session) {
            return std::move(session).error();
        }
        sessions.push_back(std::move(*session));
    }
    driver.set_sessions(std::move(sessions));
    return {};
}

void obey(io::BfdDriver& driver, const std::string& text) {
    const json order = json::parse(text, nullptr, false);
    Result<> done;
    if (order.is_object() && order.contains("sessions")) {
        done = set_sessions(driver, order["sessions"]);
    } else if (order.is_object() && order.contains("admin_down")) {
        driver.set_admin_down(order.value("admin_down", ""), order.value("down", true));
    } else if (order.is_object() && order.contains("status")) {
        print_status(driver);
        return;
    } else {
        done =
            make_error(Errc::Invalid, "order \"" + text + "\": not sessions, admin_down or status");
    }
    print({{"event", "done"}, {"why", done ? "" : to_string(done.error())}});
}

io::BfdDriver::Handlers handlers() {
    io::BfdDriver::Handlers out;
    out.on_change =
        [](const std::string& key, bfd::State state, bfd::Diagnostic diagnostic, Instant when) {
            print(
                {{"event", "change"},
                 {"key", key},
                 {"state", to_string(state)},
                 {"diagnostic", to_string(diagnostic)},
                 {"at", seconds(when)}}
            );
        };
    out.on_trouble = [](const std::string& why) {
        print({{"event", "trouble"}, {"why", why}});
    };
    return out;
}

awaitable<void> take_orders(io::BfdDriver& driver, asio::posix::stream_descriptor& input) {
    std::string buffer;
    for (;;) {
        auto into = asio::dynamic_buffer(buffer, 1 << 20);
        const auto [ec, size] = co_await asio::async_read_until(input, into, '\n', kAwait);
        if (ec) {
            co_return;
        }
        obey(driver, buffer.substr(0, size));
        buffer.erase(0, size);
    }
}

awaitable<void> run(io::BfdDriver& driver, asio::signal_set& signals, rt::TaskGroup& orders) {
    co_await signals.async_wait(kAwait);
    orders.cancel();
    co_await orders.join();
    co_await driver.stop();
}

int serve(bool realtime) {
    asio::io_context ioc(1);
    if (realtime) {
        const auto set = io::set_realtime_priority();
        print({{"event", "realtime"}, {"why", set ? "" : to_string(set.error())}});
    }
    io::BfdDriver driver(ioc.get_executor(), {}, handlers());
    asio::signal_set signals(ioc, SIGTERM, SIGINT);
    asio::posix::stream_descriptor input(ioc);
    boost::system::error_code no_input;  // a file, say, which cannot be waited for
    input.assign(::dup(STDIN_FILENO), no_input);
    const auto ignore = [](const std::string&, const std::exception_ptr& error) {
        if (error) {
            print({{"event", "failed"}, {"why", rt::describe(error)}});
        }
    };
    rt::TaskGroup orders(ioc.get_executor(), ignore);
    rt::TaskGroup main_task(ioc.get_executor(), ignore);
    if (!no_input) {
        orders.spawn("orders", take_orders(driver, input));
    }
    main_task.spawn("main", run(driver, signals, orders));
    print({{"event", "listening"}, {"address", ""}});
    ioc.run();
    print({{"event", "exited"}});
    return 0;
}

}  // namespace

int main(int argc, char** argv) {
    try {
        bool realtime = false;
        CLI::App app("BFD node for tests");
        app.add_flag("--realtime", realtime, "ask for real-time priority");
        CLI11_PARSE(app, argc, argv);
        return serve(realtime);
    } catch (const std::exception& error) {
        std::cerr << error.what() << std::endl;
        return 1;
    }
}
