#include "e2e/apiserver/registry/table.hpp"

#include "e2e/apiserver/registry/json_path.hpp"
#include "e2e/apiserver/registry/printers.hpp"
#include "e2e/apiserver/registry/timestamp.hpp"

namespace steelyard::apiserver {

namespace {

Json column(const PrinterColumn& from) {
    return Json{
        {"name", from.name},
        {"type", from.type},
        {"format", from.name == "Name" ? "name" : ""},
        {"description", from.description},
        {"priority", from.priority}};
}

Json custom_cell(const PrinterColumn& from, const Json& object, WallTime now) {
    const std::vector<const Json*> values = json_path(object, from.json_path);
    if (values.empty()) {
        return from.type == "date" ? Json("<unknown>") : Json(nullptr);
    }
    if (from.type == "date") {
        return age_of(*values.front(), now);
    }
    if (values.size() == 1 && !values.front()->is_structured()) {
        return *values.front();
    }
    if (values.size() == 1) {
        return dump(*values.front());
    }
    std::string joined;
    for (const Json* value : values) {
        joined += joined.empty() ? "" : ",";
        joined += value->is_string() ? value->get<std::string>() : dump(*value);
    }
    return joined;
}

const std::vector<PrinterColumn>& columns_for(const Kind& kind, const std::string& version) {
    static const std::vector<PrinterColumn> kNone;
    if (!kind.custom) {
        return builtin_columns(kind.resource());
    }
    const KindVersion* known = kind.version(version);
    return known == nullptr ? kNone : known->columns;
}

}  // namespace

std::string human_duration(std::chrono::seconds duration) {
    const auto total = duration.count();
    const auto text = [](long value, const char* unit, long rest = 0, const char* small = "") {
        std::string out = std::to_string(value) + unit;
        return rest == 0 ? out : out + std::to_string(rest) + small;
    };
    if (total < 0) {
        return total < -1 ? "<invalid>" : "0s";
    }
    const long minutes = total / 60;
    const long hours = minutes / 60;
    const long days = hours / 24;
    const long years = days / 365;
    if (total < 120) {
        return text(total, "s");
    }
    if (minutes < 10) {
        return text(minutes, "m", total % 60, "s");
    }
    if (hours < 3) {
        return text(minutes, "m");
    }
    if (hours < 8) {
        return text(hours, "h", minutes % 60, "m");
    }
    if (hours < 48) {
        return text(hours, "h");
    }
    if (days < 8) {
        return text(days, "d", hours % 24, "h");
    }
    if (years < 2) {
        return text(days, "d");
    }
    return years < 8 ? text(years, "y", days % 365, "d") : text(years, "y");
}

Json table_columns(const Kind& kind, const std::string& version) {
    Json out = Json::array();
    PrinterColumn name;
    name.name = "Name";
    if (kind.custom) {
        out.push_back(column(name));
    }
    for (const PrinterColumn& entry : columns_for(kind, version)) {
        out.push_back(column(entry));
    }
    return out;
}

Json table_row(
    const Kind& kind,
    const std::string& version,
    const Json& object,
    const TableFormat& format,
    WallTime now
) {
    Json cells = Json::array();
    if (kind.custom) {
        cells.push_back(text_at(object, "metadata.name"));
        for (const PrinterColumn& entry : columns_for(kind, version)) {
            cells.push_back(custom_cell(entry, object, now));
        }
    } else {
        cells = builtin_cells(kind.resource(), object, now);
    }
    Json row{{"cells", std::move(cells)}};
    if (format.include == IncludeObject::Whole) {
        row["object"] = object;
    } else if (format.include == IncludeObject::Metadata) {
        row["object"] = Json{
            {"kind", "PartialObjectMetadata"},
            {"apiVersion", "meta.k8s.io/" + format.version},
            {"metadata", object_at(object, "metadata")}};
    } else {
        row["object"] = nullptr;
    }
    return row;
}

Json table(Json columns, Json rows, Json metadata, const TableFormat& format) {
    return Json{
        {"kind", "Table"},
        {"apiVersion", "meta.k8s.io/" + format.version},
        {"metadata", std::move(metadata)},
        {"columnDefinitions", std::move(columns)},
        {"rows", std::move(rows)}};
}

}  // namespace steelyard::apiserver
