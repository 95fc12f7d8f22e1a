#pragma once

#include "common/base/error.hpp"
#include "common/base/rng.hpp"
#include "common/rt/asio.hpp"
#include "speaker/bfd/config.hpp"
#include "speaker/bfd/demultiplexer.hpp"

#include <boost/asio/posix/stream_descriptor.hpp>

#include <cstddef>
#include <functional>
#include <memory>
#include <span>
#include <string>

// The UDP sockets of BFD (RFC 5881 4 and 5, RFC 5883 5). All control packets of one family, port
// and VRF come in at one socket, with the TTL, the interface and our address they were sent to;
// each session sends from a socket of its own, so that its source port is its own and stays.
namespace steelyard::io {

// A file descriptor with one owner.
class Descriptor {
public:
    Descriptor() = default;
    explicit Descriptor(int fd) : fd_(fd) {}
    Descriptor(Descriptor&& other) noexcept : fd_(other.release()) {}
    Descriptor& operator=(Descriptor&& other) noexcept;
    Descriptor(const Descriptor&) = delete;
    Descriptor& operator=(const Descriptor&) = delete;
    ~Descriptor();

    [[nodiscard]] int get() const { return fd_; }
    [[nodiscard]] bool is_open() const { return fd_ >= 0; }
    int release();

private:
    int fd_ = -1;
};

class BfdReceiver {
public:
    using Sink = std::function<void(const bfd::Arrival&, std::span<const std::byte> payload)>;

    static Result<std::shared_ptr<BfdReceiver>> open(
        const asio::any_io_executor& executor,
        net::Family family,
        bool multihop,
        std::uint16_t port,
        const std::string& vrf
    );

    // False when it was closed.
    awaitable<bool> readable();
    // Everything that waits, several packets a system call; a flood is left for later.
    void drain(const Sink& sink);
    // Packets that drain() found in its time.
    [[nodiscard]] std::uint64_t taken() const { return taken_; }
    void close();
    // The VRF's device was replaced, so nothing comes in any more.
    [[nodiscard]] bool is_stale() const;

private:
    struct Batch;

    BfdReceiver(asio::posix::stream_descriptor descriptor, bool multihop, std::string vrf);

    asio::posix::stream_descriptor descriptor_;
    bool multihop_;
    std::string vrf_;
    unsigned vrf_index_ = 0;
    std::uint64_t taken_ = 0;
    std::shared_ptr<Batch> batch_;
};

class BfdSender {
public:
    BfdSender() = default;
    // Binds it to the config's interface or VRF and local address, to a source port from the range
    // of RFC 5881, and connects it, so that the kernel finds the route once.
    static Result<BfdSender> open(
        const bfd::SessionConfig& config, std::uint16_t remote_port, Rng& rng
    );

    // False when the address, the route or the device is gone. They may come back; if not, it must
    // be opened again.
    bool send(std::span<const std::byte> payload);
    [[nodiscard]] bool is_open() const { return fd_.is_open(); }
    // The source the kernel chose, or the config's.
    [[nodiscard]] const net::IpAddress& local() const { return local_; }
    // Of the interface the config names, 0 when it names none.
    [[nodiscard]] unsigned interface_index() const { return interface_index_; }
    // The device it is bound to was taken away or replaced.
    [[nodiscard]] bool is_stale() const;

private:
    Descriptor fd_;
    net::IpAddress local_;
    unsigned interface_index_ = 0;
    std::string device_;
    unsigned device_index_ = 0;
};

}  // namespace steelyard::io
