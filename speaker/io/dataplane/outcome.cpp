#include "speaker/io/dataplane/outcome.hpp"

#include "common/base/check.hpp"

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

}  // namespace steelyard::dataplane
