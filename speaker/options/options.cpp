#include "speaker/options/options.hpp"

#include "speaker/options/kube_proxy_config.hpp"
#include "speaker/options/network_flags.hpp"
#include "speaker/options/proxy_flags.hpp"

#include <CLI/CLI.hpp>
#include <map>

namespace steelyard::speaker {
namespace {

// A flag whose value may come from an environment variable.
struct Fallback {
    const char* flag;
    const char* variable;
    std::string* value;
};

const std::map<std::string, proxy::Mode>& proxy_modes() {
    static const std::map<std::string, proxy::Mode> kModes{
        {"full", proxy::Mode::Full},
        {"ipvs", proxy::Mode::Full},  // as kube-proxy calls it
        {"load-balancer", proxy::Mode::LoadBalancer},
        {"announce-only", proxy::Mode::AnnounceOnly},
    };
    return kModes;
}

Result<> check(const Options& options) {
    const auto wrong = [](const char* line) {
        return make_error(Errc::Invalid, line);
    };
    if (options.init_only || options.cleanup) {
        return {};  // neither announces anything
    }
    if (options.node_name.empty()) {
        return wrong("--node-name (or METALLB_NODE_NAME) is required: the name of this Node object"
        );
    }
    if (!options.gossip_address) {
        return {};
    }
    if (options.gossip_labels.empty() && options.gossip_peers.empty()) {
        return wrong(
            "--ml-labels (or METALLB_ML_LABELS) is required with --ml-bindaddr: the labels of the "
            "speaker pods, such as app=metallb,component=speaker; or --ml-peers names them"
        );
    }
    if (options.gossip_key_path.empty() && !options.gossip_insecure) {
        return wrong(
            "--ml-secret-key-path (or METALLB_ML_SECRET_KEY_PATH) is required with --ml-bindaddr: "
            "the folder where the Secret with the gossip key is mounted; --ml-insecure does "
            "without a key, and then anybody on the network can take addresses away"
        );
    }
    if (!options.gossip_key_path.empty() && options.gossip_insecure) {
        return wrong(
            "--ml-insecure: there is a key in --ml-secret-key-path (or METALLB_ML_SECRET_KEY_PATH);"
            " leave one of the two out"
        );
    }
    if (options.watch_ring && options.watch_ring_port == options.gossip_port) {
        return wrong("--watch-ring-port: must differ from --ml-bindport");
    }
    return {};
}

// CLI11 takes "--flag=" for a flag without its value; people mean the empty text.
std::vector<std::string> with_empty_values(const std::vector<std::string>& arguments) {
    std::vector<std::string> split;
    for (const std::string& argument : arguments) {
        if (argument.starts_with("--") && argument.find('=') == argument.size() - 1) {
            split.push_back(argument.substr(0, argument.size() - 1));
            split.emplace_back();
        } else {
            split.push_back(argument);
        }
    }
    return split;
}

// Everything on the command line.
class CommandLine {
public:
    CommandLine() : app_("Announces load balancer addresses and programs this node's Services.") {
        app_.name("steelyard-speaker");
        app_.set_version_flag("--version", "steelyard-speaker " SY_VERSION);
        add_general();
        add_network_flags(app_, options_, texts_);
        proxy_flags_.add_to(app_);
    }

    [[nodiscard]] std::optional<daemon::Ending> parse(const std::vector<std::string>& arguments) {
        return daemon::parse_flags(app_, with_empty_values(arguments));
    }

    // Every mistake a line.
    [[nodiscard]] std::vector<std::string> finish(Environment environment, ReadFile read_file) {
        fill_from(environment);
        options_.proxy.mode = proxy_modes().at(mode_);
        ProxySettings told;
        if (auto good = proxy_flags_.read(told); !good) {
            return {good.error().context};
        }
        options_.notes = proxy_flags_.ignored();
        if (!config_file_.empty()) {
            ProxySettings file;
            if (auto mistakes = read_config(read_file, file); !mistakes.empty()) {
                return mistakes;
            }
            told = laid_over(told, file);
        }
        Result<> good = apply_network_flags(texts_, options_);
        if (good) {
            good = apply_settings(told, options_);
        }
        if (good) {
            options_.proxy.answer_ping = options_.answer_ping != AnswerPing::Off;
            good = check(options_);
        }
        return good ? std::vector<std::string>{} : std::vector{good.error().context};
    }

