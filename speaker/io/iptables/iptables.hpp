#pragma once

#include "common/base/error.hpp"
#include "common/net/ip.hpp"
#include "common/rt/asio.hpp"

#include <optional>
#include <string>
#include <string_view>
#include <vector>

// iptables-save and iptables-restore as child processes. A node uses one of two back ends, legacy
// or nft, and rules in the other one go unseen by its tools: we follow kubelet, which leaves a
// chain named KUBE-... in the one it uses.
namespace steelyard::iptables {

enum class Variant { Legacy, Nft };
[[nodiscard]] std::string_view to_string(Variant variant);

// What one variant's iptables-save said, or that it could not.
struct Probe {
    Variant variant = Variant::Legacy;
    bool works = false;
    std::string saved;
    std::string error;
};
// The variant to try first: one that holds Kubernetes' chains, else nft if it works. Pure.
[[nodiscard]] std::vector<Variant> preference(const Probe& legacy, const Probe& nft);
// A line about rules of kube-proxy in the variant that will not be used: its tools do not show
// them, and packets pass both. Pure.
[[nodiscard]] std::optional<std::string> stray_rules(
    Variant used, const Probe& legacy, const Probe& nft
);

class Iptables {
public:
    // Settles the variant; an error names the missing program.
    awaitable<Result<>> start();
    awaitable<Result<std::string>> save(net::Family family);
    // iptables-restore --noflush: all of `text` or, a table at a time, nothing. When the preferred
    // variant cannot do it at all, the other one is tried and kept.
    awaitable<Result<>> restore(net::Family family, std::string text);
    [[nodiscard]] Variant variant() const { return candidates_.front(); }
    // One line each; valid after start().
    [[nodiscard]] const std::vector<std::string>& warnings() const { return warnings_; }

private:
    std::vector<Variant> candidates_;
    std::vector<std::string> warnings_;
    bool proven_ = false;  // a restore succeeded with candidates_.front()
};

}  // namespace steelyard::iptables
