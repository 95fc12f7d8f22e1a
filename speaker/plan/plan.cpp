#include "speaker/plan/plan.hpp"

#include "speaker/plan/endpoints.hpp"
#include "speaker/plan/suitability.hpp"

#include <algorithm>
#include <unordered_map>

namespace steelyard::speaker_plan {
namespace {

constexpr std::string_view kExcludeLabel =
    "node.kubernetes.io/exclude-from-external-load-balancers";

bool is_ours(const kube::Service& service, const std::string& load_balancer_class) {
    return service.type == kube::ServiceType::LoadBalancer &&
           service.load_balancer_class == load_balancer_class;
}

// While a MetalLB speaker is in the ring, or while nobody can tell, its order is the common one.
elect::Order common_order(const Snapshot& snapshot) {
    if (!snapshot.members) {
        return elect::Order::MetalLb;
    }
    const bool foreign = std::any_of(
        snapshot.members->begin(),
        snapshot.members->end(),
        [](const MemberView& member) {
            return member.state != MemberState::Left && !member.steelyard_capable;
        }
    );
    return foreign ? elect::Order::MetalLb : elect::Order::Rendezvous;
}

elect::NodeFacts facts_of(
    const kube::Node& node, const MemberView* member, const Snapshot& snapshot
) {
    elect::NodeFacts facts;
    facts.name = node.meta.key.name;
    if (member != nullptr) {
        facts.alive = member->state != MemberState::Left;
        facts.reachable = member->state != MemberState::Unreachable;
        facts.ready = member->ready || !member->steelyard_capable;
    } else if (!snapshot.members) {
        facts.alive = facts.reachable = facts.ready = true;
    }
    facts.network_unavailable = node.network_unavailable;
    facts.excluded_by_label =
        !snapshot.ignore_exclude_label && node.meta.labels.contains(kExcludeLabel);
    return facts;
}

// Turns addresses into questions, has them all elected together, and turns answers into plans.
class Planning {
public:
    explicit Planning(const Snapshot& snapshot)
        : snapshot_(snapshot),
          order_(common_order(snapshot)),
          endpoints_(snapshot.slices),
          suitability_(snapshot) {
        std::unordered_map<std::string, const MemberView*> members;
        if (snapshot.members) {
            for (const MemberView& member : *snapshot.members) {
                members.emplace(member.name, &member);
            }
        }
        for (const auto& [key, node] : snapshot.nodes) {
            const auto found = members.find(key.name);
            const MemberView* member = found == members.end() ? nullptr : found->second;
            nodes_.push_back(facts_of(*node, member, snapshot));
            suitability_.add_node(*node, member);
        }
    }

    Announcements run() {
        out_.order = order_;
        collect_addresses();
        for (auto& [address, planned] : out_.addresses) {
            ask(address, planned);
        }
        const auto winners = elect::elect_all(questions_, nodes_, order_);
        for (std::size_t i = 0; i < questions_.size(); ++i) {
            settle(questions_[i], winners[i]);
        }
        collect_silent();
        return std::move(out_);
    }

private:
    void collect_addresses() {
        for (const auto& [key, service] : snapshot_.services) {
            if (!is_ours(*service, snapshot_.load_balancer_class)) {
                continue;
            }
            for (const kube::LoadBalancerIngress& ingress : service->ingress) {
                if (!ingress.ip) {
                    continue;
                }
                auto& services = out_.addresses[*ingress.ip].services;
                if (services.empty() || services.back() != key) {
                    services.push_back(key);
                }
            }
        }
    }

    void ask(const net::IpAddress& address, AddressPlan& planned) {
        if (!snapshot_.config) {
            planned.reasons = Reasons{WhyNot::NoConfig, {}};
            return;
        }
        const config::Pool* pool = snapshot_.config->pool_of(address);
        if (pool == nullptr) {
            planned.reasons = Reasons{WhyNot::NotInPool, {}};
            return;
        }
        const Coverage& coverage = suitability_.coverage(pool->name, services_of(planned));
        if (coverage.advertisements.empty()) {
            planned.reasons = Reasons{WhyNot::NoAdvertisement, {}};
            return;
        }
        elect::Question question;
        question.address = address;
        question.fits = coverage.fits;
        if (!add_endpoints(planned, question)) {
            planned.reasons = Reasons{WhyNot::NoEndpoints, {}};
            return;
        }
        if (order_ == elect::Order::MetalLb) {
            question.metallb_key = first_address(planned);
        }
        planned.interfaces = suitability_.usable_here(coverage, address.family());
        questions_.push_back(std::move(question));
    }

