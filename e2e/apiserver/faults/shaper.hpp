#pragma once

#include "e2e/apiserver/faults/faults.hpp"

#include <chrono>
#include <cstddef>
#include <string>
#include <vector>

// What a FaultRule does to the body of an answer: bytes in, steps out. Offsets count the bytes of
// the true body. Pure; the server writes, waits and cuts as the steps say.
namespace steelyard::apiserver {

struct ShapeStep {
    enum class Kind { Write, WriteRaw, Pause, Cut };
    Kind kind = Kind::Write;
    std::string bytes;                   // of Write (as one chunk) and WriteRaw
    std::chrono::milliseconds pause{0};  // of Pause
    bool reset = false;                  // of Cut
};

class Shaper {
public:
    explicit Shaper(FaultRule rule) : rule_(std::move(rule)) {}

    // Nothing comes after a Cut.
    [[nodiscard]] std::vector<ShapeStep> feed(std::string_view bytes);
    // The body has ended; a cut that lies behind its end happens now.
    [[nodiscard]] std::vector<ShapeStep> finish();
    [[nodiscard]] bool cut() const { return cut_; }

private:
    void at_offset(std::vector<ShapeStep>& out);
    void write(std::string_view bytes, std::vector<ShapeStep>& out) const;
    void cut_off(std::string_view last, std::vector<ShapeStep>& out);

    FaultRule rule_;
    std::size_t offset_ = 0;
    bool cut_ = false;
};

// What a FaultRule does to the events of a watch, line by line.
class EventFaults {
public:
    explicit EventFaults(FaultRule rule) : rule_(std::move(rule)) {}

    // Whole lines in, whole lines out.
    [[nodiscard]] std::string apply(const std::string& lines);
    // An ERROR has been sent: the stream ends here.
    [[nodiscard]] bool over() const { return over_; }

private:
    FaultRule rule_;
    std::string held_;  // a late bookmark
    unsigned events_ = 0;
    bool over_ = false;
};

}  // namespace steelyard::apiserver
