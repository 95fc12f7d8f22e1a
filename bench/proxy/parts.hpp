#pragma once

#include <functional>
#include <string>

// The parts of the benchmark in the lab's kernel; each prints what it found. README.md says what
// they do.
namespace steelyard::bench {

struct Settings {
    int rounds = 3;
    std::string speaker;  // the program
};

void bench_programming(const Settings& settings);
void bench_change(const Settings& settings);
void bench_audit(const Settings& settings);
void bench_restart(const Settings& settings);
void bench_routes(const Settings& settings);
void bench_packets(const Settings& settings);
void bench_apart(const Settings& settings);
void bench_memory(const Settings& settings);

// "  <what> <value><unit> (aim <= <aim>: yes)"
void tell_at_most(const char* what, double value, double aim, const char* unit);
void tell_at_least(const char* what, double value, double aim, const char* unit);

}  // namespace steelyard::bench
