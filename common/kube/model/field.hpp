#pragma once

#include "common/base/error.hpp"
#include "common/kube/model/meta.hpp"
#include "common/kube/model/status.hpp"
#include "common/net/ip.hpp"

#include <nlohmann/json.hpp>

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

// Reading JSON objects whose shape we do not control: a Field is a value together with the way to
// it, a Problem keeps the first thing found wrong on the whole object. Decoders read everything
// and ask once at the end. null counts as missing, as in Go. Private to this room.
namespace steelyard::kube {

class Field;

class Problem {
public:
    void set(std::string text) {
        if (text_.empty()) {
            text_ = std::move(text);
        }
    }
    [[nodiscard]] bool any() const { return !text_.empty(); }
    [[nodiscard]] const std::string& text() const { return text_; }

private:
    std::string text_;
};

class Field {
public:
    Field(const nlohmann::json& value, Problem& problem) : value_(&value), problem_(&problem) {}

    // A member of an object; a missing one reads as absent. Anything but an object is a problem.
    [[nodiscard]] Field operator[](std::string_view name) const;
    [[nodiscard]] bool present() const { return value_ != nullptr; }
    // As it stands there; null when absent.
    [[nodiscard]] const nlohmann::json* json() const { return value_; }
    // The elements of an array; none when absent.
    [[nodiscard]] std::vector<Field> items() const;

    [[nodiscard]] std::string text() const;  // "" when absent
    // The same of a secret: a wrong value is never part of a problem.
    [[nodiscard]] std::string secret_text() const;
    [[nodiscard]] bool boolean(bool when_absent) const;
    [[nodiscard]] std::optional<std::int64_t> integer(std::int64_t min, std::int64_t max) const;
    [[nodiscard]] std::uint16_t port() const;  // 0 when absent; 0..65535
    [[nodiscard]] std::vector<std::string> texts() const;
    [[nodiscard]] Labels labels() const;  // an object of strings
    // Text as the IP parsers of Kubernetes read it: leading zeros of IPv4 octets are decimal.
    [[nodiscard]] std::optional<net::IpAddress> address() const;
    [[nodiscard]] std::optional<WallTime> time() const;
    // The bytes that base 64 text stands for. The text is never part of a problem: it is a secret.
    [[nodiscard]] std::optional<std::string> base64() const;
    [[nodiscard]] LabelSelector selector() const;
    [[nodiscard]] std::vector<LabelSelector> selectors() const;

    // Records "<path>: <value> is not <accepted>".
    void reject(std::string_view accepted) const;
    [[nodiscard]] std::string path() const;

private:
    void complain(const std::string& found, std::string_view accepted) const;

    struct Step {
        std::string_view name;  // empty: an array element
        std::size_t index = 0;
    };
    // Deep enough for everything we read (the deepest is 9); deeper steps are not printed.
    static constexpr std::size_t kMaxSteps = 12;

    [[nodiscard]] Field child(const nlohmann::json* value, Step step) const;

    const nlohmann::json* value_;
    Problem* problem_;
    std::array<Step, kMaxSteps> steps_{};
    std::size_t depth_ = 0;
};

// Reads every entry of an array as an object of its own, so that what is wrong with one says
// nothing of the rest: read(entry, problem) returns whether the entry was taken; the problem of one
// that was not is told in `complaints`, with its path.
template <class Read>
void read_each(const Field& array, std::vector<std::string>& complaints, Read&& read) {
    for (const Field& item : array.items()) {
        if (!item.present()) {
            continue;
        }
        Problem problem;
        const bool taken = read(Field(*item.json(), problem), problem);
        if (!taken && problem.any()) {
            complaints.push_back(item.path() + "." + problem.text());
        }
    }
}

// metadata; a missing name is a problem.
[[nodiscard]] ObjectMeta decode_meta(const Field& object);
// The pod among metadata.ownerReferences.
[[nodiscard]] std::optional<PodOwner> decode_pod_owner(const Field& object);
[[nodiscard]] nlohmann::json encode_pod_owner(const PodOwner& owner);
// The Error of a decoder: "<kind> <ns/name>: <problem>".
[[nodiscard]] Error decode_error(
    std::string_view kind, const nlohmann::json& object, const Problem& problem
);

}  // namespace steelyard::kube