    // False when no Service of the address has a serving endpoint.
    bool add_endpoints(const AddressPlan& planned, elect::Question& question) {
        const net::Family family = question.address.family();
        bool any = false;
        bool any_local = false;
        std::set<std::string> local;
        for (const kube::Service* service : services_of(planned)) {
            const auto* nodes = endpoints_.nodes(service->meta.key, family);
            if (nodes == nullptr) {
                continue;
            }
            any = true;
            if (service->external_traffic_policy == kube::TrafficPolicy::Local) {
                any_local = true;
                local.insert(nodes->begin(), nodes->end());
            }
        }
        if (any_local) {
            question.policy = elect::Policy::Local;
            for (std::size_t i = 0; i < nodes_.size(); ++i) {
                question.fits[i].has_local_endpoint = local.contains(nodes_[i].name);
            }
        }
        return any;
    }

    void settle(const elect::Question& question, std::optional<elect::NodeIndex> winner) {
        AddressPlan& planned = out_.addresses.at(question.address);
        if (!winner) {
            planned.interfaces.clear();
            planned.reasons = Reasons{WhyNot::NoCandidate, {}};
            for (std::size_t i = 0; i < nodes_.size(); ++i) {
                const auto reason = elect::exclusion(nodes_[i], question.fits[i], question.policy);
                if (reason) {
                    ++planned.reasons->excluded[*reason];
                }
            }
            return;
        }
        planned.owner = nodes_[*winner].name;
        planned.mine = planned.owner == snapshot_.node_name;
        if (!planned.mine) {
            planned.interfaces.clear();
            return;
        }
        if (snapshot_.servable && !snapshot_.servable->contains(question.address)) {
            planned.reasons = Reasons{WhyNot::NotServable, {}};
        } else if (planned.interfaces.empty()) {
            planned.reasons = Reasons{WhyNot::NoInterface, {}};
        } else {
            planned.announced_here = true;
        }
    }

    // A Service is silent when each of its addresses is; the first one's reasons stand for all.
    void collect_silent() {
        for (const auto& [key, service] : snapshot_.services) {
            if (!is_ours(*service, snapshot_.load_balancer_class)) {
                continue;
            }
            std::optional<Reasons> first;
            bool heard = false;
            for (const kube::LoadBalancerIngress& ingress : service->ingress) {
                if (ingress.ip) {
                    const auto& reasons = out_.addresses.at(*ingress.ip).reasons;
                    heard = heard || !reasons;
                    first = first ? first : reasons;
                }
            }
            if (!heard) {
                out_.silent.emplace(key, first.value_or(Reasons{WhyNot::NoAddress, {}}));
            }
        }
    }

    [[nodiscard]] std::vector<const kube::Service*> services_of(const AddressPlan& planned) const {
        std::vector<const kube::Service*> services;
        for (const kube::ObjectKey& key : planned.services) {
            services.push_back(snapshot_.services.at(key).get());
        }
        return services;
    }

    // MetalLB hashes the first address of a Service's status for all of its addresses.
    [[nodiscard]] std::optional<net::IpAddress> first_address(const AddressPlan& planned) const {
        const kube::Service& service = *snapshot_.services.at(planned.services.front());
        for (const kube::LoadBalancerIngress& ingress : service.ingress) {
            if (ingress.ip) {
                return ingress.ip;
            }
        }
        return std::nullopt;
    }

    const Snapshot& snapshot_;
    elect::Order order_;
    ServingEndpoints endpoints_;
    Suitability suitability_;
    std::vector<elect::NodeFacts> nodes_;
    std::vector<elect::Question> questions_;
    Announcements out_;
};

}  // namespace

Announcements plan(const Snapshot& snapshot) {
    return Planning(snapshot).run();
}

}  // namespace steelyard::speaker_plan
