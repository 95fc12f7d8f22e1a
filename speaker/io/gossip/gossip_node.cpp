#include "common/rt/sleep.hpp"
#include "speaker/io/gossip/gossip_driver.hpp"

#include <boost/asio/buffer.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/read_until.hpp>
#include <boost/asio/signal_set.hpp>
#include <nlohmann/json.hpp>

#include <unistd.h>

#include <CLI/CLI.hpp>
#include <iostream>

// A node that does nothing but gossip and prints what happens as JSON lines; the interoperability
// tests run it against other implementations. It takes orders as JSON lines on its standard input:
// {"meta": "text"}, {"keys": ["hex", ...]} (the first one seals) and {"counters": true}. SIGTERM
// makes it leave.
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

wire::Bytes bytes_of(const std::string& text) {
    const auto raw = std::as_bytes(std::span(text));
    return {raw.begin(), raw.end()};
}

Result<gossip_wire::KeyRing> parse_keys(const std::vector<std::string>& texts) {
    std::vector<gossip_wire::Key> keys;
    for (const std::string& hex : texts) {
        gossip_wire::Key key;
        for (std::size_t i = 0; i + 1 < hex.size(); i += 2) {
            key.push_back(static_cast<std::byte>(std::stoul(hex.substr(i, 2), nullptr, 16)));
        }
        keys.push_back(std::move(key));
    }
    return gossip_wire::KeyRing::make(std::move(keys));
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
        // Serf's meta is binary; what is not UTF-8 is of no interest here.
        const std::string meta(gossip_wire::as_text(changed.member.meta));
        const nlohmann::json shown(meta);
        const auto replace = nlohmann::json::error_handler_t::replace;
        line["meta"] = nlohmann::json::parse(shown.dump(-1, ' ', true, replace));
        line["live"] = live;
        print(line);
    };
    out.refused = [](const std::string& why) {
        print({{"event", "refused"}, {"why", why}});
    };
    out.failed = [](const std::string& why) {
        print({{"event", "failed"}, {"why", why}});
        std::_Exit(1);
    };
    return out;
}

void print_counters(const gossip::Counters& counters) {
    nlohmann::json refused = nlohmann::json::object();
    for (const gossip_wire::Refusal reason : gossip_wire::kRefusals) {
        refused[std::string(to_string(reason))] = counters.refused_for(reason);
    }
    nlohmann::json line;
    line["event"] = "counters";
    line["refused"] = refused;
    line["user_messages"] = counters.user_messages;
    line["packets_in"] = counters.packets_in;
    print(line);
}

void obey(io::GossipDriver& driver, const std::string& text) {
    const auto order = nlohmann::json::parse(text, nullptr, false);
    Result<> done;
    if (order.is_object() && order.contains("meta")) {
        done = driver.update_meta(bytes_of(order["meta"].get<std::string>()));
    } else if (order.is_object() && order.contains("keys")) {
        auto keys = parse_keys(order["keys"].get<std::vector<std::string>>());
        done = keys ? driver.set_keys(std::move(*keys)) : Result<>(keys.error());
    } else if (order.is_object() && order.contains("counters")) {
        print_counters(driver.counters());
        return;
    } else {
        done = make_error(Errc::Invalid, "order \"" + text + "\": not meta, keys or counters");
    }
    print({{"event", "done"}, {"why", done ? "" : to_string(done.error())}});
}

awaitable<void> take_orders(io::GossipDriver& driver, asio::posix::stream_descriptor& input) {
    std::string buffer;
    for (;;) {
        auto into = asio::dynamic_buffer(buffer, 65536);
        const auto [ec, size] = co_await asio::async_read_until(input, into, '\n', kAwait);
        if (ec) {
            co_return;
        }
        obey(driver, buffer.substr(0, size));
        buffer.erase(0, size);
    }
}

awaitable<void> run(
    io::GossipDriver& driver, asio::signal_set& signals, rt::TaskGroup& orders, int& number
) {
    const auto [ec, signal] = co_await signals.async_wait(kAwait);
    number = ec ? 0 : signal;
    orders.cancel();
    co_await orders.join();
    co_await driver.leave();
    co_await driver.stop();
}

