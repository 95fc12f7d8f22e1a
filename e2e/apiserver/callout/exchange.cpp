#include "e2e/apiserver/callout/exchange.hpp"

namespace steelyard::apiserver {

const HookAnswer* Exchange::ask(const std::string& question, const HookCall& call) {
    const auto found = answers_.find(question);
    if (found != answers_.end()) {
        return &found->second;
    }
    if (!call.problem.empty()) {
        HookAnswer unreachable;
        unreachable.problem = call.problem;
        return &answers_.emplace(question, std::move(unreachable)).first->second;
    }
    wanted_.emplace(question, call);
    return nullptr;
}

std::vector<std::pair<std::string, HookCall>> Exchange::take_wanted() {
    std::vector<std::pair<std::string, HookCall>> out(wanted_.begin(), wanted_.end());
    wanted_.clear();
    return out;
}

void Exchange::answer(const std::string& question, HookAnswer answer) {
    answers_.insert_or_assign(question, std::move(answer));
}

const std::string& Exchange::keep(
    const std::string& purpose, const std::function<std::string(Rng&)>& make
) {
    const auto found = kept_.find(purpose);
    return found != kept_.end() ? found->second : kept_.emplace(purpose, make(rng_)).first->second;
}

const std::string& Exchange::uid(const std::string& purpose) {
    return keep("uid " + purpose, make_uid);
}

Failure pending_failure() {
    Failure failure;
    failure.reason = "InternalError";
    failure.message = "a webhook has to be asked first";
    return failure;
}

std::string random_hex(Rng& rng, std::size_t digits) {
    static constexpr char kHex[] = "0123456789abcdef";
    std::string out;
    while (out.size() < digits) {
        out.push_back(kHex[rng.below(16)]);
    }
    return out;
}

std::string make_uid(Rng& rng) {
    std::string hex = random_hex(rng, 32);
    hex[12] = '4';
    hex[16] = "89ab"[rng.below(4)];
    return hex.substr(0, 8) + "-" + hex.substr(8, 4) + "-" + hex.substr(12, 4) + "-" +
           hex.substr(16, 4) + "-" + hex.substr(20);
}

}  // namespace steelyard::apiserver
