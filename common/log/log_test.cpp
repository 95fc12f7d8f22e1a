#include "common/log/log.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <vector>

namespace steelyard::log {
namespace {

class Lines final : public Sink {
public:
    void write(Level, std::string_view line) override { lines.emplace_back(line); }
    std::vector<std::string> lines;
};

TEST(LogTest, ALineIsOneJsonObjectWithItsFields) {
    const auto sink = std::make_shared<Lines>();
    const Logger log(sink, Level::Info, "controller");

    log.info("address assigned", {{"service", "ns/web"}, {"ip", "192.0.2.1"}});

    ASSERT_EQ(sink->lines.size(), 1U);
    const auto line = nlohmann::json::parse(sink->lines[0], nullptr, false);
    ASSERT_TRUE(line.is_object()) << sink->lines[0];
    EXPECT_EQ(line["level"], "info");
    EXPECT_EQ(line["component"], "controller");
    EXPECT_EQ(line["msg"], "address assigned");
    EXPECT_EQ(line["service"], "ns/web");
    EXPECT_THAT(
        line["ts"].get<std::string>(), testing::MatchesRegex("....-..-..T..:..:..\\.......Z")
    );
}

TEST(LogTest, HostileTextStaysInsideItsField) {
    const auto sink = std::make_shared<Lines>();
    const Logger log(sink, Level::All, "x");

    log.error("a\"b\n{}\x01\xff", {{"k\"", "\\"}});

    const auto line = nlohmann::json::parse(sink->lines.at(0), nullptr, false);
    ASSERT_TRUE(line.is_object()) << sink->lines[0];
    EXPECT_EQ(sink->lines[0].find('\n'), std::string::npos);
    EXPECT_EQ(line["k\""], "\\");
}

TEST(LogTest, EachLevelHidesTheOnesBelow) {
    struct Row {
        std::string_view name;
        std::size_t lines;
    };
    for (const Row& row :
         {Row{"all", 4},
          Row{"debug", 4},
          Row{"info", 3},
          Row{"warn", 2},
          Row{"error", 1},
          Row{"none", 0}}) {
        const auto sink = std::make_shared<Lines>();
        const Logger log(sink, parse_level(row.name).value(), "x");

        log.debug("d");
        log.info("i");
        log.warn("w");
        log.error("e");

        EXPECT_EQ(sink->lines.size(), row.lines) << row.name;
        EXPECT_EQ(to_string(parse_level(row.name).value()), row.name);
    }
}

TEST(LogTest, AnUnknownLevelIsNamed) {
    EXPECT_EQ(
        parse_level("loud").error().context,
        "log level \"loud\" is unknown; accepted: all, debug, info, warn, error, none"
    );
}

TEST(LogTest, AComponentCopyWritesToTheSameSink) {
    const auto sink = std::make_shared<Lines>();
    const Logger log(sink, Level::All, "main");

    log.with_component("watch").warn("w");

    EXPECT_THAT(sink->lines.at(0), testing::HasSubstr(R"("component":"watch")"));
}

}  // namespace
}  // namespace steelyard::log
