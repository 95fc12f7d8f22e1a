#include "speaker/gossip/wire/lzw.hpp"

#include "speaker/gossip/wire/refusal.hpp"

#include <algorithm>
#include <array>
#include <cstdint>
#include <memory>
#include <vector>

namespace steelyard::gossip_wire {
namespace {

using Code = std::uint32_t;
constexpr Code kClear = 256;
constexpr Code kEnd = 257;
constexpr Code kTableSize = 4096;
constexpr unsigned kMinWidth = 9;
constexpr unsigned kMaxWidth = 12;

class BitWriter {
public:
    void put(Code code, unsigned width) {
        pending_ |= code << bits_;
        bits_ += width;
        while (bits_ >= 8) {
            out_.push_back(static_cast<std::byte>(pending_ & 0xffU));
            pending_ >>= 8U;
            bits_ -= 8;
        }
    }
    wire::Bytes finish() {
        if (bits_ > 0) {
            out_.push_back(static_cast<std::byte>(pending_ & 0xffU));
        }
        return std::move(out_);
    }

private:
    wire::Bytes out_;
    std::uint32_t pending_ = 0;
    unsigned bits_ = 0;
};

class BitReader {
public:
    explicit BitReader(std::span<const std::byte> data) : data_(data) {}
    // False when fewer than `width` bits remain.
    bool get(unsigned width, Code& code) {
        while (bits_ < width) {
            if (next_ == data_.size()) {
                return false;
            }
            pending_ |= std::to_integer<std::uint32_t>(data_[next_++]) << bits_;
            bits_ += 8;
        }
        code = pending_ & ((1U << width) - 1U);
        pending_ >>= width;
        bits_ -= width;
        return true;
    }

private:
    std::span<const std::byte> data_;
    std::size_t next_ = 0;
    std::uint32_t pending_ = 0;
    unsigned bits_ = 0;
};

// The encoder's dictionary: (prefix code, next byte) -> code, open addressing over a power of two.
class Dictionary {
public:
    Dictionary() : slots_(kSlots, 0) {}
    void clear() { std::fill(slots_.begin(), slots_.end(), 0); }
    // The code of this string, or 0; no string has code 0, since literals are not stored.
    [[nodiscard]] Code find(std::uint32_t key) const { return slots_[slot(key)] & 0xfffU; }
    void insert(std::uint32_t key, Code code) { slots_[slot(key)] = key << 12U | code; }

private:
    static constexpr std::uint32_t kSlots = 1U << 14U;
    [[nodiscard]] std::size_t slot(std::uint32_t key) const {
        std::uint32_t at = key * 2654435761U >> 18U;
        while (slots_[at] != 0 && slots_[at] >> 12U != key) {
            at = (at + 1) % kSlots;
        }
        return at;
    }
    std::vector<std::uint32_t> slots_;  // key (20 bits) and code (12 bits)
};

// What both sides know about the code table: the highest code given out and the width in use.
struct Width {
    Code high = kEnd;
    unsigned bits = kMinWidth;
};

Error broken(const char* why) {
    return make_error(Refusal::Compression, std::string("LZW data: ") + why);
}

// The decoder's table: each code is a prefix code and one more byte.
struct Table {
    std::array<std::uint16_t, kTableSize> prefix;
    std::array<std::byte, kTableSize> suffix;

    // Appends the string of `code` to `out`; returns its first byte.
    std::byte expand(Code code, wire::Bytes& out) const {
        const std::size_t start = out.size();
        while (code >= kClear) {
            out.push_back(suffix[code]);
            code = prefix[code];
        }
        const auto first = static_cast<std::byte>(code);
        out.push_back(first);
        std::reverse(out.begin() + static_cast<std::ptrdiff_t>(start), out.end());
        return first;
    }
};

}  // namespace

wire::Bytes lzw_compress(std::span<const std::byte> plain) {
    BitWriter out;
    out.put(kClear, kMinWidth);
    if (plain.empty()) {
        out.put(kEnd, kMinWidth);
        return out.finish();
    }
    Dictionary dictionary;
    Width width;
    // Counts one code as written; true when that used up the table and a clear code went out.
    const auto advance = [&] {
        ++width.high;
        if (width.high == 1U << width.bits) {
            ++width.bits;
        }
        if (width.high == kTableSize - 1) {
            out.put(kClear, width.bits);
            width = Width();
            dictionary.clear();
            return true;
        }
        return false;
    };
    Code current = std::to_integer<Code>(plain[0]);
    for (const std::byte byte : plain.subspan(1)) {
        const std::uint32_t key = current << 8U | std::to_integer<std::uint32_t>(byte);
        const Code known = dictionary.find(key);
        if (known != 0) {
            current = known;
            continue;
        }
        out.put(current, width.bits);
        current = std::to_integer<Code>(byte);
        if (!advance()) {
            dictionary.insert(key, width.high);
        }
    }
    out.put(current, width.bits);
    (void)advance();
    out.put(kEnd, width.bits);
    return out.finish();
}

Result<wire::Bytes> lzw_decompress(std::span<const std::byte> packed, std::size_t longest) {
    constexpr Code kNone = kTableSize;
    BitReader in(packed);
    const auto table = std::make_unique<Table>();
    wire::Bytes out;
    Width width;
    Code last = kNone;
    for (;;) {
        Code code = 0;
        if (!in.get(width.bits, code)) {
            return broken("ends without an end code");
        }
        if (code == kEnd) {
            return out;
        }
        if (code == kClear) {
            width = Width();
            last = kNone;
            continue;
        }
        // A code may be one ahead of the table: the string being defined right now, which is the
        // last one followed by its own first byte.
        if (code > width.high || (code > kEnd && code == width.high && last == kNone)) {
            return broken("uses a code that is not defined yet");
        }
        const bool defining = code > kEnd && code == width.high;
        const std::byte first = table->expand(defining ? last : code, out);
        if (defining) {
            out.push_back(first);
        }
        if (out.size() > longest) {
            return make_error(
                Refusal::Oversized,
                "LZW data: expands beyond the limit of " + std::to_string(longest) + " bytes"
            );
        }
        if (last != kNone) {
            table->suffix[width.high] = first;
            table->prefix[width.high] = static_cast<std::uint16_t>(last);
        }
        last = code;
        ++width.high;
        if (width.high >= 1U << width.bits) {
            if (width.bits == kMaxWidth) {
                // The table is full: nothing more is defined until a clear code.
                --width.high;
                last = kNone;
            } else {
                ++width.bits;
            }
        }
    }
}

}  // namespace steelyard::gossip_wire
