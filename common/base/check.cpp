#include "common/base/check.hpp"

#include <cstdio>
#include <cstdlib>

namespace steelyard {

void check_failed(const char* file, int line, std::string_view condition, std::string_view why) {
    std::fprintf(
        stderr,
        "%s:%d: bug: %.*s (%.*s)\n",
        file,
        line,
        static_cast<int>(condition.size()),
        condition.data(),
        static_cast<int>(why.size()),
        why.data()
    );
    std::abort();
}

}  // namespace steelyard
