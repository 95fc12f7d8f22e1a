#include "common/metrics/metrics.hpp"

#include <gmock/gmock.h>

namespace steelyard::metrics {
namespace {

using testing::HasSubstr;
using testing::Not;

TEST(MetricsTest, TextHoldsHelpTypeAndValue) {
    Registry registry;
    registry.gauge("metallb_x_total", "What x is.").set({{"pool", "a"}}, 3);

    EXPECT_EQ(
        registry.text(),
        "# HELP metallb_x_total What x is.\n# TYPE metallb_x_total gauge\n"
        "metallb_x_total{pool=\"a\"} 3\n"
    );
}

TEST(MetricsTest, CounterAddsUp) {
    Registry registry;
    registry.counter("metallb_c_total", "C.").add();
    registry.counter("metallb_c_total", "C.").add(2);

    EXPECT_THAT(registry.text(), HasSubstr("\nmetallb_c_total 3\n"));
}

TEST(MetricsTest, ReplaceForgetsWhatIsGone) {
    Registry registry;
    GaugeFamily& family = registry.gauge("metallb_x_total", "X.");
    family.replace({{{{"pool", "a"}}, 1}, {{{"pool", "b"}}, 2}});
    family.replace({{{{"pool", "b"}}, 5}});

    EXPECT_THAT(registry.text(), HasSubstr("metallb_x_total{pool=\"b\"} 5"));
    EXPECT_THAT(registry.text(), Not(HasSubstr("pool=\"a\"")));
}

TEST(MetricsTest, CountersTakeTotalsThatWereCountedElsewhere) {
    Registry registry;
    CounterFamily& family = registry.counter("metallb_c_total", "C.");
    family.replace({{{{"ip", "a"}}, 3}, {{{"ip", "b"}}, 5}, {{{"ip", "gone"}}, 1}});
    family.replace({{{{"ip", "a"}}, 4}, {{{"ip", "b"}}, 2}});

    EXPECT_THAT(registry.text(), HasSubstr("# TYPE metallb_c_total counter\n"));
    EXPECT_THAT(registry.text(), HasSubstr("metallb_c_total{ip=\"a\"} 4"));
    EXPECT_THAT(registry.text(), HasSubstr("metallb_c_total{ip=\"b\"} 2"));
    EXPECT_THAT(registry.text(), Not(HasSubstr("gone")));
}

TEST(MetricsTest, HistogramsCountUpToTheirBounds) {
    Registry registry;
    registry.histogram("metallb_h_seconds", "H.", {0.016, 1}).observe({{"f", "a"}}, 0.5);
    registry.histogram("metallb_h_seconds", "H.", {0.016, 1}).observe({{"f", "a"}}, 2);

    EXPECT_EQ(
        registry.text(),
        "# HELP metallb_h_seconds H.\n# TYPE metallb_h_seconds histogram\n"
        "metallb_h_seconds_count{f=\"a\"} 2\n"
        "metallb_h_seconds_sum{f=\"a\"} 2.5\n"
        "metallb_h_seconds_bucket{f=\"a\",le=\"0.016\"} 0\n"
        "metallb_h_seconds_bucket{f=\"a\",le=\"1\"} 1\n"
        "metallb_h_seconds_bucket{f=\"a\",le=\"+Inf\"} 2\n"
    );
}

TEST(MetricsTest, RemovedSampleStartsAgainFromItsNextValue) {
    Registry registry;
    CounterFamily& family = registry.counter("metallb_c_total", "C.");
    family.add({{"ip", "10.0.0.1"}}, 4);
    family.remove({{"ip", "10.0.0.1"}});
    family.add({{"ip", "10.0.0.1"}}, 1);

    EXPECT_THAT(registry.text(), HasSubstr("metallb_c_total{ip=\"10.0.0.1\"} 1"));
}

}  // namespace
}  // namespace steelyard::metrics
