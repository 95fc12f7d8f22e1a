#include "common/log/log.hpp"

#include <nlohmann/json.hpp>
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

#include <time.h>

#include <array>
#include <chrono>
#include <cstdio>

namespace steelyard::log {
namespace {

struct LevelName {
    Level level;
    std::string_view name;
};
constexpr std::array<LevelName, 6> kLevels{
    LevelName{Level::All, "all"},
    LevelName{Level::Debug, "debug"},
    LevelName{Level::Info, "info"},
    LevelName{Level::Warn, "warn"},
    LevelName{Level::Error, "error"},
    LevelName{Level::None, "none"}};

// Whatever bytes come in (names from peers, kernel messages), the line stays valid JSON.
void append_quoted(std::string& line, std::string_view text) {
    line += nlohmann::json(text).dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

// RFC 3339, UTC, microseconds.
std::string timestamp() {
    const auto now = std::chrono::system_clock::now();
    const auto second = std::chrono::floor<std::chrono::seconds>(now);
    const auto micros = std::chrono::floor<std::chrono::microseconds>(now - second).count();
    const std::time_t seconds = std::chrono::system_clock::to_time_t(second);
    std::tm parts{};
    ::gmtime_r(&seconds, &parts);
    std::array<char, 32> date{};
    const std::size_t length = std::strftime(date.data(), date.size(), "%Y-%m-%dT%H:%M:%S", &parts);
    std::array<char, 16> fraction{};
    std::snprintf(fraction.data(), fraction.size(), ".%06dZ", static_cast<int>(micros));
    return std::string(date.data(), length) + fraction.data();
}

// spdlog writes and flushes; the line is ours.
class SpdlogSink final : public Sink {
public:
    explicit SpdlogSink(spdlog::sink_ptr sink) : logger_("steelyard", std::move(sink)) {
        logger_.set_pattern("%v");
        logger_.set_level(spdlog::level::trace);
        logger_.flush_on(spdlog::level::trace);
    }
    void write(Level, std::string_view line) override {
        logger_.info(spdlog::string_view_t(line.data(), line.size()));
    }

private:
    spdlog::logger logger_;
};

}  // namespace

Result<Level> parse_level(std::string_view text) {
    for (const LevelName& entry : kLevels) {
        if (entry.name == text) {
            return entry.level;
        }
    }
    return make_error(
        Errc::Invalid,
        "log level \"" + std::string(text) +
            "\" is unknown; accepted: all, debug, info, warn, error, none"
    );
}

std::string_view to_string(Level level) {
    for (const LevelName& entry : kLevels) {
        if (entry.level == level) {
            return entry.name;
        }
    }
    return "unknown";
}

std::shared_ptr<Sink> stderr_sink() {
    return std::make_shared<SpdlogSink>(std::make_shared<spdlog::sinks::stderr_sink_mt>());
}

std::shared_ptr<Sink> stdout_sink() {
    return std::make_shared<SpdlogSink>(std::make_shared<spdlog::sinks::stdout_sink_mt>());
}

Logger::Logger(std::shared_ptr<Sink> sink, Level level, std::string component)
    : sink_(std::move(sink)), level_(level), component_(std::move(component)) {}

Logger Logger::with_component(std::string component) const {
    return Logger(sink_, level_, std::move(component));
}

void Logger::debug(std::string_view message, Fields fields) const {
    write(Level::Debug, message, fields);
}
void Logger::info(std::string_view message, Fields fields) const {
    write(Level::Info, message, fields);
}
void Logger::warn(std::string_view message, Fields fields) const {
    write(Level::Warn, message, fields);
}
void Logger::error(std::string_view message, Fields fields) const {
    write(Level::Error, message, fields);
}

void Logger::write(Level level, std::string_view message, Fields fields) const {
    if (!enabled(level)) {
        return;
    }
    std::string line = R"({"ts":")" + timestamp() + R"(","level":")";
    line += to_string(level);
    line += R"(","component":)";
    append_quoted(line, component_);
    line += R"(,"msg":)";
    append_quoted(line, message);
    for (const auto& [key, value] : fields) {
        line += ',';
        append_quoted(line, key);
        line += ':';
        append_quoted(line, value);
    }
    line += '}';
    sink_->write(level, line);
}

}  // namespace steelyard::log
