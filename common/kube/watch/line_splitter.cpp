#include "common/kube/watch/line_splitter.hpp"

namespace steelyard::kube {

void LineSplitter::push(std::string_view bytes) {
    if (overflow_) {
        return;
    }
    buffer_.erase(0, start_);
    scanned_ -= start_;
    start_ = 0;
    buffer_.append(bytes);
}

std::optional<std::string_view> LineSplitter::next() {
    while (!overflow_) {
        const std::size_t end = buffer_.find('\n', scanned_);
        if (end == std::string::npos) {
            scanned_ = buffer_.size();
            overflow_ = buffer_.size() - start_ > limit_;
            return std::nullopt;
        }
        std::string_view line(buffer_);
        line = line.substr(start_, end - start_);
        start_ = end + 1;
        scanned_ = start_;
        if (line.size() > limit_) {
            overflow_ = true;
            return std::nullopt;
        }
        if (!line.empty() && line.back() == '\r') {
            line.remove_suffix(1);
        }
        if (!line.empty()) {
            return line;
        }
    }
    return std::nullopt;
}

void LineSplitter::reset() {
    buffer_.clear();
    start_ = 0;
    scanned_ = 0;
    overflow_ = false;
}

}  // namespace steelyard::kube
