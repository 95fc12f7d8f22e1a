#pragma once

#include "common/wire/reader.hpp"
#include "common/wire/writer.hpp"

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

// The part of MessagePack that memberlist's messages use. Go's codec speaks the old dialect: text
// and bytes are both "raw" (fixraw, raw16, raw32), so that is what we write; the newer str8 and bin
// types are read as well. Nothing is allocated for a claimed length.
namespace steelyard::gossip_wire {

// Sticky failure like wire::Reader. Which failure it was matters on a stream: truncated() means
// that more bytes may help, malformed() that none will.
class MsgpackReader {
public:
    explicit MsgpackReader(std::span<const std::byte> data) : reader_(data) {}

    // Number of key/value pairs that follow.
    std::size_t map();
    // Text or bytes; nil reads as empty. The view lives as long as the data.
    std::span<const std::byte> raw();
    std::string text(std::size_t longest);
    // An integer of any width in [0, largest]; a negative or larger one is malformed.
    std::uint64_t uint(std::uint64_t largest);
    bool boolean();
    // One value of any type, nested at most kMaxDepth deep.
    void skip();
    void fail() { malformed_ = true; }

    [[nodiscard]] bool ok() const { return reader_.ok() && !malformed_; }
    [[nodiscard]] bool malformed() const { return malformed_; }
    [[nodiscard]] bool truncated() const { return !reader_.ok() && !malformed_; }
    [[nodiscard]] std::size_t remaining() const { return reader_.remaining(); }

private:
    static constexpr unsigned kMaxDepth = 8;
    void skip(unsigned depth);
    void skip_many(std::uint64_t count, unsigned depth);

    wire::Reader reader_;
    bool malformed_ = false;
};

class MsgpackWriter {
public:
    explicit MsgpackWriter(wire::Writer& out) : out_(out) {}
    void map(std::uint8_t pairs);  // at most 15
    void uint(std::uint64_t value);
    void boolean(bool value);
    void raw(std::span<const std::byte> value);
    void text(std::string_view value);

private:
    void raw_header(std::size_t size);
    wire::Writer& out_;
};

[[nodiscard]] std::string_view as_text(std::span<const std::byte> bytes);

}  // namespace steelyard::gossip_wire
