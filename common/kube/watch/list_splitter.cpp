#include "common/kube/watch/list_splitter.hpp"

namespace steelyard::kube {
namespace {

bool blank(char c) {
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

}  // namespace

void ListSplitter::push(std::string_view bytes) {
    if (failed_) {
        return;
    }
    const std::size_t done = place_ == Place::Item ? item_ : scanned_;
    buffer_.erase(0, done);
    scanned_ -= done;
    item_ = 0;
    buffer_.append(bytes);
}

std::optional<std::string_view> ListSplitter::next() {
    while (!failed_ && scanned_ < buffer_.size()) {
        if (take(buffer_[scanned_++])) {
            return std::string_view(buffer_).substr(item_, scanned_ - item_);
        }
        failed_ = failed_ || (place_ == Place::Item && scanned_ - item_ > limit_);
    }
    return std::nullopt;
}

void ListSplitter::reset() {
    *this = ListSplitter(limit_);
}

bool ListSplitter::take(char c) {
    switch (place_) {
        case Place::Before:
            if (c == '{') {
                place_ = Place::Envelope;
                depth_ = 1;
                keep(c);
            } else {
                failed_ = !blank(c);
            }
            return false;
        case Place::Envelope:
            take_envelope(c);
            return false;
        case Place::Between:
            take_between(c);
            return false;
        case Place::Item:
            return take_item(c);
        case Place::After:
            failed_ = !blank(c);
            return false;
    }
    return false;
}

// True while `c` belongs to a string, its quotes included.
bool ListSplitter::quoted(char c) {
    if (!in_string_) {
        in_string_ = c == '"';
        return in_string_;
    }
    if (escaped_) {
        escaped_ = false;
    } else if (c == '\\') {
        escaped_ = true;
    } else if (c == '"') {
        in_string_ = false;
    }
    return true;
}

void ListSplitter::take_envelope(char c) {
    keep(c);
    const bool was_in_string = in_string_;
    if (quoted(c)) {
        if (depth_ == 1 && !was_in_string) {
            key_.clear();
        } else if (depth_ == 1 && in_string_) {
            key_ += c;
        }
        return;
    }
    if (c == '[' && depth_ == 1 && key_ == "items") {
        failed_ = had_items_;
        had_items_ = true;
        place_ = Place::Between;
        expect_ = Expect::ItemOrEnd;
    } else if (c == '{' || c == '[') {
        ++depth_;
    } else if ((c == '}' || c == ']') && --depth_ == 0) {
        place_ = Place::After;
    }
}

void ListSplitter::take_between(char c) {
    if (blank(c)) {
        return;
    }
    if (c == '{' && expect_ != Expect::CommaOrEnd) {
        place_ = Place::Item;
        item_ = scanned_ - 1;
        depth_ = 1;
    } else if (c == ']' && expect_ != Expect::Item) {
        keep(c);
        place_ = Place::Envelope;
        depth_ = 1;
        key_.clear();
    } else if (c == ',' && expect_ == Expect::CommaOrEnd) {
        expect_ = Expect::Item;
    } else {
        failed_ = true;
    }
}

bool ListSplitter::take_item(char c) {
    if (quoted(c)) {
        return false;
    }
    if (c == '{' || c == '[') {
        ++depth_;
    } else if ((c == '}' || c == ']') && --depth_ == 0) {
        place_ = Place::Between;
        expect_ = Expect::CommaOrEnd;
        return true;
    }
    return false;
}

void ListSplitter::keep(char c) {
    envelope_ += c;
    failed_ = failed_ || envelope_.size() > limit_;
}

}  // namespace steelyard::kube