    [[nodiscard]] Options& options() { return options_; }

private:
    void add_general() {
        const CLI::IsMember levels({"all", "debug", "info", "warn", "error", "none"});
        const CLI::IsMember modes({"full", "load-balancer", "announce-only", "ipvs"});
        app_.add_option(
            "--node-name,--hostname-override",
            options_.node_name,
            "name of this Node ($METALLB_NODE_NAME)"
        );
        app_.add_option(
            "--namespace", options_.ns, "namespace of our objects ($METALLB_NAMESPACE)"
        );
        app_.add_option("--pod-name", options_.pod_name, "name of this pod ($METALLB_POD_NAME)");
        app_.add_option("--kubeconfig", options_.kubeconfig, "kubeconfig; in-cluster without it");
        app_.add_option("--log-level", options_.log_level, levels.get_description())->check(levels);
        app_.add_option("--lb-class", options_.load_balancer_class, "only Services of this class");
        app_.add_flag(
            "--ignore-exclude-lb", options_.ignore_exclude_label, "announce from excluded nodes too"
        );
        app_.add_option("--port", options_.metrics_port, "port of /metrics; 0 turns it off");
        app_.add_option("--health-probe-port", options_.health_port, "of /healthz, on 127.0.0.1");
        app_.add_option(
                "--proxy-mode", mode_, modes.get_description() + "; ipvs is the same as full"
        )
            ->check(modes);
        app_.add_option("--config", config_file_, "file with a KubeProxyConfiguration");
        app_.add_option(
            "--write-config-to",
            options_.write_config_to,
            "write a KubeProxyConfiguration with what is in force to this file, and end"
        );
        app_.add_flag("--init-only", options_.init_only, "write this node's settings, and end");
        app_.add_flag(
            "--cleanup", options_.cleanup, "take everything of ours out of the kernel, and end"
        );
    }

    void fill_from(Environment environment) {
        for (const Fallback& fallback : {
                 Fallback{"--node-name", "METALLB_NODE_NAME", &options_.node_name},
                 Fallback{"--namespace", "METALLB_NAMESPACE", &options_.ns},
                 Fallback{"--pod-name", "METALLB_POD_NAME", &options_.pod_name},
                 Fallback{"--ml-bindaddr", "METALLB_ML_BIND_ADDR", &texts_.bind_address},
                 Fallback{"--ml-bindport", "METALLB_ML_BIND_PORT", &texts_.bind_port},
                 Fallback{"--ml-labels", "METALLB_ML_LABELS", &options_.gossip_labels},
                 Fallback{
                     "--ml-secret-key-path",
                     "METALLB_ML_SECRET_KEY_PATH",
                     &options_.gossip_key_path},
             }) {
            daemon::fill_from_environment(
                app_, fallback.flag, fallback.variable, *fallback.value, environment
            );
        }
    }

    [[nodiscard]] std::vector<std::string> read_config(
        ReadFile read_file, ProxySettings& settings
    ) {
        const auto text = read_file(config_file_);
        if (!text) {
            return {"--config: " + text.error().context};
        }
        Mistakes mistakes;
        KubeProxyConfig config = read_kube_proxy_config(*text, mistakes);
        if (!mistakes.empty()) {
            for (std::string& line : mistakes) {
                line.insert(0, config_file_ + ":");
            }
            return mistakes;
        }
        for (const Ignored& ignored : config.ignored) {
            options_.notes.push_back(config_file_ + ": " + to_string(ignored));
        }
        if (options_.node_name.empty()) {
            options_.node_name = config.settings.node_name.value_or("");
        }
        take_kubeconfig(read_file, config.settings.kubeconfig.value_or(""));
        if (options_.proxy.mode != proxy::Mode::Full) {
            // The file is that of a kube-proxy beside us, and so are these ports.
            config.settings.bind_address.reset();
            config.settings.healthz_bind.reset();
            config.settings.metrics_bind.reset();
        }
        settings = std::move(config.settings);
        return {};
    }

    // kubeadm's ConfigMap has a kubeconfig beside the file, named by the path it has in
    // kube-proxy's pod. In ours it may lie elsewhere or not at all, and the pod's own credentials
    // are better.
    void take_kubeconfig(ReadFile read_file, const std::string& path) {
        if (path.empty() || !options_.kubeconfig.empty()) {
            return;
        }
        if (read_file(path)) {
            options_.kubeconfig = path;
        } else {
            const Ignored ignored{
                "clientConnection.kubeconfig",
                shown(path),
                "there is no such file; this pod's own account is used"};
            options_.notes.push_back(config_file_ + ": " + to_string(ignored));
        }
    }

    CLI::App app_;
    Options options_;
    NetworkTexts texts_;
    ProxyFlags proxy_flags_;
    std::string mode_ = "full";
    std::string config_file_;
};

}  // namespace

Parsed parse_options(
    const std::vector<std::string>& arguments, Environment environment, ReadFile read_file
) {
    CommandLine line;
    if (const auto ending = line.parse(arguments)) {
        return ending->exit_status == 0
                   ? Parsed{std::nullopt, ending->text, 0}
                   : Parsed{std::nullopt, "steelyard-speaker: " + ending->text + "\n", 2};
    }
    const auto mistakes = line.finish(environment, read_file);
    if (mistakes.empty()) {
        return {line.options(), "", 0};
    }
    std::string output;
    for (const std::string& mistake : mistakes) {
        output += "steelyard-speaker: " + mistake + "\n";
    }
    return {std::nullopt, output, 2};
}

}  // namespace steelyard::speaker
