#include "common/yaml/documents.hpp"

#include "common/yaml/scalar.hpp"

#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/exceptions.h>
#include <yaml-cpp/mark.h>
#include <yaml-cpp/parser.h>

#include <algorithm>
#include <optional>
#include <sstream>
#include <utility>

namespace steelyard::yaml {
namespace {

using nlohmann::json;

constexpr std::size_t kMaxDepth = 100;
constexpr std::size_t kMaxValues = 1'000'000;
// Stands behind each document as a comment. The parser lets a quoted text end with the document;
// then this is in the text.
constexpr std::string_view kEndMark = "#end of the document";

// How the builder leaves the parser, which knows no other way than by throwing.
struct Refusal {
    std::size_t line;
    std::string what;
};

struct Size {
    std::size_t values = 1;
    std::size_t depth = 1;
};

Size size_of(const json& value) {
    Size size;
    if (value.is_structured()) {
        for (const json& part : value) {
            const Size inner = size_of(part);
            size.values += inner.values;
            size.depth = std::max(size.depth, inner.depth + 1);
        }
    }
    return size;
}

// Makes a value of the events of one document.
class Builder : public YAML::EventHandler {
public:
    explicit Builder(Lines& lines, std::size_t lines_above)
        : lines_(lines), lines_above_(lines_above) {}

    [[nodiscard]] json take() { return std::move(root_); }
    [[nodiscard]] std::size_t first_line() const { return first_line_; }

    void OnDocumentStart(const YAML::Mark&) override {}
    void OnDocumentEnd() override {}
    void OnNull(const YAML::Mark& mark, YAML::anchor_t anchor) override {
        put(mark, anchor, json());
    }
    void OnAlias(const YAML::Mark& mark, YAML::anchor_t anchor) override {
        const auto found = anchors_.find(anchor);
        if (found == anchors_.end()) {
            refuse(mark, "an alias of what it is part of");
        }
        const Size size = size_of(found->second);
        if (stack_.size() + size.depth > kMaxDepth) {
            refuse(mark, "nested deeper than " + std::to_string(kMaxDepth) + " levels");
        }
        count(mark, size.values);
        put(mark, 0, found->second);
    }
    void OnScalar(
        const YAML::Mark& mark,
        const std::string& tag,
        YAML::anchor_t anchor,
        const std::string& text
    ) override {
        if (text.ends_with(kEndMark)) {
            refuse(mark, "a quote is not closed");
        }
        const bool is_key =
            !stack_.empty() && stack_.back().value.is_object() && !stack_.back().key;
        if (is_key) {
            count(mark, 1);
            begin_member(mark, text, tag == "?" && text == "<<");
            return;
        }
        auto value = resolve_scalar(tag, text);
        if (!value) {
            refuse(mark, "tag " + tag + ": leave it out");
        }
        put(mark, anchor, std::move(*value));
    }
    void OnSequenceStart(
        const YAML::Mark& mark, const std::string&, YAML::anchor_t anchor, YAML::EmitterStyle::value
    ) override {
        open(mark, anchor, json::array());
    }
    void OnSequenceEnd() override { close(); }
    void OnMapStart(
        const YAML::Mark& mark, const std::string&, YAML::anchor_t anchor, YAML::EmitterStyle::value
    ) override {
        open(mark, anchor, json::object());
    }
    void OnMapEnd() override { close(); }

private:
    // A list or an object that is being read.
    struct Open {
        json value;
        std::string path;
        YAML::anchor_t anchor = 0;
        std::optional<std::string> key;  // of the member whose value comes next
        bool merge = false;              // that member is "<<"
        std::vector<json> merged;        // what "<<" gave
        std::size_t line = 0;
    };

    [[nodiscard]] std::size_t line_of(const YAML::Mark& mark) const {
        return lines_above_ + static_cast<std::size_t>(std::max(mark.line, 0)) + 1;
    }
    [[noreturn]] void refuse(const YAML::Mark& mark, std::string what) const {
        throw Refusal{line_of(mark), std::move(what)};
    }
    void count(const YAML::Mark& mark, std::size_t values) {
        values_ += values;
        if (values_ > kMaxValues) {
            refuse(mark, "more than " + std::to_string(kMaxValues) + " values");
        }
    }
    void begin_member(const YAML::Mark& mark, const std::string& name, bool merge) {
        Open& top = stack_.back();
        if (!merge && top.value.contains(name)) {
            refuse(mark, "\"" + name + "\" is given twice");
        }
        top.key = name;
        top.merge = merge;
        top.line = line_of(mark);
    }
    // The path of the value that comes now, noted with its line.
    [[nodiscard]] std::string begin_value(const YAML::Mark& mark) {
        const std::size_t line = line_of(mark);
        if (stack_.empty()) {
            first_line_ = line;
            return {};
        }
        const Open& top = stack_.back();
        if (top.value.is_object() && !top.key) {
            refuse(mark, "a key is a text");
        }
        std::string path = top.path;
        if (top.value.is_array()) {
            path += "[" + std::to_string(top.value.size()) + "]";
            lines_.note(path, line);
        } else {
            path += (path.empty() ? "" : ".") + *top.key;
            lines_.note(path, top.line);
        }
        return path;
    }
    void put(const YAML::Mark& mark, YAML::anchor_t anchor, json value) {
        count(mark, 1);
        static_cast<void>(begin_value(mark));
        finish(anchor, std::move(value));
    }
    void open(const YAML::Mark& mark, YAML::anchor_t anchor, json empty) {
        if (stack_.size() >= kMaxDepth) {
            refuse(mark, "nested deeper than " + std::to_string(kMaxDepth) + " levels");
        }
        count(mark, 1);
        Open next;
        next.path = begin_value(mark);
        next.value = std::move(empty);
        next.anchor = anchor;
        next.line = line_of(mark);
        stack_.push_back(std::move(next));
    }
    void close() {
        Open done = std::move(stack_.back());
        stack_.pop_back();
        for (json& merged : done.merged) {
            merge(done, merged);
        }
        finish(done.anchor, std::move(done.value));
    }
    // What an object has itself counts more than what "<<" gives; earlier ones more than later.
    static void merge(Open& into, const json& from) {
        if (from.is_array()) {
            for (const json& part : from) {
                merge(into, part);
            }
        } else if (from.is_object()) {
            for (const auto& [key, value] : from.items()) {
                into.value.emplace(key, value);
            }
        } else {
            throw Refusal{into.line, "\"<<\" takes objects"};
        }
    }
    void finish(YAML::anchor_t anchor, json value) {
        if (anchor != 0) {
            values_ += size_of(value).values;  // kept a second time
            anchors_[anchor] = value;
        }
        if (stack_.empty()) {
            root_ = std::move(value);
            return;
        }
        Open& top = stack_.back();
        if (top.value.is_array()) {
            top.value.push_back(std::move(value));
        } else if (top.merge) {
            top.merged.push_back(std::move(value));
            top.key.reset();
        } else {
            top.value.emplace(*std::exchange(top.key, std::nullopt), std::move(value));
        }
    }

