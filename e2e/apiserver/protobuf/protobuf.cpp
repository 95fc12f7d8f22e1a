#include "e2e/apiserver/protobuf/protobuf.hpp"

#include "e2e/apiserver/protobuf/messages.hpp"
#include "e2e/apiserver/registry/timestamp.hpp"

#include <cstdint>

namespace steelyard::apiserver {

namespace {

constexpr std::string_view kMagic("k8s\0", 4);
constexpr int kMaxDepth = 32;

Error broken(const char* why) {
    return make_error(Errc::Invalid, std::string("protobuf body: ") + why);
}

// One field of a message: its number and, by its wire type, a number or a run of bytes.
struct Field {
    unsigned number = 0;
    bool is_bytes = false;
    std::uint64_t value = 0;
    std::string_view bytes;
};

class FieldReader {
public:
    explicit FieldReader(std::string_view bytes) : rest_(bytes) {}

    [[nodiscard]] bool at_end() const { return rest_.empty(); }

    // False on bytes that are not a field.
    bool next(Field& out) {
        std::uint64_t key = 0;
        if (!varint(key) || key >> 3U == 0 || key >> 3U > 0x1fffffffU) {
            return false;
        }
        out.number = static_cast<unsigned>(key >> 3U);
        out.is_bytes = false;
        switch (key & 7U) {
            case 0:
                return varint(out.value);
            case 1:
                return fixed(8, out.value);
            case 2: {
                std::uint64_t size = 0;
                if (!varint(size) || size > rest_.size()) {
                    return false;
                }
                out.is_bytes = true;
                out.bytes = rest_.substr(0, size);
                rest_.remove_prefix(size);
                return true;
            }
            case 5:
                return fixed(4, out.value);
            default:
                return false;
        }
    }

private:
    bool varint(std::uint64_t& out) {
        out = 0;
        for (unsigned shift = 0; shift < 64; shift += 7) {
            if (rest_.empty()) {
                return false;
            }
            const auto byte = static_cast<unsigned char>(rest_.front());
            rest_.remove_prefix(1);
            out |= std::uint64_t{byte & 0x7fU} << shift;
            if ((byte & 0x80U) == 0) {
                return true;
            }
        }
        return false;
    }

    bool fixed(std::size_t size, std::uint64_t& out) {
        if (rest_.size() < size) {
            return false;
        }
        out = 0;
        for (std::size_t i = 0; i < size; ++i) {
            out |= std::uint64_t{static_cast<unsigned char>(rest_[i])} << (8 * i);
        }
        rest_.remove_prefix(size);
        return true;
    }

