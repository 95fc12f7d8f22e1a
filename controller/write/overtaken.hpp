#pragma once

#include "common/kube/model/meta.hpp"

#include <deque>
#include <functional>
#include <map>
#include <string>
#include <vector>

// The versions of objects that our own writes have replaced while the watch still shows them. What
// is built from such a version is wrong: "nothing to change" may be untrue, and a write is refused.
// Versions are only compared for equality, as the API asks. Holds an object only until the watch
// has moved on. Pure.
namespace steelyard::controller {

class Overtaken {
public:
    // The resourceVersion the watch shows, "" when the object is gone.
    using Shown = std::function<std::string(const kube::ObjectKey&)>;

    // A write that was conditional on this version succeeded.
    void add(const kube::ObjectKey& key, std::string version);
    [[nodiscard]] bool contains(const kube::ObjectKey& key, const std::string& version) const;
    // Forgets the oldest, as far as the watch has moved on.
    void prune(const Shown& shown);
    [[nodiscard]] std::size_t size() const { return versions_.size(); }

private:
    std::map<kube::ObjectKey, std::vector<std::string>> versions_;
    std::deque<kube::ObjectKey> order_;  // the keys of versions_, by their first write
};

}  // namespace steelyard::controller
