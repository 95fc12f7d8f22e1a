#include "speaker/gossip/wire/refusal.hpp"

#include <utility>

namespace steelyard::gossip_wire {
namespace {

// Boost's error_category has a protected non-virtual destructor by design: categories are never
// deleted.
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wnon-virtual-dtor"
// NOLINTNEXTLINE(cppcoreguidelines-virtual-class-destructor): as above
class Category final : public boost::system::error_category {
public:
    [[nodiscard]] const char* name() const noexcept override { return "steelyard.gossip"; }
    [[nodiscard]] std::string message(int value) const override {
        return std::string(to_string(static_cast<Refusal>(value - 1)));
    }
};
#pragma GCC diagnostic pop

const boost::system::error_category& category() {
    static const Category kCategory;
    return kCategory;
}

}  // namespace

std::string_view to_string(Refusal refusal) {
    switch (refusal) {
        case Refusal::Malformed:
            return "malformed";
        case Refusal::Label:
            return "label";
        case Refusal::WrongKey:
            return "key";
        case Refusal::Checksum:
            return "checksum";
        case Refusal::Compression:
            return "compression";
        case Refusal::Oversized:
            return "oversized";
        case Refusal::Version:
            return "version";
        case Refusal::Replay:
            return "replay";
        case Refusal::Limit:
            return "limit";
        case Refusal::Conflict:
            return "conflict";
    }
    return "unknown";
}

// A code of 0 would mean success, so they start at 1.
Error make_error(Refusal refusal, std::string context) {
    return steelyard::make_error(
        boost::system::error_code(static_cast<int>(refusal) + 1, category()), std::move(context)
    );
}

Refusal refusal_of(const Error& error) {
    if (error.code.category() != category()) {
        return Refusal::Malformed;
    }
    return static_cast<Refusal>(error.code.value() - 1);
}

}  // namespace steelyard::gossip_wire
