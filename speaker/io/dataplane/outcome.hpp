#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

// What became of the operations handed to the kernel. Only what went wrong is listed.
namespace steelyard::dataplane {

enum class Verdict : std::uint8_t {
    Drifted,   // something is there that should not be, or the other way round: read it all again
    Refused,   // the kernel will not have it: invalid, unsupported, full
    TryLater,  // out of memory or buffers: the same again may work
    Unknown,   // the answer was lost: read it all again to learn whether it was done
};
[[nodiscard]] std::string_view to_string(Verdict verdict);

struct OpFailure {
    std::size_t op = 0;  // index into what was executed
    Verdict verdict = Verdict::Refused;
    int error = 0;       // errno, or an ipset error from 4096 up
    std::string reason;  // one line: operation, object, what the kernel said
};

struct Outcome {
    std::vector<OpFailure> failures;  // by op, ascending; operations not named are done
    std::size_t sends = 0;            // system calls that carried them
};

}  // namespace steelyard::dataplane
