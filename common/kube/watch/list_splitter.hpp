#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

// Cuts the JSON text of a List ({"metadata":..., "items":[{...}, ...]}) into its items while it
// comes, so that a list of any size costs the memory of one item and one chunk. Only the cuts are
// found here: the caller parses each item and, at the end, what is left round them.
namespace steelyard::kube {

class ListSplitter {
public:
    // Bytes of one item; what stands outside of the items may have as many.
    explicit ListSplitter(std::size_t limit) : limit_(limit) {}

    void push(std::string_view bytes);
    // The text of the next complete item, valid until the next push().
    std::optional<std::string_view> next();
    // This is no list of objects, or something in it is over the limit: nothing more comes.
    [[nodiscard]] bool failed() const { return failed_; }
    // The list's closing brace has come.
    [[nodiscard]] bool complete() const { return !failed_ && place_ == Place::After; }
    // The text outside of the items, with "items":[] (or null) where they were.
    [[nodiscard]] const std::string& envelope() const { return envelope_; }
    void reset();

private:
    enum class Place { Before, Envelope, Between, Item, After };
    enum class Expect { ItemOrEnd, Item, CommaOrEnd };

    bool take(char c);  // true: `c` ended an item
    void take_envelope(char c);
    void take_between(char c);
    bool take_item(char c);
    bool quoted(char c);
    void keep(char c);

    std::size_t limit_;
    std::string buffer_;
    std::size_t scanned_ = 0;  // bytes of buffer_ that take() has seen
    std::size_t item_ = 0;     // where the item being collected begins
    std::string envelope_;
    std::string key_;  // the last string directly in the envelope
    Place place_ = Place::Before;
    Expect expect_ = Expect::ItemOrEnd;
    std::size_t depth_ = 0;  // open braces and brackets of the envelope, or of the item
    bool in_string_ = false;
    bool escaped_ = false;
    bool had_items_ = false;
    bool failed_ = false;
};

}  // namespace steelyard::kube
