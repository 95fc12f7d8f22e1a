#pragma once

#include "speaker/proxy/rules/testing/expected.hpp"
#include "speaker/proxy/rules/testing/scene.hpp"
#include "speaker/proxy/rules/testing/tracer.hpp"

#include <functional>
#include <string>
#include <vector>

// Plays all cases of the matrix through a tracer and judges them. Tests only.
namespace steelyard::proxy::oracle {

// A way to run the proxy, and the cases' fields that it decides.
struct Setting {
    Case fields;
    ProxyConfig config;
};
// Every way to know a pod, with and without masqueradeAll; where it matters, with and without the
// node's own pod ranges.
[[nodiscard]] std::vector<Setting> all_settings();

// "" when the packet fares as expected, else what was wrong, with the rules it met.
[[nodiscard]] std::string fault(
    const Case& c,
    const Variant& variant,
    const Host& host,
    const Packet& packet,
    const Tracer& tracer
);

// Every client, frontend, policy and place of endpoints: `judge` gets each case's fault or "", and
// says whether to go on. True when it never said no.
bool play(
    const Setting& setting,
    const Variant& variant,
    const Tracer& tracer,
    const std::function<bool(const std::string& fault)>& judge
);

}  // namespace steelyard::proxy::oracle
