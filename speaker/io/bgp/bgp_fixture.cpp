#include "speaker/io/bgp/bgp_fixture.hpp"

#include "speaker/bgp/wire/notification.hpp"
#include "speaker/io/bgp/tcp_options.hpp"

#include <algorithm>
#include <array>

namespace steelyard::io {

using namespace std::chrono_literals;

namespace {

constexpr Duration kPatience = 20s;

}  // namespace

BgpPeerStatus BgpNode::peer(const std::string& name) const {
    for (const BgpPeerStatus& one : *status) {
        if (one.name == name) {
            return one;
        }
    }
    return {};
}

bool BgpNode::established(const std::string& name) const {
    return peer(name).state == bgp::State::Established;
}

bool BgpNode::logged(const std::string& part) const {
    return std::any_of(log.begin(), log.end(), [&](const std::string& line) {
        return line.find(part) != std::string::npos;
    });
}

TestRouter::TestRouter(asio::io_context& ioc, const std::string& address, std::uint32_t asn)
    : acceptor_(ioc), socket_(ioc) {
    const asio::ip::tcp::endpoint at(asio::ip::make_address(address), 0);
    acceptor_.open(at.protocol());
    acceptor_.bind(at);
    acceptor_.listen();
    acceptor_.non_blocking(true);
    open.asn = asn;
    open.hold_seconds = 90;
    open.router_id = 0x7f000009;
    open.capabilities.multiprotocol = true;
    open.capabilities.v4_unicast = true;
    open.capabilities.as4 = asn;
}

void TestRouter::greet() {
    bytes_.clear();
    ended_ = false;
    ++calls_;
    socket_.non_blocking(true);
    wire::Writer out;
    bgp_wire::encode_open(out, open);
    bgp_wire::encode_keepalive(out);
    send(out.view());
}

void TestRouter::poll() {
    boost::system::error_code ec;
    if (!socket_.is_open() || ended_) {
        if (receive_buffer > 0) {
            acceptor_.set_option(asio::socket_base::receive_buffer_size(receive_buffer));
        }
        asio::ip::tcp::socket next(socket_.get_executor());
        acceptor_.accept(next, ec);
        if (ec) {
            return;
        }
        socket_ = std::move(next);
        greet();
    }
    std::array<std::byte, 65536> piece;
    while (reading && !ended_) {
        const std::size_t size = socket_.read_some(asio::buffer(piece), ec);
        if (ec == asio::error::would_block) {
            return;
        }
        ended_ = static_cast<bool>(ec);
        bytes_.insert(bytes_.end(), piece.begin(), piece.begin() + static_cast<long>(size));
        if (ended_) {
            socket_.close();
        }
    }
}

void TestRouter::call(const std::string& address, std::uint16_t port) {
    const asio::ip::tcp::endpoint from(acceptor_.local_endpoint().address(), 0);
    socket_ = asio::ip::tcp::socket(socket_.get_executor());
    socket_.open(from.protocol());
    socket_.bind(from);
    socket_.connect({asio::ip::make_address(address), port});
    greet();
}

void TestRouter::hang_up() {
    socket_.close();
    bytes_.clear();
}

void TestRouter::send(std::span<const std::byte> bytes) {
    boost::system::error_code ec;
    socket_.write_some(asio::buffer(bytes.data(), bytes.size()), ec);
}

std::vector<bgp_wire::Message> TestRouter::messages() const {
    bgp_wire::Framer framer;
    framer.push(bytes_);
    std::vector<bgp_wire::Message> out;
    for (;;) {
        const auto next = framer.next(bgp_wire::kMaxExtendedMessage);
        const auto* frame = std::get_if<bgp_wire::Frame>(&next);
        if (frame == nullptr) {
            EXPECT_TRUE(std::holds_alternative<bgp_wire::NeedMore>(next));
            return out;
        }
        out.push_back({frame->type, {frame->body.begin(), frame->body.end()}});
    }
}

std::vector<bgp_wire::ReadUpdate> TestRouter::updates() const {
    std::vector<bgp_wire::ReadUpdate> out;
    for (const bgp_wire::Message& message : messages()) {
        if (message.type == bgp_wire::MessageType::Update) {
            out.push_back(bgp_wire::read_update(message.body));
        }
    }
    return out;
}

std::vector<net::Prefix> TestRouter::announced() const {
    std::vector<net::Prefix> out;
    for (const auto& update : updates()) {
        out.insert(out.end(), update.announced.begin(), update.announced.end());
    }
    return out;
}

std::vector<net::Prefix> TestRouter::withdrawn() const {
    std::vector<net::Prefix> out;
    for (const auto& update : updates()) {
        out.insert(out.end(), update.withdrawn.begin(), update.withdrawn.end());
    }
    return out;
}

std::vector<std::string> TestRouter::notifications() const {
    std::vector<std::string> out;
    for (const bgp_wire::Message& message : messages()) {
        if (message.type == bgp_wire::MessageType::Notification) {
            out.push_back(to_string(bgp_wire::decode_notification(message.body)));
        }
    }
    return out;
}

BgpFixture::~BgpFixture() {
    stop_all();
}

BgpDriver::Options BgpFixture::test_options() {
    BgpDriver::Options out;
    out.listen_on_free_port = true;
    out.drain_wait = 20ms;
    out.seed = 1;
    return out;
}

BgpNode& BgpFixture::add_node(BgpDriver::Options options) {
    nodes_.push_back(std::make_unique<BgpNode>());
    BgpNode& node = *nodes_.back();
    BgpDriver::Handlers handlers;
    handlers.on_status = [&node](const std::shared_ptr<const BgpStatus>& status) {
        node.status = status;
        ++node.status_calls;
    };
    handlers.on_bfd_wanted = [&node](const std::vector<BfdWanted>& wanted) {
        node.bfd.push_back(wanted);
    };
    handlers.on_log = [&node](BgpDriver::Level, const std::string& line) {
        node.log.push_back(line);
    };
    handlers.on_failed = [](const std::string& why) {
        ADD_FAILURE() << why;
    };
    node.driver =
        std::make_unique<BgpDriver>(ioc_.get_executor(), std::move(options), std::move(handlers));
    node.driver->start();
    return node;
}

TestRouter& BgpFixture::add_router(const std::string& address, std::uint32_t asn) {
    routers_.push_back(std::make_unique<TestRouter>(ioc_, address, asn));
    return *routers_.back();
}

bool BgpFixture::run_until(const std::function<bool()>& condition) {
    const auto end = std::chrono::steady_clock::now() + kPatience;
    for (;;) {
        for (const auto& router : routers_) {
            router->poll();
        }
        if (condition() || std::chrono::steady_clock::now() > end) {
            return condition();
        }
        ioc_.restart();
        ioc_.run_one_for(5ms);
        ioc_.poll();
    }
}

void BgpFixture::run_for(Duration time) {
    const auto end = std::chrono::steady_clock::now() + time;
    (void)run_until([&] { return std::chrono::steady_clock::now() > end; });
}

void BgpFixture::run(awaitable<void> task) {
    bool done = false;
    rt::TaskGroup group(
        ioc_.get_executor(),
        [&](const std::string&, const std::exception_ptr& error) {
            EXPECT_FALSE(error) << rt::describe(error);
            done = true;
        }
    );
    group.spawn("task", std::move(task));
    EXPECT_TRUE(run_until([&] { return done; }));
}

void BgpFixture::stop_all() {
    for (const auto& node : nodes_) {
        if (node->driver) {
            run(node->driver->stop(StopMode::Shutdown, ""));
            node->driver.reset();
        }
    }
}

bgp::PeerConfig BgpFixture::peer(const std::string& name, const std::string& address) {
    bgp::PeerConfig out;
    out.name = name;
    out.local_asn = 64512;
    out.remote_as = {bgp::RemoteAs::Kind::Exactly, 64513};
    out.address = ip(address);
    out.router_id = 0x7f000001;
    out.connect_time = 1s;
    out.v4 = true;
    return out;
}

bgp::PeerConfig BgpFixture::peer(const TestRouter& router) {
    bgp::PeerConfig out = peer("tor", "127.0.0.9");
    out.port = router.port();
    return out;
}

bgp_rib::Changes BgpFixture::announce(const std::string& first, std::size_t count) {
    bgp_rib::Changes out;
    const net::IpAddress address = ip(first);
    for (std::size_t i = 0; i < count; ++i) {
        out.upsert.push_back({net::Prefix(address.plus(i), address.bits()), {bgp_rib::Path{}}});
    }
    return out;
}

net::IpAddress BgpFixture::ip(const std::string& text) {
    return net::IpAddress::parse(text).value();
}

net::Prefix BgpFixture::prefix(const std::string& text) {
    return net::Prefix::parse(text).value();
}

}  // namespace steelyard::io