struct Flags {
    std::string name = "node";
    std::string bind = "127.0.0.1";
    std::string secret;
    std::vector<std::string> keys;
    std::string label;
    std::string meta;
    std::string profile = "fast";
    std::vector<unsigned> delegate;
    std::uint16_t port = 0;
    bool compress = true;
    unsigned encryption = 1;
    std::vector<std::string> join;
};

void declare(CLI::App& app, Flags& flags) {
    app.add_option("--name", flags.name);
    app.add_option("--bind", flags.bind);
    app.add_option("--port", flags.port, "0 picks one");
    app.add_option("--secret", flags.secret, "text, made a key as MetalLB does");
    app.add_option("--key", flags.keys, "a key in hex; the first one seals");
    app.add_option("--label", flags.label);
    app.add_option("--meta", flags.meta);
    app.add_option("--profile", flags.profile, "fast, lan or wan");
    app.add_option("--delegate", flags.delegate, "delegate version: least, current, most")
        ->expected(3);
    app.add_option("--compress", flags.compress);
    app.add_option("--encryption", flags.encryption, "version: 0 pads, 1 does not");
    app.add_option("--join", flags.join, "address:port of a member");
}

Result<io::GossipDriver::Options> options_of(const Flags& flags) {
    const auto pace = gossip::parse_profile(flags.profile);
    if (!pace) {
        return pace.error();
    }
    const auto address = net::IpAddress::parse(flags.bind);
    if (!address) {
        return address.error();
    }
    io::GossipDriver::Options options;
    options.bind = *address;
    gossip::Config& config = options.config;
    config.name = flags.name;
    config.address.port = flags.port;
    config.timing = gossip::timing(*pace);
    config.envelope.compress = flags.compress;
    config.envelope.label = flags.label;
    config.envelope.version = flags.encryption == 0 ? gossip_wire::EncryptionVersion::Padded
                                                    : gossip_wire::EncryptionVersion::Plain;
    config.meta = bytes_of(flags.meta);
    if (!flags.delegate.empty()) {
        config.versions.dmin = static_cast<std::uint8_t>(flags.delegate[0]);
        config.versions.dcur = static_cast<std::uint8_t>(flags.delegate[1]);
        config.versions.dmax = static_cast<std::uint8_t>(flags.delegate[2]);
    }
    auto keys = flags.secret.empty()
                    ? parse_keys(flags.keys)
                    : gossip_wire::KeyRing::make({gossip_wire::metallb_key(flags.secret)});
    if (!keys) {
        return keys.error();
    }
    config.envelope.keys = std::move(*keys);
    return options;
}

Result<int> serve(const Flags& flags) {
    auto options = options_of(flags);
    if (!options) {
        return options.error();
    }
    std::vector<net::Endpoint> peers;
    for (const std::string& text : flags.join) {
        const auto peer = parse_endpoint(text);
        if (!peer) {
            return peer.error();
        }
        peers.push_back(*peer);
    }
    asio::io_context ioc(1);
    auto driver = io::GossipDriver::create(ioc.get_executor(), std::move(*options), handlers());
    if (!driver) {
        return driver.error();
    }
    print(
        {{"event", "listening"}, {"name", flags.name}, {"address", to_string((*driver)->address())}}
    );
    asio::signal_set signals(ioc, SIGTERM, SIGINT);
    asio::posix::stream_descriptor input(ioc);
    boost::system::error_code no_input;  // a file, say, which cannot be waited for
    input.assign(::dup(STDIN_FILENO), no_input);
    int number = 0;
    const auto ignore = [](const std::string&, const std::exception_ptr&) {
    };
    rt::TaskGroup orders(ioc.get_executor(), ignore);
    rt::TaskGroup main_task(ioc.get_executor(), ignore);
    (*driver)->start();
    (*driver)->set_peers(peers);
    if (!no_input) {
        orders.spawn("orders", take_orders(**driver, input));
    }
    main_task.spawn("main", run(**driver, signals, orders, number));
    ioc.run();
    print({{"event", "exited"}, {"signal", number}});
    return 0;
}

}  // namespace

int main(int argc, char** argv) {
    try {
        Flags flags;
        CLI::App app("gossip node for tests");
        declare(app, flags);
        CLI11_PARSE(app, argc, argv);
        const auto served = serve(flags);
        if (!served) {
            std::cerr << to_string(served.error()) << std::endl;
            return 1;
        }
        return *served;
    } catch (const std::exception& error) {
        std::cerr << error.what() << std::endl;
        return 1;
    }
}
