#pragma once

#include "e2e/apiserver/json/json.hpp"

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

// Every object of the cluster, in memory, under one resourceVersion counter, with a bounded history
// of changes that watches read from. Objects are immutable once stored; a change stores a new one.
// Resource keys are "plural.group" ("services." for the core group); object keys "namespace/name".
namespace steelyard::apiserver {

using Object = std::shared_ptr<const Json>;

enum class ChangeType { Added, Modified, Deleted };

struct Change {
    ChangeType type = ChangeType::Added;
    std::uint64_t version = 0;  // the resourceVersion it made
    std::string resource;
    Object object;    // as it is now; for Deleted as it was, with the new version
    Object previous;  // null for Added
};

class Store {
public:
    // first_version begins high enough that a small number in a test never passes for a real
    // version by accident; a program that loses its state on exit begins above what it ever handed
    // out.
    explicit Store(std::size_t history_limit = 20000, std::uint64_t first_version = 100)
        : history_limit_(history_limit), version_(first_version), forgotten_(first_version) {}

    [[nodiscard]] std::uint64_t version() const { return version_; }
    [[nodiscard]] Object get(const std::string& resource, const std::string& key) const;
    // In key order, beginning after `after`; the whole resource when ns is empty.
    [[nodiscard]] std::vector<Object> list(
        const std::string& resource, const std::string& ns, const std::string& after = {}
    ) const;
    // The same as it was at an earlier version that is still remembered.
    [[nodiscard]] std::vector<Object> list_at(
        std::uint64_t version,
        const std::string& resource,
        const std::string& ns,
        const std::string& after = {}
    ) const;
    [[nodiscard]] std::vector<std::string> resources() const;

    // Stores a new or changed object with the next resourceVersion in its metadata.
    Object put(const std::string& resource, Json object);
    // Null when there was none.
    Object erase(const std::string& resource, const std::string& key);

    // Changes after `version`, oldest first; nothing when some of them are forgotten.
    [[nodiscard]] bool remembers(std::uint64_t version) const;
    void each_change_after(std::uint64_t version, const std::function<void(const Change&)>& visit)
        const;
    // As after a restart or a compaction: watches must begin at the present.
    void forget_history();

private:
    void record(Change change);

    std::size_t history_limit_;
    std::uint64_t version_;
    std::uint64_t forgotten_;  // changes up to this version are not in history_
    std::deque<Change> history_;
    std::map<std::string, std::map<std::string, Object>> objects_;
};

[[nodiscard]] std::string object_key(const Json& object);
[[nodiscard]] std::string object_key(const std::string& ns, const std::string& name);

}  // namespace steelyard::apiserver
