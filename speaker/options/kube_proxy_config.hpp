#pragma once

#include "speaker/options/proxy_settings.hpp"

#include <string>
#include <string_view>
#include <vector>

// kube-proxy's configuration file (KubeProxyConfiguration, kubeproxy.config.k8s.io/v1alpha1), such
// as kubeadm keeps it in the ConfigMap kube-proxy under the key config.conf. Types are as strict as
// kube-proxy's own. A field that does not apply here, or that is unknown, is not followed and told;
// one left at nothing (0, "", null, false) or at kube-proxy's default has nothing to tell.
namespace steelyard::speaker {

// What stands in the file and is not followed.
struct Ignored {
    std::string field;
    std::string value;
    std::string why;
    friend bool operator==(const Ignored&, const Ignored&) = default;
};
[[nodiscard]] std::string to_string(const Ignored& ignored);

struct KubeProxyConfig {
    ProxySettings settings;
    std::vector<Ignored> ignored;
};

// A mistake: "LINE: FIELD: VALUE is not WANTED".
using Mistakes = std::vector<std::string>;

// Throws nothing, whatever the text. With `mistakes` not empty the result is not to be used.
[[nodiscard]] KubeProxyConfig read_kube_proxy_config(std::string_view text, Mistakes& mistakes);

// A file that says what `options` runs with, defaults included; what read_kube_proxy_config() reads
// from it gives the same options.
[[nodiscard]] std::string write_kube_proxy_config(const Options& options);

}  // namespace steelyard::speaker
