#pragma once

#include "speaker/proxy/config.hpp"
#include "speaker/proxy/tables.hpp"

#include <optional>
#include <string>
#include <string_view>
#include <vector>

// The constant packet-filter rules round the virtual servers, in kube-proxy's chains: which packets
// carry a mark to their virtual server, what to masquerade, what to refuse, what to let through.
// Every rule is always there and matches ipsets, so no Service ever changes a rule. Rules are
// written as iptables-save prints them, which lets missing_rules() compare with what the node has.
namespace steelyard::proxy {

// Names in the kernel. In full mode they are kube-proxy's own; beside a running kube-proxy
// (load-balancer mode) ours must differ.
struct Names {
    std::string prefix = "KUBE";      // of sets and chains
    std::string link = "kube-ipvs0";  // the dummy link
    friend bool operator==(const Names&, const Names&) = default;
};
[[nodiscard]] Names names_for(Mode mode);

struct Chain {
    std::string name;
    std::vector<std::string> rules;  // without "-A <chain> "
};
struct Jump {
    std::string hook;  // built-in chain
    std::string target;
};
struct RuleTable {
    std::string name;  // nat, filter, mangle
    std::vector<Chain> chains;
    std::vector<Jump> jumps;  // ours come first in their hook, in this order
};

[[nodiscard]] std::vector<RuleTable> static_rules(const ProxyConfig& config, net::Family family);

// What iptables-restore --noflush has to be fed so that a node whose iptables-save printed `saved`
// has exactly these chains and each jump once; nullopt when it already has. A jump that leads from
// a built-in chain into one of ours in another form (kube-proxy comments its own) goes.
[[nodiscard]] std::optional<std::string> missing_rules(
    const std::vector<RuleTable>& rules, std::string_view saved
);
// Text that removes the chains and their jumps; empty when there are none. A chain that somebody
// else's chain leads into stays: emptied when it names a set, so that the set can go, else as is.
[[nodiscard]] std::string removal(const std::vector<RuleTable>& rules, std::string_view saved);

}  // namespace steelyard::proxy