    Lines& lines_;
    std::size_t lines_above_;
    std::size_t first_line_ = 0;
    std::size_t values_ = 0;
    json root_;
    std::vector<Open> stack_;
    std::map<YAML::anchor_t, json> anchors_;
};

// One document's text and what stands above it.
struct Part {
    std::string text;
    std::size_t lines_above = 0;
};

// As kubectl does, so that a mistake in one document does not hide the others: at each line that
// starts with "---" (or "..."), which cannot be part of a value.
std::vector<Part> split(std::string_view text) {
    std::vector<Part> parts(1);
    std::size_t line_number = 0;
    while (!text.empty()) {
        const std::size_t end = text.find('\n');
        std::string line(text.substr(0, end));
        text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
        const bool marker = line.starts_with("---") || line.starts_with("...");
        const bool alone =
            line.size() == 3 || (line.size() > 3 && line.find_first_of(" \t\r") == 3);
        if (marker && alone) {
            parts.push_back({{}, line_number});
            line.replace(0, 3, "   ");  // something may follow on the same line
        }
        parts.back().text += line + "\n";
        ++line_number;
    }
    return parts;
}

// Nothing but comments and directives.
bool says_nothing(const std::string& text) {
    std::istringstream lines(text);
    for (std::string line; std::getline(lines, line);) {
        const std::size_t first = line.find_first_not_of(" \t\r");
        if (first != std::string::npos && line[first] != '#' && line[0] != '%') {
            return false;
        }
    }
    return true;
}

std::string on_one_line(std::string text) {
    std::replace_if(
        text.begin(), text.end(), [](unsigned char c) { return c < ' '; }, ' '
    );
    return text;
}

void read_part(const Part& part, Documents& into) {
    Document document;
    Builder builder(document.lines, part.lines_above);
    std::istringstream stream(part.text + "\n" + std::string(kEndMark));
    try {
        YAML::Parser parser(stream);
        Lines ignored;
        Builder rest(ignored, part.lines_above);
        if (!parser.HandleNextDocument(builder) || parser.HandleNextDocument(rest)) {
            into.bad.push_back({part.lines_above + 1, "no single value"});
            return;
        }
    } catch (const Refusal& refusal) {
        into.bad.push_back({refusal.line, on_one_line(refusal.what)});
        return;
    } catch (const YAML::Exception& thrown) {
        const auto line = static_cast<std::size_t>(std::max(thrown.mark.line, 0));
        into.bad.push_back({part.lines_above + line + 1, on_one_line(thrown.msg)});
        return;
    }
    document.value = builder.take();
    document.line = builder.first_line();
    if (!document.value.is_null()) {
        into.read.push_back(std::move(document));
    }
}

}  // namespace

std::size_t Lines::of(std::string path) const {
    for (;;) {
        const auto found = lines_.find(path);
        if (found != lines_.end()) {
            return found->second;
        }
        const std::size_t end = path.find_last_of(".[");
        if (end == std::string::npos) {
            return 0;
        }
        path.resize(end);
    }
}

Documents read_documents(std::string_view text) {
    Documents documents;
    constexpr std::string_view kByteOrderMark = "\xef\xbb\xbf";
    if (text.starts_with(kByteOrderMark)) {
        text.remove_prefix(kByteOrderMark.size());
    }
    if (text.size() > kMaxText) {
        documents.bad.push_back({1, "more than 16 MiB"});
        return documents;
    }
    if (text.find('\0') != std::string_view::npos) {
        documents.bad.push_back({1, "no text: it has zero bytes (is it UTF-16?)"});
        return documents;
    }
    for (const Part& part : split(text)) {
        if (!says_nothing(part.text)) {
            read_part(part, documents);
        }
    }
    return documents;
}

}  // namespace steelyard::yaml
