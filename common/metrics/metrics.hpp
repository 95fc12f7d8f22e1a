#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

// What a daemon counts, and its text for Prometheus. A registry is made in main() and passed by
// reference; families live as long as it does. Names and label sets are given once, in code, so a
// wrong one is a bug and throws at start. A sample with the same labels is the same sample.
namespace steelyard::metrics {

using Labels = std::map<std::string, std::string>;

// Values that go up and down.
class GaugeFamily {
public:
    virtual ~GaugeFamily() = default;
    virtual void set(const Labels& labels, double value) = 0;
    // No effect when there is no such sample.
    virtual void remove(const Labels& labels) = 0;
    // Makes these all the samples there are.
    virtual void replace(const std::map<Labels, double>& samples) = 0;
    void set(double value) { set({}, value); }
};

// Values that only grow.
class CounterFamily {
public:
    virtual ~CounterFamily() = default;
    virtual void add(const Labels& labels, double amount) = 0;
    virtual void remove(const Labels& labels) = 0;
    // Makes these totals, counted elsewhere, all the samples there are; one that went back was
    // counted afresh.
    virtual void replace(const std::map<Labels, double>& totals) = 0;
    void add(double amount = 1) { add({}, amount); }
};

// Counts of values by size. The buckets are upper bounds, ascending; the last one, without a bound,
// is added.
class HistogramFamily {
public:
    virtual ~HistogramFamily() = default;
    virtual void observe(const Labels& labels, double value) = 0;
    void observe(double value) { observe({}, value); }
};

class Registry {
public:
    Registry();
    Registry(const Registry&) = delete;
    Registry& operator=(const Registry&) = delete;
    ~Registry();

    // Asking again for a name gives the same family.
    GaugeFamily& gauge(const std::string& name, const std::string& help);
    CounterFamily& counter(const std::string& name, const std::string& help);
    // The first call decides the buckets.
    HistogramFamily& histogram(
        const std::string& name, const std::string& help, const std::vector<double>& buckets
    );

    // The text exposition format, version 0.0.4, sorted by family.
    [[nodiscard]] std::string text() const;

private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

inline constexpr const char* kContentType = "text/plain; version=0.0.4; charset=utf-8";

}  // namespace steelyard::metrics
