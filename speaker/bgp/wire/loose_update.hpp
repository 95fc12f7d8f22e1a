#pragma once

#include "common/base/rng.hpp"
#include "common/wire/reader.hpp"
#include "common/wire/writer.hpp"
#include "speaker/bgp/wire/attributes.hpp"

#include <algorithm>
#include <cstdint>
#include <span>
#include <utility>
#include <vector>

// An UPDATE as loose parts that may contradict each other, for tests and the fuzzer: take a valid
// body apart, break it where broken speakers break it, put it together again.
namespace steelyard::bgp_wire {

struct LooseAttribute {
    std::uint8_t flags = 0;
    std::uint8_t type = 0;
    wire::Bytes value;
    int lie = 0;  // added to the length field
};

struct LooseUpdate {
    wire::Bytes withdrawn;
    std::vector<LooseAttribute> attributes;
    wire::Bytes nlri;
    int withdrawn_lie = 0;
    int attributes_lie = 0;
};

inline LooseUpdate take_apart(std::span<const std::byte> body) {
    const auto copy = [](std::span<const std::byte> bytes) {
        return wire::Bytes(bytes.begin(), bytes.end());
    };
    wire::Reader in(body);
    LooseUpdate out;
    const std::size_t withdrawn = in.u16();
    out.withdrawn = copy(in.bytes(std::min(withdrawn, in.remaining())));
    const std::size_t total = in.u16();
    wire::Reader attributes(in.bytes(std::min(total, in.remaining())));
    while (attributes.ok() && attributes.remaining() > 0) {
        LooseAttribute attribute;
        attribute.flags = attributes.u8();
        attribute.type = attributes.u8();
        const bool extended = (attribute.flags & kFlagExtendedLength) != 0;
        const std::size_t length = extended ? attributes.u16() : attributes.u8();
        attribute.value = copy(attributes.bytes(std::min(length, attributes.remaining())));
        out.attributes.push_back(std::move(attribute));
    }
    out.nlri = copy(in.rest());
    return out;
}

inline wire::Bytes put_together(const LooseUpdate& update) {
    const auto lied = [](std::size_t length, int lie) {
        const int value = static_cast<int>(length) + lie;
        return static_cast<std::uint16_t>(std::clamp(value, 0, 0xffff));
    };
    wire::Writer attributes;
    for (const LooseAttribute& attribute : update.attributes) {
        const std::uint16_t length = lied(attribute.value.size(), attribute.lie);
        const bool extended = length > 0xff || (attribute.flags & kFlagExtendedLength) != 0;
        attributes.u8(
            static_cast<std::uint8_t>(attribute.flags | (extended ? kFlagExtendedLength : 0U))
        );
        attributes.u8(attribute.type);
        if (extended) {
            attributes.u16(length);
        } else {
            attributes.u8(static_cast<std::uint8_t>(length));
        }
        attributes.bytes(std::span<const std::byte>(attribute.value));
    }
    wire::Writer out;
    out.u16(lied(update.withdrawn.size(), update.withdrawn_lie));
    out.bytes(std::span<const std::byte>(update.withdrawn));
    out.u16(lied(attributes.size(), update.attributes_lie));
    out.bytes(std::span<const std::byte>(attributes.view()));
    out.bytes(std::span<const std::byte>(update.nlri));
    return out.take();
}

namespace loose_detail {

inline int one_or_more(Rng& rng) {
    constexpr int kLies[] = {-1, 1, -1, 1, -2, 2, -255, 255, 4096};
    return kLies[rng.below(std::size(kLies))];
}

inline void change_octets(wire::Bytes& bytes, Rng& rng) {
    switch (rng.below(4)) {
        case 0:
            if (!bytes.empty()) {
                bytes.pop_back();
            }
            break;
        case 1:
            bytes.push_back(static_cast<std::byte>(rng.next()));
            break;
        case 2:
            if (!bytes.empty()) {
                bytes[rng.below(bytes.size())] ^= static_cast<std::byte>(1U << rng.below(8));
            }
            break;
        default:
            bytes.clear();
            break;
    }
}

inline void change_attribute(LooseAttribute& attribute, Rng& rng) {
    switch (rng.below(6)) {
        case 0:
            attribute.lie = one_or_more(rng);
            break;
        case 1:
            attribute.flags ^= static_cast<std::uint8_t>(1U << rng.below(8));
            break;
        case 2:
            attribute.type = static_cast<std::uint8_t>(rng.below(40));
            break;
        case 3:
            attribute.type = static_cast<std::uint8_t>(rng.next());
            break;
        default:
            change_octets(attribute.value, rng);
            break;
    }
}

inline void change_list(std::vector<LooseAttribute>& attributes, Rng& rng) {
    const std::size_t from = rng.below(attributes.size());
    const std::size_t to = rng.below(attributes.size());
    switch (rng.below(3)) {
        case 0:
            std::swap(attributes[from], attributes[to]);
            break;
        case 1: {
            LooseAttribute again = attributes[from];
            attributes.insert(
                attributes.begin() + static_cast<std::ptrdiff_t>(to), std::move(again)
            );
            break;
        }
        default:
            attributes.erase(attributes.begin() + static_cast<std::ptrdiff_t>(from));
            break;
    }
}

}  // namespace loose_detail

// One change of the kinds that occur: a length off by one, an attribute moved, doubled or left out,
// a flag or an octet flipped, a value cut.
inline void mutate(LooseUpdate& update, Rng& rng) {
    using namespace loose_detail;
    const std::uint64_t choice = rng.below(20);
    if (choice < 10 && !update.attributes.empty()) {
        change_attribute(update.attributes[rng.below(update.attributes.size())], rng);
    } else if (choice < 16 && !update.attributes.empty()) {
        change_list(update.attributes, rng);
    } else if (choice == 16) {
        update.withdrawn_lie = one_or_more(rng);
    } else if (choice == 17) {
        update.attributes_lie = one_or_more(rng);
    } else if (choice == 18) {
        change_octets(update.withdrawn, rng);
    } else {
        change_octets(update.nlri, rng);
    }
}

}  // namespace steelyard::bgp_wire
