#include "common/base/error.hpp"

#include <boost/system/system_category.hpp>
#include <boost/system/system_error.hpp>

#include <utility>

namespace steelyard {
namespace {

// Boost's error_category has a protected non-virtual destructor by design: categories are never
// deleted.
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wnon-virtual-dtor"
// NOLINTNEXTLINE(cppcoreguidelines-virtual-class-destructor): as above
class Category final : public boost::system::error_category {
public:
    [[nodiscard]] const char* name() const noexcept override { return "steelyard"; }
    [[nodiscard]] std::string message(int value) const override {
        switch (static_cast<Errc>(value)) {
            case Errc::Invalid:
                return "invalid";
            case Errc::NotFound:
                return "not found";
            case Errc::Conflict:
                return "conflict";
            case Errc::Expired:
                return "expired";
            case Errc::Unauthorized:
                return "not authorized";
            case Errc::TooManyRequests:
                return "too many requests";
            case Errc::Unavailable:
                return "unavailable";
            case Errc::Timeout:
                return "timed out";
            case Errc::Unsupported:
                return "unsupported";
            case Errc::Internal:
                return "internal error";
        }
        return "unknown error";
    }
};
#pragma GCC diagnostic pop

}  // namespace

const boost::system::error_category& errc_category() noexcept {
    static const Category kCategory;
    return kCategory;
}

boost::system::error_code make_error_code(Errc errc) noexcept {
    return {static_cast<int>(errc), errc_category()};
}

Error make_error(Errc errc, std::string context) {
    return Error{make_error_code(errc), std::move(context)};
}

Error make_error(boost::system::error_code code, std::string context) {
    return Error{code, std::move(context)};
}

Error errno_error(int error_number, std::string_view what) {
    const boost::system::error_code code(error_number, boost::system::system_category());
    return Error{code, std::string(what) + ": " + code.message()};
}

// A room's own codes, which say more than an Errc can, name it as their condition.
bool is(const Error& error, Errc errc) noexcept {
    const boost::system::error_condition wanted(static_cast<int>(errc), errc_category());
    return error.code.default_error_condition() == wanted;
}

std::string to_string(const Error& error) {
    return error.context.empty() ? error.code.message() : error.context;
}

void throw_exception_from_error(const Error& error, const boost::source_location& /*where*/) {
    throw boost::system::system_error(error.code, error.context);
}

}  // namespace steelyard
