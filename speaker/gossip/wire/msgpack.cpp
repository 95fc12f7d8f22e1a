#include "speaker/gossip/wire/msgpack.hpp"

#include "common/base/check.hpp"

#include <limits>

namespace steelyard::gossip_wire {
namespace {

// Format bytes of the MessagePack specification.
enum Format : std::uint8_t {
    kFixMap = 0x80,
    kFixArray = 0x90,
    kFixRaw = 0xa0,
    kNil = 0xc0,
    kFalse = 0xc2,
    kTrue = 0xc3,
    kBin8 = 0xc4,
    kBin16 = 0xc5,
    kBin32 = 0xc6,
    kExt8 = 0xc7,
    kExt16 = 0xc8,
    kExt32 = 0xc9,
    kFloat32 = 0xca,
    kFloat64 = 0xcb,
    kUint8 = 0xcc,
    kUint16 = 0xcd,
    kUint32 = 0xce,
    kUint64 = 0xcf,
    kInt8 = 0xd0,
    kInt16 = 0xd1,
    kInt32 = 0xd2,
    kInt64 = 0xd3,
    kFixExt1 = 0xd4,
    kFixExt16 = 0xd8,
    kRaw8 = 0xd9,
    kRaw16 = 0xda,
    kRaw32 = 0xdb,
    kArray16 = 0xdc,
    kArray32 = 0xdd,
    kMap16 = 0xde,
    kMap32 = 0xdf,
    kNegativeFixInt = 0xe0,
};

}  // namespace

std::size_t MsgpackReader::map() {
    const std::uint8_t format = reader_.u8();
    if (!reader_.ok()) {
        return 0;
    }
    if (format >= kFixMap && format < kFixArray) {
        return format & 0x0fU;
    }
    if (format == kMap16) {
        return reader_.u16();
    }
    if (format == kMap32) {
        return reader_.u32();
    }
    fail();
    return 0;
}

std::span<const std::byte> MsgpackReader::raw() {
    const std::uint8_t format = reader_.u8();
    if (!reader_.ok() || format == kNil) {
        return {};
    }
    if (format >= kFixRaw && format < kNil) {
        return reader_.bytes(format & 0x1fU);
    }
    switch (format) {
        case kRaw8:
        case kBin8:
            return reader_.bytes(reader_.u8());
        case kRaw16:
        case kBin16:
            return reader_.bytes(reader_.u16());
        case kRaw32:
        case kBin32:
            return reader_.bytes(reader_.u32());
        default:
            fail();
            return {};
    }
}

std::string MsgpackReader::text(std::size_t longest) {
    const auto bytes = raw();
    if (bytes.size() > longest) {
        fail();
        return {};
    }
    return std::string(as_text(bytes));
}

std::uint64_t MsgpackReader::uint(std::uint64_t largest) {
    const std::uint8_t format = reader_.u8();
    std::uint64_t value = 0;
    std::uint64_t sign = 0;
    if (format < kFixMap) {
        value = format;
    } else {
        switch (format) {
            case kUint8:
                value = reader_.u8();
                break;
            case kUint16:
                value = reader_.u16();
                break;
            case kUint32:
                value = reader_.u32();
                break;
            case kUint64:
                value = reader_.u64();
                break;
            case kInt8:
                value = reader_.u8();
                sign = value >> 7U;
                break;
            case kInt16:
                value = reader_.u16();
                sign = value >> 15U;
                break;
            case kInt32:
                value = reader_.u32();
                sign = value >> 31U;
                break;
            case kInt64:
                value = reader_.u64();
                sign = value >> 63U;
                break;
            default:
                fail();
        }
    }
    if (sign != 0 || value > largest) {
        fail();
    }
    return ok() ? value : 0;
}

bool MsgpackReader::boolean() {
    const std::uint8_t format = reader_.u8();
    if (reader_.ok() && format != kTrue && format != kFalse) {
        fail();
    }
    return format == kTrue;
}

void MsgpackReader::skip() {
    skip(0);
}

void MsgpackReader::skip_many(std::uint64_t count, unsigned depth) {
    // Each value takes a byte at least, so a lying count ends with the data.
    for (std::uint64_t i = 0; i < count && ok(); ++i) {
        skip(depth);
    }
}

void MsgpackReader::skip(unsigned depth) {
    if (depth >= kMaxDepth) {
        fail();
        return;
    }
    const std::uint8_t format = reader_.u8();
    if (!reader_.ok() || format < kFixMap || format >= kNegativeFixInt) {
        return;
    }
    if (format < kFixArray) {
        return skip_many(2ULL * (format & 0x0fU), depth + 1);
    }
    if (format < kFixRaw) {
        return skip_many(format & 0x0fU, depth + 1);
    }
    if (format < kNil) {
        return reader_.skip(format & 0x1fU);
    }
    if (format >= kFixExt1 && format <= kFixExt16) {
        return reader_.skip(1 + (std::size_t{1} << (format - kFixExt1)));
    }
    switch (format) {
        case kNil:
        case kFalse:
        case kTrue:
            return;
        case kUint8:
        case kInt8:
            return reader_.skip(1);
        case kUint16:
        case kInt16:
            return reader_.skip(2);
        case kUint32:
        case kInt32:
        case kFloat32:
            return reader_.skip(4);
        case kUint64:
        case kInt64:
        case kFloat64:
            return reader_.skip(8);
        case kBin8:
        case kRaw8:
            return reader_.skip(reader_.u8());
        case kBin16:
        case kRaw16:
            return reader_.skip(reader_.u16());
        case kBin32:
        case kRaw32:
            return reader_.skip(reader_.u32());
        case kExt8:
            return reader_.skip(std::size_t{1} + reader_.u8());
        case kExt16:
            return reader_.skip(std::size_t{1} + reader_.u16());
        case kExt32:
            return reader_.skip(std::size_t{1} + reader_.u32());
        case kArray16:
            return skip_many(reader_.u16(), depth + 1);
        case kArray32:
            return skip_many(reader_.u32(), depth + 1);
        case kMap16:
            return skip_many(2ULL * reader_.u16(), depth + 1);
        case kMap32:
            return skip_many(2ULL * reader_.u32(), depth + 1);
        default:
            fail();
    }
}

void MsgpackWriter::map(std::uint8_t pairs) {
    SY_CHECK(pairs < 16, "no message has more than 15 fields");
    out_.u8(static_cast<std::uint8_t>(kFixMap | pairs));
}

void MsgpackWriter::uint(std::uint64_t value) {
    if (value < kFixMap) {
        out_.u8(static_cast<std::uint8_t>(value));
    } else if (value <= std::numeric_limits<std::uint8_t>::max()) {
        out_.u8(kUint8);
        out_.u8(static_cast<std::uint8_t>(value));
    } else if (value <= std::numeric_limits<std::uint16_t>::max()) {
        out_.u8(kUint16);
        out_.u16(static_cast<std::uint16_t>(value));
    } else if (value <= std::numeric_limits<std::uint32_t>::max()) {
        out_.u8(kUint32);
        out_.u32(static_cast<std::uint32_t>(value));
    } else {
        out_.u8(kUint64);
        out_.u64(value);
    }
}

void MsgpackWriter::boolean(bool value) {
    out_.u8(value ? kTrue : kFalse);
}

void MsgpackWriter::raw_header(std::size_t size) {
    if (size < 32) {
        out_.u8(static_cast<std::uint8_t>(kFixRaw | size));
    } else if (size <= std::numeric_limits<std::uint16_t>::max()) {
        out_.u8(kRaw16);
        out_.u16(static_cast<std::uint16_t>(size));
    } else {
        out_.u8(kRaw32);
        out_.u32(static_cast<std::uint32_t>(size));
    }
}

void MsgpackWriter::raw(std::span<const std::byte> value) {
    raw_header(value.size());
    out_.bytes(value);
}

void MsgpackWriter::text(std::string_view value) {
    raw_header(value.size());
    out_.text(value);
}

std::string_view as_text(std::span<const std::byte> bytes) {
    // Viewing object bytes as char is the one reinterpretation the language always allows.
    return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

}  // namespace steelyard::gossip_wire
