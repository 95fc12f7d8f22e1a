#include "speaker/proxy/diff/retries.hpp"

#include <algorithm>
#include <utility>

namespace steelyard::proxy {

void Retries::failed(const Object& object, std::string reason, Instant now) {
    Trouble& trouble = troubles_[object];
    trouble.reason = std::move(reason);
    Duration wait = kFirst;
    for (unsigned past = 0; past < trouble.attempts && wait < kLongest; ++past) {
        wait *= 2;
    }
    ++trouble.attempts;
    trouble.next = now + std::min(wait, kLongest);
}

std::optional<Instant> Retries::next() const {
    std::optional<Instant> first;
    for (const auto& [object, trouble] : troubles_) {
        first = std::min(first.value_or(trouble.next), trouble.next);
    }
    return first;
}

std::vector<Object> Retries::due(Instant now) const {
    std::vector<Object> objects;
    for (const auto& [object, trouble] : troubles_) {
        if (trouble.next <= now) {
            objects.push_back(object);
        }
    }
    return objects;
}

}  // namespace steelyard::proxy
