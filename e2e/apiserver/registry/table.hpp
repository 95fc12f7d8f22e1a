#pragma once

#include "common/base/time.hpp"
#include "e2e/apiserver/registry/kind.hpp"

#include <optional>
#include <string>
#include <vector>

// Objects as the rows kubectl prints (meta/v1 Table): the columns Kubernetes shows for built-in
// kinds, additionalPrinterColumns for custom ones.
namespace steelyard::apiserver {

enum class IncludeObject { None, Metadata, Whole };

struct TableFormat {
    std::string version = "v1";  // of meta.k8s.io: v1 or v1beta1
    IncludeObject include = IncludeObject::Metadata;
};

[[nodiscard]] Json table_columns(const Kind& kind, const std::string& version);
[[nodiscard]] Json table_row(
    const Kind& kind,
    const std::string& version,
    const Json& object,
    const TableFormat& format,
    WallTime now
);
// A whole Table; rows come from table_row.
[[nodiscard]] Json table(Json columns, Json rows, Json metadata, const TableFormat& format);

// "12s", "3m5s", "5h", "12d": ages as kubectl writes them.
[[nodiscard]] std::string human_duration(std::chrono::seconds duration);

}  // namespace steelyard::apiserver