    std::string_view rest_;
};

// Reads the few fields of a small message into slots by number; others are passed over.
bool read_small(std::string_view bytes, Field (&slots)[5]) {
    FieldReader reader(bytes);
    while (!reader.at_end()) {
        Field field;
        if (!reader.next(field)) {
            return false;
        }
        if (field.number < 5) {
            slots[field.number] = field;
        }
    }
    return true;
}

std::string base64(std::string_view bytes) {
    static constexpr char kDigits[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    std::string out;
    std::uint32_t bits = 0;
    unsigned count = 0;
    for (const char c : bytes) {
        bits = bits << 8U | static_cast<unsigned char>(c);
        count += 8;
        while (count >= 6) {
            count -= 6;
            out.push_back(kDigits[bits >> count & 63U]);
        }
    }
    if (count > 0) {
        out.push_back(kDigits[bits << (6 - count) & 63U]);
    }
    while (out.size() % 4 != 0) {
        out.push_back('=');
    }
    return out;
}

Result<Json> message(std::string_view bytes, std::string_view type, int depth);

// Null for a value that Go would leave out of JSON.
Result<Json> value_of(const Field& field, const MessageField& known, int depth) {
    Field slots[5];
    const auto small = [&] {
        return field.is_bytes && read_small(field.bytes, slots);
    };
    switch (known.type) {
        case FieldType::Text:
            if (!field.is_bytes) {
                return broken("a text field has a number");
            }
            return field.bytes.empty() && !known.repeated ? Json(nullptr)
                                                          : Json(std::string(field.bytes));
        case FieldType::Bytes:
            return Json(base64(field.bytes));
        case FieldType::Integer:
            return field.value == 0 && !known.keep_zero
                       ? Json(nullptr)
                       : Json(static_cast<std::int64_t>(field.value));
        case FieldType::Boolean:
            return field.value == 0 && !known.keep_zero ? Json(nullptr) : Json(field.value != 0);
        case FieldType::Time: {
            if (!small()) {
                return broken("a time is not a message");
            }
            if (slots[1].value == 0) {
                return Json(nullptr);
            }
            // RFC 3339 ends with the year 9999.
            const auto seconds = static_cast<std::int64_t>(slots[1].value);
            if (seconds < 0 || seconds > 253402300799) {
                return broken("a time is out of range");
            }
            return Json(format_time(WallTime(std::chrono::seconds(seconds))));
        }
        case FieldType::IntOrString:
            if (!small()) {
                return broken("an int-or-string is not a message");
            }
            return slots[1].value == 1 ? Json(std::string(slots[3].bytes))
                                       : Json(static_cast<std::int64_t>(slots[2].value));
        case FieldType::Quantity:
            if (!small()) {
                return broken("a quantity is not a message");
            }
            return Json(std::string(slots[1].bytes));
        case FieldType::Message:
            if (!field.is_bytes) {
                return broken("a message field has a number");
            }
            return message(field.bytes, known.inner, depth + 1);
        case FieldType::TextMap:
        case FieldType::BytesMap:
        case FieldType::QuantityMap:
            break;
    }
    return broken("a map where a value belongs");
}

Result<> put_map_entry(const Field& field, FieldType type, Json& map) {
    Field slots[5];
    if (!field.is_bytes || !read_small(field.bytes, slots)) {
        return broken("a map entry is not a message");
    }
    std::string_view value = slots[2].bytes;
    Field quantity[5];
    if (type == FieldType::QuantityMap) {
        if (!read_small(value, quantity)) {
            return broken("a quantity is not a message");
        }
        value = quantity[1].bytes;
    }
    map[std::string(slots[1].bytes)] =
        type == FieldType::BytesMap ? base64(value) : std::string(value);
    return {};
}

Result<Json> message(std::string_view bytes, std::string_view type, int depth) {
    if (depth > kMaxDepth) {
        return broken("nested too deep");
    }
    Json out = Json::object();
    FieldReader reader(bytes);
    while (!reader.at_end()) {
        Field field;
        if (!reader.next(field)) {
            return broken("cut short or malformed");
        }
        const MessageField* known = find_field(type, field.number);
        if (known == nullptr) {
            continue;
        }
        const bool map = known->type == FieldType::TextMap || known->type == FieldType::BytesMap ||
                         known->type == FieldType::QuantityMap;
        if (map) {
            auto put = put_map_entry(field, known->type, out[known->name]);
            if (!put) {
                return put.error();
            }
            continue;
        }
        auto value = value_of(field, *known, depth);
        if (!value) {
            return value;
        }
        if (known->repeated) {
            out[known->name].push_back(std::move(*value));
        } else if (!value->is_null() && !(value->is_object() && value->empty())) {
            out[known->name] = std::move(*value);
        }
    }
    return out;
}

}  // namespace

Result<Json> protobuf_to_json(std::string_view bytes) {
    // The envelope runtime.Unknown: type, then the object's own bytes.
    if (!bytes.starts_with(kMagic)) {
        return broken("does not begin with the k8s mark");
    }
    Field envelope[5];
    Field type[5];
    if (!read_small(bytes.substr(kMagic.size()), envelope) ||
        !read_small(envelope[1].bytes, type)) {
        return broken("the envelope is malformed");
    }
    const std::string kind(type[2].bytes);
    if (!knows_message(kind)) {
        return make_error(
            Errc::Unsupported, "protobuf body: kind \"" + kind + "\" is taken as JSON only"
        );
    }
    auto object = message(envelope[2].bytes, kind, 0);
    if (object) {
        (*object)["apiVersion"] = std::string(type[1].bytes);
        (*object)["kind"] = kind;
    }
    return object;
}

}  // namespace steelyard::apiserver
