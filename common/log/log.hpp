#pragma once

#include "common/base/error.hpp"

#include <initializer_list>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

// One JSON object a line on stderr (or stdout): {"ts","level","component","msg", fields...}. A
// Logger is a small value; main() makes one and passes it (or with_component() copies) by
// reference. There is no global logger. Levels are those of MetalLB's --log-level flag.
//
//     log.info("address assigned", {{"service", "ns/web"}, {"ip", "192.0.2.1"}});
namespace steelyard::log {

enum class Level { All, Debug, Info, Warn, Error, None };
// "all", "debug", "info", "warn", "error", "none".
[[nodiscard]] Result<Level> parse_level(std::string_view text);
[[nodiscard]] std::string_view to_string(Level level);

using Field = std::pair<std::string_view, std::string>;
using Fields = std::initializer_list<Field>;

// Where finished lines go; tests collect them, production uses stderr_sink().
class Sink {
public:
    Sink() = default;
    Sink(const Sink&) = delete;
    Sink& operator=(const Sink&) = delete;
    virtual ~Sink() = default;
    virtual void write(Level level, std::string_view line) = 0;  // without the newline
};
[[nodiscard]] std::shared_ptr<Sink> stderr_sink();
[[nodiscard]] std::shared_ptr<Sink> stdout_sink();

class Logger {
public:
    Logger(std::shared_ptr<Sink> sink, Level level, std::string component);

    [[nodiscard]] Logger with_component(std::string component) const;
    [[nodiscard]] bool enabled(Level level) const { return level >= level_; }

    void debug(std::string_view message, Fields fields = {}) const;
    void info(std::string_view message, Fields fields = {}) const;
    void warn(std::string_view message, Fields fields = {}) const;
    void error(std::string_view message, Fields fields = {}) const;

private:
    void write(Level level, std::string_view message, Fields fields) const;

    std::shared_ptr<Sink> sink_;
    Level level_;
    std::string component_;
};

}  // namespace steelyard::log
