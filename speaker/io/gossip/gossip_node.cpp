#include "common/rt/sleep.hpp"
#include "speaker/io/gossip/gossip_driver.hpp"

#include <boost/asio/io_context.hpp>
#include <boost/asio/signal_set.hpp>
#include <nlohmann/json.hpp>

#include <CLI/CLI.hpp>
#include <iostream>

// A node that does nothing but gossip and prints what happens as JSON lines; the interoperability
// tests run it against other implementations. SIGTERM makes it leave.
namespace {

using namespace steelyard;

void print(const nlohmann::json& line) {
    std::cout << line.dump() << std::endl;
}

Result<net::Endpoint> parse_endpoint(const std::string& text) {
    const auto colon = text.rfind(':');
    auto address = net::IpAddress::parse(text.substr(0, colon));
    const int port = colon == std::string::npos ? 0 : std::atoi(text.c_str() + colon + 1);
    if (!address || port <= 0 || port > 65535) {
        return make_error(Errc::Invalid, "peer \"" + text + "\": want address:port");
    }
    return net::Endpoint{*address, static_cast<std::uint16_t>(port)};
}

io::GossipDriver::Handlers handlers() {
    io::GossipDriver::Handlers out;
    out.changed = [](const gossip::Changed& changed, const io::Members& members) {
        const auto live = std::count_if(members->begin(), members->end(), [](const auto& member) {
            return member.is_live();
        });
        nlohmann::json line;
        line["event"] = to_string(changed.kind);
        line["name"] = changed.member.name;
        line["address"] = to_string(changed.member.address);
        line["meta"] = std::string(gossip_wire::as_text(changed.member.meta));
        line["live"] = live;
        print(line);
    };
    out.refused = [](const std::string& why) {
        print({{"event", "refused"}, {"why", why}});
    };
    return out;
}

awaitable<void> run(io::GossipDriver& driver, asio::signal_set& signals, int& number) {
    const auto [ec, signal] = co_await signals.async_wait(kAwait);
    number = ec ? 0 : signal;
    co_await driver.leave();
    co_await driver.stop();
}

}  // namespace

int main(int argc, char** argv) {
    std::string name = "node";
    std::string bind = "127.0.0.1";
    std::string secret;
    std::string label;
    std::string meta;
    std::string profile = "fast";
    std::uint16_t port = 0;
    bool compress = true;
    std::vector<std::string> join;
    CLI::App app("gossip node for tests");
    app.add_option("--name", name);
    app.add_option("--bind", bind);
    app.add_option("--port", port, "0 picks one");
    app.add_option("--secret", secret, "text, made a key as MetalLB does");
    app.add_option("--label", label);
    app.add_option("--meta", meta);
    app.add_option("--profile", profile, "fast, lan or wan");
    app.add_option("--compress", compress);
    app.add_option("--join", join, "address:port of a member");
    CLI11_PARSE(app, argc, argv);

    const auto fail = [](const Error& error) {
        std::cerr << to_string(error) << std::endl;
        return 1;
    };
    const auto pace = gossip::parse_profile(profile);
    const auto address = net::IpAddress::parse(bind);
    if (!pace || !address) {
        return fail(pace ? address.error() : pace.error());
    }
    io::GossipDriver::Options options;
    options.bind = *address;
    options.config.name = name;
    options.config.address.port = port;
    options.config.timing = gossip::timing(*pace);
    options.config.envelope.compress = compress;
    options.config.envelope.label = label;
    const auto meta_bytes = std::as_bytes(std::span(meta));
    options.config.meta.assign(meta_bytes.begin(), meta_bytes.end());
    if (!secret.empty()) {
        auto keys = gossip_wire::KeyRing::make({gossip_wire::metallb_key(secret)});
        options.config.envelope.keys = std::move(*keys);
    }
    std::vector<net::Endpoint> peers;
    for (const std::string& text : join) {
        const auto peer = parse_endpoint(text);
        if (!peer) {
            return fail(peer.error());
        }
        peers.push_back(*peer);
    }

    asio::io_context ioc(1);
    auto driver = io::GossipDriver::create(ioc.get_executor(), std::move(options), handlers());
    if (!driver) {
        return fail(driver.error());
    }
    print({{"event", "listening"}, {"name", name}, {"address", to_string((*driver)->address())}});
    asio::signal_set signals(ioc, SIGTERM, SIGINT);
    int number = 0;
    rt::TaskGroup main_task(ioc.get_executor(), [](const std::string&, const std::exception_ptr&) {
    });
    (*driver)->start();
    (*driver)->set_peers(peers);
    main_task.spawn("main", run(**driver, signals, number));
    ioc.run();
    print({{"event", "exited"}, {"signal", number}});
    return 0;
}
