#include "controller/write/overtaken.hpp"

#include <algorithm>
#include <utility>

namespace steelyard::controller {

void Overtaken::add(const kube::ObjectKey& key, std::string version) {
    const auto [found, added] = versions_.try_emplace(key);
    found->second.push_back(std::move(version));
    if (added) {
        order_.push_back(key);
    }
}

bool Overtaken::contains(const kube::ObjectKey& key, const std::string& version) const {
    const auto found = versions_.find(key);
    return found != versions_.end() &&
           std::find(found->second.begin(), found->second.end(), version) != found->second.end();
}

void Overtaken::prune(const Shown& shown) {
    while (!order_.empty() && !contains(order_.front(), shown(order_.front()))) {
        versions_.erase(order_.front());
        order_.pop_front();
    }
}

}  // namespace steelyard::controller
