#include "speaker/proxy/rules/testing/play.hpp"

#include <algorithm>
#include <array>
#include <optional>

namespace steelyard::proxy::oracle {
namespace {

using net::Endpoint;
using Kind = LocalDetection::Kind;

constexpr std::array kKinds{
    Kind::None,
    Kind::ClusterCidr,
    Kind::NodeCidr,
    Kind::BridgeInterface,
    Kind::InterfaceNamePrefix};
constexpr std::array kClients{
    Client::PodHere, Client::PodElsewhere, Client::Node, Client::External};
constexpr std::array kFrontends{
    Frontend::ClusterIp, Frontend::NodePort, Frontend::ExternalIp, Frontend::LoadBalancer};

std::vector<Endpoint> endpoints_of(const Case& c, const Variant& variant, Reaches reaches) {
    const Places& where = places(variant.family);
    std::vector<Endpoint> found;
    if (c.endpoints_here && reaches <= Reaches::Here) {
        found.push_back({where.endpoint_here, variant.endpoint_port});
    }
    if (c.endpoints_elsewhere && reaches == Reaches::All) {
        found.push_back({where.endpoint_there, variant.endpoint_port});
    }
    return found;
}

std::optional<Source> seen(const Ending& ending, const Packet& packet, const Host& host) {
    if (ending.masqueraded || host.addresses.contains(ending.source)) {
        return Source::Node;
    }
    return ending.source == packet.source.address && packet.in != ""
               ? std::optional(Source::Kept)
               : std::nullopt;  // a virtual address
}

}  // namespace

std::vector<Setting> all_settings() {
    std::vector<Setting> settings;
    for (const Kind kind : kKinds) {
        for (const bool known : {false, true}) {
            if (!known && kind != Kind::ClusterCidr && kind != Kind::None) {
                continue;  // nobody asks
            }
            for (const bool masquerade_all : {false, true}) {
                Setting setting;
                setting.fields.detect = kind;
                setting.fields.node_pod_cidrs_known = known;
                setting.fields.masquerade_all = masquerade_all;
                setting.config = config_of(kind, known, masquerade_all);
                settings.push_back(std::move(setting));
            }
        }
    }
    return settings;
}

std::string fault(
    const Case& c,
    const Variant& variant,
    const Host& host,
    const Packet& packet,
    const Tracer& tracer
) {
    const Answer answer = expected(c);
    const std::vector<Ending> endings = tracer.trace(host, packet);
    std::vector<Endpoint> reached;
    for (const Ending& ending : endings) {
        const auto wrong = [&](const std::string& what) {
            return to_string(c) + "; " + to_string(variant) + "\nexpected: " + to_string(answer) +
                   "\n" + what + "\n" + ending.log;
        };
        switch (ending.verdict) {
            case Verdict::Refused:
            case Verdict::Dropped: {
                const Reaches reaches =
                    ending.verdict == Verdict::Refused ? Reaches::Refused : Reaches::Dropped;
                if (answer.reaches != reaches) {
                    return wrong(reaches == Reaches::Refused ? "is refused" : "is dropped");
                }
                return "";
            }
            case Verdict::Delivered:
                return wrong("reaches the host");
            case Verdict::Forwarded:
                return wrong("is forwarded");
            case Verdict::Sent:
                break;
        }
        reached.push_back(ending.real_server);
        const bool itself = ending.real_server.address == packet.source.address;
        const Source source = itself ? Source::Node : answer.source;
        if (seen(ending, packet, host) != source) {
            return wrong("source of " + net::to_string(ending.real_server));
        }
        if (ending.mark != 0 && !itself) {  // to itself: it goes no further than this node
            return wrong("the packet leaves with a mark");
        }
    }
    std::sort(reached.begin(), reached.end());
    std::vector<Endpoint> wanted = endpoints_of(c, variant, answer.reaches);
    std::sort(wanted.begin(), wanted.end());
    if (reached != wanted || wanted.empty()) {
        std::string text = to_string(c) + "; " + to_string(variant) +
                           "\nexpected: " + to_string(answer) + "\nreaches:";
        for (const Endpoint& endpoint : reached) {
            text += " " + net::to_string(endpoint);
        }
        return text + "\n" + (endings.empty() ? "" : endings.front().log);
    }
    return "";
}

bool play(
    const Setting& setting,
    const Variant& variant,
    const Tracer& tracer,
    const std::function<bool(const std::string& fault)>& judge
) {
    for (unsigned service = 0; service < 16; ++service) {
        Case c = setting.fields;
        c.external_local = (service & 1) != 0;
        c.internal_local = (service & 2) != 0;
        c.endpoints_here = (service & 4) != 0;
        c.endpoints_elsewhere = (service & 8) != 0;
        const Host host = host_of(c, variant, setting.config);
        Case outside = c;
        outside.outside_ranges = variant.restricted;
        const Host barred = variant.restricted ? host_of(outside, variant, setting.config) : host;
        for (const Client client : kClients) {
            for (const Frontend frontend : kFrontends) {
                c.client = outside.client = client;
                c.frontend = outside.frontend = frontend;
                const Packet packet = packet_of(c, variant, host);
                if (!judge(fault(c, variant, host, packet, tracer)) ||
                    !judge(fault(outside, variant, barred, packet, tracer))) {
                    return false;
                }
                const bool itself = client == Client::PodHere && c.endpoints_here;
                if (itself && !variant.restricted &&
                    !judge(fault(c, variant, host, packet_of(c, variant, host, true), tracer))) {
                    return false;
                }
            }
        }
    }
    return true;
}

}  // namespace steelyard::proxy::oracle
