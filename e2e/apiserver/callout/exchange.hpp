#pragma once

#include "common/base/rng.hpp"
#include "e2e/apiserver/callout/hook.hpp"
#include "e2e/apiserver/json/failure.hpp"

#include <functional>
#include <map>
#include <string>
#include <utility>
#include <vector>

// What one request has to ask of webhooks before it can be answered, without I/O: the core works on
// the request, finds that an answer is missing, notes the question and gives up without having
// changed anything; the shell asks and lets the core begin again, which now finds the answer. What
// must not change from one try to the next (uids, generated names) is kept here too.
namespace steelyard::apiserver {

class Exchange {
public:
    explicit Exchange(Rng rng) : rng_(rng) {}

    // `question` is what the call asks, apart from its uid. Null when it has yet to be asked.
    const HookAnswer* ask(const std::string& question, const HookCall& call);
    // Something was asked that has no answer: the result of this try means nothing.
    [[nodiscard]] bool pending() const { return !wanted_.empty(); }
    // The questions to ask now, each with its call.
    [[nodiscard]] std::vector<std::pair<std::string, HookCall>> take_wanted();
    void answer(const std::string& question, HookAnswer answer);

    // A uid that stays the same for one purpose.
    const std::string& uid(const std::string& purpose);
    const std::string& keep(
        const std::string& purpose, const std::function<std::string(Rng&)>& make
    );

private:
    Rng rng_;
    std::map<std::string, HookAnswer> answers_;
    std::map<std::string, HookCall> wanted_;
    std::map<std::string, std::string> kept_;
};

// What a function gives back when it must wait for an answer.
[[nodiscard]] Failure pending_failure();

// A version 4 UUID (RFC 9562).
[[nodiscard]] std::string make_uid(Rng& rng);
[[nodiscard]] std::string random_hex(Rng& rng, std::size_t digits);

}  // namespace steelyard::apiserver
