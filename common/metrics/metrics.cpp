#include "common/metrics/metrics.hpp"

#include <prometheus/counter.h>
#include <prometheus/family.h>
#include <prometheus/gauge.h>
#include <prometheus/histogram.h>
#include <prometheus/registry.h>
#include <prometheus/text_serializer.h>

#include <algorithm>
#include <utility>

namespace steelyard::metrics {
namespace {

// Remembers which sample belongs to which labels: the library removes by address only.
template <class T>
class Samples {
public:
    explicit Samples(prometheus::Family<T>& family) : family_(family) {}

    T& at(const Labels& labels) {
        T*& sample = samples_[labels];
        if (sample == nullptr) {
            sample = &family_.Add(labels);
        }
        return *sample;
    }
    void remove(const Labels& labels) {
        if (const auto found = samples_.find(labels); found != samples_.end()) {
            family_.Remove(found->second);
            samples_.erase(found);
        }
    }
    template <class Keep>
    void retain(const Keep& keep) {
        std::erase_if(samples_, [&](const auto& sample) {
            if (keep(sample.first)) {
                return false;
            }
            family_.Remove(sample.second);
            return true;
        });
    }

private:
    prometheus::Family<T>& family_;
    std::map<Labels, T*> samples_;
};

class Gauges final : public GaugeFamily {
public:
    explicit Gauges(prometheus::Family<prometheus::Gauge>& family) : samples_(family) {}
    void set(const Labels& labels, double value) override { samples_.at(labels).Set(value); }
    void remove(const Labels& labels) override { samples_.remove(labels); }
    void replace(const std::map<Labels, double>& samples) override {
        samples_.retain([&](const Labels& labels) { return samples.contains(labels); });
        for (const auto& [labels, value] : samples) {
            set(labels, value);
        }
    }

private:
    Samples<prometheus::Gauge> samples_;
};

class Counters final : public CounterFamily {
public:
    explicit Counters(prometheus::Family<prometheus::Counter>& family) : samples_(family) {}
    void add(const Labels& labels, double amount) override {
        samples_.at(labels).Increment(amount);
    }
    void remove(const Labels& labels) override { samples_.remove(labels); }
    void replace(const std::map<Labels, double>& totals) override {
        samples_.retain([&](const Labels& labels) { return totals.contains(labels); });
        for (const auto& [labels, total] : totals) {
            if (total < samples_.at(labels).Value()) {
                samples_.remove(labels);
            }
            prometheus::Counter& counter = samples_.at(labels);
            counter.Increment(total - counter.Value());
        }
    }

private:
    Samples<prometheus::Counter> samples_;
};

class Histograms final : public HistogramFamily {
public:
    Histograms(prometheus::Family<prometheus::Histogram>& family, std::vector<double> buckets)
        : family_(family), buckets_(std::move(buckets)) {}
    void observe(const Labels& labels, double value) override {
        prometheus::Histogram*& sample = samples_[labels];
        if (sample == nullptr) {
            sample = &family_.Add(labels, buckets_);
        }
        sample->Observe(value);
    }

private:
    prometheus::Family<prometheus::Histogram>& family_;
    std::vector<double> buckets_;
    std::map<Labels, prometheus::Histogram*> samples_;
};

}  // namespace

struct Registry::Impl {
    prometheus::Registry registry;
    std::map<std::string, std::unique_ptr<GaugeFamily>> gauges;
    std::map<std::string, std::unique_ptr<CounterFamily>> counters;
    std::map<std::string, std::unique_ptr<HistogramFamily>> histograms;
};

Registry::Registry() : impl_(std::make_unique<Impl>()) {}
Registry::~Registry() = default;

GaugeFamily& Registry::gauge(const std::string& name, const std::string& help) {
    auto& family = impl_->gauges[name];
    if (!family) {
        family = std::make_unique<Gauges>(
            prometheus::BuildGauge().Name(name).Help(help).Register(impl_->registry)
        );
    }
    return *family;
}

CounterFamily& Registry::counter(const std::string& name, const std::string& help) {
    auto& family = impl_->counters[name];
    if (!family) {
        family = std::make_unique<Counters>(
            prometheus::BuildCounter().Name(name).Help(help).Register(impl_->registry)
        );
    }
    return *family;
}

HistogramFamily& Registry::histogram(
    const std::string& name, const std::string& help, const std::vector<double>& buckets
) {
    auto& family = impl_->histograms[name];
    if (!family) {
        family = std::make_unique<Histograms>(
            prometheus::BuildHistogram().Name(name).Help(help).Register(impl_->registry), buckets
        );
    }
    return *family;
}

std::string Registry::text() const {
    auto families = impl_->registry.Collect();
    std::sort(families.begin(), families.end(), [](const auto& a, const auto& b) {
        return a.name < b.name;
    });
    return prometheus::TextSerializer().Serialize(families);
}

}  // namespace steelyard::metrics
