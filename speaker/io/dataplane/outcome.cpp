#include "speaker/io/dataplane/outcome.hpp"

#include "common/base/check.hpp"

#include <algorithm>

namespace steelyard::dataplane {

std::string_view to_string(Verdict verdict) {
    switch (verdict) {
        case Verdict::Drifted:
            return "drifted";
        case Verdict::Refused:
            return "refused";
        case Verdict::TryLater:
            return "try later";
        case Verdict::Unknown:
            return "unknown";
    }
    SY_CHECK(false, "unreachable");
}

bool Outcome::must_read_again() const {
    return std::any_of(failures.begin(), failures.end(), [](const OpFailure& failure) {
        return failure.verdict == Verdict::Drifted || failure.verdict == Verdict::Unknown;
    });
}

}  // namespace steelyard::dataplane
