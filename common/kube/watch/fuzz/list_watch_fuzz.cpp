#include "common/kube/watch/list_watch.hpp"

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

// Any bytes as the answers of a server, cut anywhere: the core always has a next step, and never
// declares a full state complete that it has not begun.
namespace {

using namespace steelyard;
using namespace steelyard::kube;

void check(const WatchActions& actions, bool& begun) {
    for (const WatchAction& action : actions) {
        if (std::holds_alternative<BeginReplace>(action)) {
            begun = true;
        } else if (std::holds_alternative<EndReplace>(action)) {
            if (!begun) {
                std::abort();
            }
            begun = false;
        }
    }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    std::string_view rest(reinterpret_cast<const char*>(data), size);
    ListWatch core("/x", {}, Rng(1));
    Instant now{std::chrono::hours(1)};
    WatchActions actions;
    bool begun = false;
    constexpr unsigned kCodes[] = {200, 200, 200, 200, 200, 410, 422, 429, 500, 504};
    while (!rest.empty()) {
        const auto step = core.next(now);
        if (const auto* wait = std::get_if<WaitUntil>(&step)) {
            now = wait->due;
            continue;
        }
        const auto control = static_cast<unsigned char>(rest.front());
        rest.remove_prefix(1);
        ResponseHead head;
        head.status = kCodes[control % 10];
        head.content_type = "application/json";
        core.on_response(std::move(head), now, actions);
        // An answer goes up to a NUL; half of them are cut by an error.
        const std::size_t end = std::min(rest.find('\0'), rest.size());
        core.on_bytes(rest.substr(0, end / 2), now, actions);
        core.on_bytes(rest.substr(end / 2, end - end / 2), now, actions);
        rest.remove_prefix(std::min(end + 1, rest.size()));
        std::optional<Error> error;
        if (control >= 128) {
            error = make_error(Errc::Unavailable, "cut");
        }
        core.on_closed(error, now, actions);
        check(actions, begun);
        actions.clear();
        now += std::chrono::seconds(2);
    }
    return 0;
}
