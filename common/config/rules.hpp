#pragma once

#include "common/config/config.hpp"

#include <string>
#include <vector>

// The checks that several kinds share. Each appends what it finds to one list of problems, so that
// a user sees all mistakes at once.
namespace steelyard::config {

class ObjectCheck {
public:
    // `problems` outlives this object.
    ObjectCheck(Kind kind, kube::ObjectKey key, std::vector<Problem>& problems);

    void add(std::string field, std::string value, std::string accepted);
    // No empty string and no string twice.
    void unique_names(const std::string& field, const std::vector<std::string>& names);
    // No selector twice; each of them well formed.
    void selectors(const std::string& field, const std::vector<kube::LabelSelector>& list);
    void selector(const std::string& field, const kube::LabelSelector& selector);

private:
    Kind kind_;
    kube::ObjectKey key_;
    std::vector<Problem>& problems_;
};

[[nodiscard]] std::string describe(const kube::LabelSelector& selector);
[[nodiscard]] std::string at(const std::string& field, std::size_t index);  // field[index]

}  // namespace steelyard::config
