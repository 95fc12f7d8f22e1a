#include "e2e/apiserver/faults/shaper.hpp"

#include <algorithm>
#include <cstdio>
#include <utility>

namespace steelyard::apiserver {

namespace {

constexpr unsigned kPiecesPerSecond = 4;
// More than the chunk will ever hold, so that its reader waits for the rest.
constexpr std::size_t kPromised = 64;

ShapeStep step(ShapeStep::Kind kind, std::string bytes = {}) {
    ShapeStep out;
    out.kind = kind;
    out.bytes = std::move(bytes);
    return out;
}

ShapeStep pause(std::chrono::milliseconds length) {
    ShapeStep out;
    out.kind = ShapeStep::Kind::Pause;
    out.pause = length;
    return out;
}

}  // namespace

void Shaper::write(std::string_view bytes, std::vector<ShapeStep>& out) const {
    if (rule_.bytes_per_second == 0) {
        if (!bytes.empty()) {
            out.push_back(step(ShapeStep::Kind::Write, std::string(bytes)));
        }
        return;
    }
    const std::size_t piece = std::max<std::size_t>(1, rule_.bytes_per_second / kPiecesPerSecond);
    while (!bytes.empty()) {
        const std::string_view part = bytes.substr(0, piece);
        bytes.remove_prefix(part.size());
        out.push_back(step(ShapeStep::Kind::Write, std::string(part)));
        out.push_back(pause(std::chrono::milliseconds(1000 * part.size() / rule_.bytes_per_second))
        );
    }
}

void Shaper::cut_off(std::string_view last, std::vector<ShapeStep>& out) {
    if (rule_.mid_chunk) {
        char size[20];
        std::snprintf(size, sizeof size, "%zx\r\n", last.size() + kPromised);
        out.push_back(step(ShapeStep::Kind::WriteRaw, size + std::string(last)));
    } else {
        write(last, out);
    }
    ShapeStep end = step(ShapeStep::Kind::Cut);
    end.reset = rule_.reset;
    out.push_back(std::move(end));
    cut_ = true;
}

// What is due at this very offset, each thing once.
void Shaper::at_offset(std::vector<ShapeStep>& out) {
    if (rule_.garbage_at == offset_) {
        rule_.garbage_at.reset();
        const auto kind = rule_.raw_garbage ? ShapeStep::Kind::WriteRaw : ShapeStep::Kind::Write;
        out.push_back(step(kind, rule_.garbage));
    }
    if (rule_.stall_at == offset_) {
        rule_.stall_at.reset();
        out.push_back(pause(rule_.stall));
    }
    if (rule_.cut_at == offset_ && !rule_.mid_chunk) {
        cut_off({}, out);
    }
}

std::vector<ShapeStep> Shaper::feed(std::string_view bytes) {
    std::vector<ShapeStep> out;
    while (!cut_) {
        at_offset(out);
        if (cut_ || bytes.empty()) {
            break;
        }
        // Up to the next offset at which something happens.
        std::size_t size = bytes.size();
        for (const auto& mark : {rule_.cut_at, rule_.stall_at, rule_.garbage_at}) {
            if (mark && *mark >= offset_) {
                size = std::min(size, *mark - offset_);
            }
        }
        const std::string_view part = bytes.substr(0, size);
        const bool last = rule_.cut_at && *rule_.cut_at == offset_ + size;
        offset_ += size;
        bytes.remove_prefix(size);
        if (last && rule_.mid_chunk) {
            cut_off(part, out);
        } else {
            write(part, out);
        }
    }
    return out;
}

std::vector<ShapeStep> Shaper::finish() {
    std::vector<ShapeStep> out;
    if (rule_.cut_at && !cut_) {
        cut_off({}, out);
    }
    return out;
}

std::string EventFaults::apply(const std::string& lines) {
    std::string out;
    for (const std::string& text : split(lines, '\n')) {
        if (over_ || (rule_.error_after && events_ >= *rule_.error_after)) {
            break;
        }
        if (text.empty()) {
            continue;
        }
        const std::string line = text + "\n";
        if (line.starts_with(R"({"type":"BOOKMARK")")) {
            const std::string marks = rule_.duplicate_bookmarks ? line + line : line;
            (rule_.late_bookmarks ? held_ : out) += marks;
            continue;
        }
        out += line;
        ++events_;
        out += std::exchange(held_, std::string());
    }
    if (rule_.error_after && events_ >= *rule_.error_after && !over_) {
        out += R"({"type":"ERROR","object":)" + dump(fault_status(rule_)) + "}\n";
        over_ = true;
    }
    return out;
}

}  // namespace steelyard::apiserver
