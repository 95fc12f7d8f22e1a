#pragma once

#include <boost/system/error_code.hpp>
#include <boost/system/result.hpp>

#include <string>
#include <string_view>

// Errors are values. Result<T> holds a T or an Error; an Error is a code for programs and a
// sentence for people. Whoever receives one either handles it or returns it, and only the handler
// logs it. Exceptions never cross a room's border; bugs abort (check.hpp).
namespace steelyard {

// What kind of failure it is, for code that has to decide what to do next.
enum class Errc {
    Invalid = 1,      // input breaks a rule; trying again will not help
    NotFound,         // the named thing does not exist
    Conflict,         // somebody changed it first; read again and retry
    Expired,          // a resourceVersion or token is too old (HTTP 410)
    Unauthorized,     // HTTP 401 or 403
    TooManyRequests,  // HTTP 429
    Unavailable,      // not reachable now; retry with backoff
    Timeout,          // a deadline passed
    Unsupported,      // the kernel, the server or a file format lacks something needed
    Internal,         // the other side misbehaved in a way we have no better word for
};

[[nodiscard]] const boost::system::error_category& errc_category() noexcept;
[[nodiscard]] boost::system::error_code make_error_code(Errc errc) noexcept;

struct Error {
    boost::system::error_code code;
    std::string context;  // one line: object, field, value, what is accepted

    friend bool operator==(const Error&, const Error&) = default;
};

[[nodiscard]] Error make_error(Errc errc, std::string context);
[[nodiscard]] Error make_error(boost::system::error_code code, std::string context);
// errno as an Error: "<what>: <strerror>".
[[nodiscard]] Error errno_error(int error_number, std::string_view what);
[[nodiscard]] bool is(const Error& error, Errc errc) noexcept;
[[nodiscard]] std::string to_string(const Error& error);

// Lets Result<T>::value() throw something readable; used in main() only.
[[noreturn]] void throw_exception_from_error(
    const Error& error, const boost::source_location& where
);

template <class T = void>
using Result = boost::system::result<T, Error>;

}  // namespace steelyard

template <>
struct boost::system::is_error_code_enum<steelyard::Errc> : std::true_type {};
