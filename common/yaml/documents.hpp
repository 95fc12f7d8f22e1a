#pragma once

#include <nlohmann/json.hpp>

#include <cstddef>
#include <map>
#include <string>
#include <string_view>
#include <vector>

// Manifests and configuration files as people keep them: a text of several YAML documents (JSON is
// YAML too) into values, as kubectl reads them: YAML 1.1 scalars (`yes` is true), aliases, merge
// keys. Bounded: 16 MiB, a hundred levels and a million values a document, however small a text
// says so by aliases.
namespace steelyard::yaml {

// Where the parts of a document were written: "spec.addresses[0]" -> line of the text, from 1.
class Lines {
public:
    void note(const std::string& path, std::size_t line) { lines_.emplace(path, line); }
    // That of the nearest part above it when it was not written itself; 0: nothing is known.
    [[nodiscard]] std::size_t of(std::string path) const;
    friend bool operator==(const Lines&, const Lines&) = default;

private:
    std::map<std::string, std::size_t> lines_;
};

struct Document {
    nlohmann::json value;
    std::size_t line = 0;  // of the first thing in it
    Lines lines;
};

// What is no YAML, or none that a manifest can be made of.
struct BadDocument {
    std::size_t line = 0;
    std::string what;
    friend bool operator==(const BadDocument&, const BadDocument&) = default;
};

struct Documents {
    std::vector<Document> read;  // in order, empty ones left out
    std::vector<BadDocument> bad;
};

inline constexpr std::size_t kMaxText = std::size_t{16} << 20U;

[[nodiscard]] Documents read_documents(std::string_view text);

}  // namespace steelyard::yaml
