#include "common/kube/watch/mirror.hpp"

#include <variant>

namespace steelyard::kube {

void ActionCarrier::apply(WatchActions& actions) {
    for (const WatchAction& action : actions) {
        carry(action);
    }
    actions.clear();
}

void ActionCarrier::carry(const WatchAction& action) {
    if (const auto* add = std::get_if<Add>(&action)) {
        sink_.add(add->object);
    } else if (const auto* put = std::get_if<Put>(&action)) {
        sink_.put(put->object);
    } else if (const auto* erase = std::get_if<Erase>(&action)) {
        sink_.erase(erase->object);
    } else if (const auto* remove = std::get_if<Remove>(&action)) {
        sink_.remove(remove->object);
    } else if (std::holds_alternative<BeginReplace>(action)) {
        sink_.begin_replace();
    } else if (std::holds_alternative<EndReplace>(action)) {
        sink_.end_replace();
    } else if (const auto* failed = std::get_if<Failed>(&action)) {
        fail(failed->error);
    } else {
        recover();
    }
}

void ActionCarrier::fail(const Error& error) {
    if (last_error_ != error && on_error_) {
        on_error_(&error);
    }
    last_error_ = error;
}

void ActionCarrier::recover() {
    if (last_error_ && on_error_) {
        on_error_(nullptr);
    }
    last_error_.reset();
}

}  // namespace steelyard::kube
