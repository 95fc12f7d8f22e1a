#include "controller/plan/waiters.hpp"

#include <utility>

namespace steelyard::controller_plan {

Age age_of(const kube::ObjectMeta& meta) {
    return {meta.creation_timestamp, meta.uid, meta.key};
}

void Waiters::set(const Age& age, std::vector<ipam::Want> wants) {
    const auto found = waiting_.find(age.service);
    if (found != waiting_.end()) {
        if (found->second.wants == wants && found->second.age == age) {
            return;
        }
        erase(age.service);
    }
    for (const ipam::Want& want : wants) {
        queues_[want].insert(age);
    }
    waiting_.emplace(age.service, Waiting{age, std::move(wants)});
}

void Waiters::erase(const kube::ObjectKey& service) {
    const auto found = waiting_.find(service);
    if (found == waiting_.end()) {
        return;
    }
    for (const ipam::Want& want : found->second.wants) {
        // The same want may stand there twice: two pools under one quota.
        if (const auto queue = queues_.find(want); queue != queues_.end()) {
            queue->second.erase(found->second.age);
            if (queue->second.empty()) {
                queues_.erase(queue);
            }
        }
    }
    waiting_.erase(found);
}

void Waiters::clear() {
    waiting_.clear();
    queues_.clear();
    calls_.clear();
    next_up_.clear();
}

void Waiters::open(const std::vector<ipam::Want>& wants) {
    for (const ipam::Want& want : wants) {
        if (const auto queue = queues_.find(want); queue != queues_.end()) {
            close(want);  // from the front again
            call(*queue->second.begin(), want);
        }
    }
}

bool Waiters::is_waiting(const Call& call) const {
    const auto queue = queues_.find(call.want);
    return queue != queues_.end() && queue->second.contains(call.age);
}

void Waiters::drop_first() {
    if (is_waiting(*calls_.begin())) {
        close(ipam::Want(calls_.begin()->want));
    } else {
        called();
    }
}

void Waiters::call(const Age& age, const ipam::Want& want) {
    calls_.insert({age, want});
    next_up_.emplace(want, age);
}

void Waiters::called() {
    const Call first = *calls_.begin();
    close(first.want);
    const auto queue = queues_.find(first.want);
    if (queue == queues_.end()) {
        return;
    }
    const auto following = queue->second.upper_bound(first.age);
    if (following != queue->second.end()) {
        call(*following, first.want);
    }
}

void Waiters::close(const ipam::Want& want) {
    const auto found = next_up_.find(want);
    if (found != next_up_.end()) {
        calls_.erase({found->second, want});
        next_up_.erase(found);
    }
}

}  // namespace steelyard::controller_plan
