#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

// Cuts a byte stream into lines without ever holding more than one line and one chunk: a watch is
// one JSON object a line. A line longer than the limit turns the splitter off for good (overflow),
// so that a server cannot make us buffer without end.
namespace steelyard::kube {

class LineSplitter {
public:
    explicit LineSplitter(std::size_t line_limit) : limit_(line_limit) {}

    void push(std::string_view bytes);
    // The next complete line without its end, valid until the next push(); blank lines are skipped.
    std::optional<std::string_view> next();
    [[nodiscard]] bool overflow() const { return overflow_; }
    // Bytes of an unfinished line are left.
    [[nodiscard]] bool partial() const { return start_ < buffer_.size(); }
    void reset();

private:
    std::size_t limit_;
    std::string buffer_;
    std::size_t start_ = 0;    // of the line being collected
    std::size_t scanned_ = 0;  // no line end before this
    bool overflow_ = false;
};

}  // namespace steelyard::kube
