#pragma once

#include <string_view>

// SY_CHECK states what must hold if the program has no bug. It stays on in release builds and
// aborts. Never use it on anything that comes from outside: that is what Result is for.
namespace steelyard {
[[noreturn]] void check_failed(
    const char* file, int line, std::string_view condition, std::string_view why
);
}  // namespace steelyard

#define SY_CHECK(condition, why)                                              \
    do {                                                                      \
        if (!(condition)) {                                                   \
            ::steelyard::check_failed(__FILE__, __LINE__, #condition, (why)); \
        }                                                                     \
    } while (false)
