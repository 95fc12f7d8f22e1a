#include "speaker/plan/plan.hpp"

#include "speaker/plan/planning.hpp"

#include <algorithm>

namespace steelyard::speaker_plan {
namespace {

// MetalLB hashes the first address of a Service's status for all of its addresses.
std::optional<net::IpAddress> first_address(const kube::Service& service) {
    for (const kube::LoadBalancerIngress& ingress : service.ingress) {
        if (ingress.ip) {
            return ingress.ip;
        }
    }
    return std::nullopt;
}

}  // namespace

bool AddressPlan::carries(const kube::ObjectKey& service) const {
    return std::find(passengers.begin(), passengers.end(), service) == passengers.end();
}

Planning::Planning(const Snapshot& snapshot)
    : snapshot_(snapshot), ring_(snapshot), endpoints_(snapshot.slices, ring_.numbers()) {
    if (snapshot.config) {
        suitability_.emplace(snapshot, ring_);
    }
    facts_.order = ring_.order();
    facts_.nodes = ring_.facts();
    out_.order = ring_.order();
}

void Planning::run() {
    collect_services();
    collect_addresses();
    for (std::size_t row = 0; row < rows_.size();) {
        const net::IpAddress& address = rows_[row].address;
        std::size_t end = row;
        AddressPlan& planned =
            out_.addresses.emplace_hint(out_.addresses.end(), address, AddressPlan{})->second;
        for (; end < rows_.size() && rows_[end].address == address; ++end) {
            planned.services.push_back(*services_[rows_[end].service].key);
        }
        ask(address, row, end, planned);
        row = end;
    }
    if (suitability_) {
        facts_.fits = suitability_->take_fits();
    }
    const auto winners = elect::elect_all(facts_, questions_);
    for (std::size_t i = 0; i < questions_.size(); ++i) {
        settle(i, winners[i]);
    }
    collect_silent();
}

void Planning::collect_services() {
    for (const auto& [key, service] : snapshot_.services) {
        if (service->type == kube::ServiceType::LoadBalancer &&
            service->load_balancer_class == snapshot_.load_balancer_class) {
            services_.push_back({&key, service.get()});
        }
    }
}

void Planning::collect_addresses() {
    for (std::size_t i = 0; i < services_.size(); ++i) {
        for (const kube::LoadBalancerIngress& ingress : services_[i].service->ingress) {
            if (ingress.ip) {
                rows_.push_back({*ingress.ip, i});
            }
        }
    }
    std::sort(rows_.begin(), rows_.end());
    rows_.erase(std::unique(rows_.begin(), rows_.end()), rows_.end());
}

void Planning::ask(
    const net::IpAddress& address, std::size_t row, std::size_t end, AddressPlan& planned
) {
    if (!suitability_) {
        planned.reasons = Reasons{WhyNot::NoConfig, {}};
        return;
    }
    const auto pool = suitability_->pool_of(address);
    if (!pool) {
        planned.reasons = Reasons{WhyNot::NotInPool, {}};
        return;
    }
    Advertisements united;
    std::vector<const kube::Service*> carriers;  // advertised, and something serves them
    bool only_bgp = false;
    for (; row < end; ++row) {
        const kube::Service& service = *services_[rows_[row].service].service;
        const Advertisements covering = suitability_->advertisements(*pool, service);
        united.insert(united.end(), covering.begin(), covering.end());
        const bool serves = endpoints_.nodes(service.meta.key, address.family()) != nullptr;
        if (serves && !covering.empty()) {
            carriers.push_back(&service);
        } else {
            planned.passengers.push_back(service.meta.key);
            only_bgp = only_bgp || suitability_->is_for_bgp(*pool, service);
        }
    }
    std::sort(united.begin(), united.end());
    united.erase(std::unique(united.begin(), united.end()), united.end());
    if (carriers.empty()) {
        auto why = only_bgp ? WhyNot::OnlyBgp : WhyNot::NoAdvertisement;
        if (!united.empty()) {
            why = WhyNot::NoEndpoints;
        }
        planned.reasons = Reasons{why, {}};
        return;
    }
    const Coverage& coverage = suitability_->coverage(united, address.family());
    elect::Question question;
    question.address = address;
    question.fits = coverage.fits;
    question.unservable = ring_.unservable(address);
    add_local(question, carriers);
    if (facts_.order == elect::Order::MetalLb) {
        question.metallb_key = first_address(*carriers.front());
    }
    questions_.push_back(std::move(question));
    asked_.push_back({&planned, &coverage});
}

// A node that serves more of the Local Services that share the address is the better one: on the
// others a part of the traffic would find no endpoint.
void Planning::add_local(
    elect::Question& question, const std::vector<const kube::Service*>& carriers
) {
    std::map<elect::NodeIndex, std::uint32_t> services;
    bool any = false;
    for (const kube::Service* service : carriers) {
        if (service->external_traffic_policy == kube::TrafficPolicy::Local) {
            any = true;
            const auto* nodes = endpoints_.nodes(service->meta.key, question.address.family());
            for (const elect::NodeIndex node : *nodes) {
                ++services[node];
            }
        }
    }
    if (any) {
        question.local.emplace();
        for (const auto& [node, count] : services) {
            question.local->push_back({node, count});
        }
    }
}

void Planning::settle(std::size_t i, std::optional<elect::NodeIndex> winner) {
    AddressPlan& planned = *asked_[i].plan;
    if (!winner) {
        planned.reasons = why_nobody(questions_[i]);
        return;
    }
    planned.owner = name_of(*winner);
    planned.mine = *planned.owner == snapshot_.node_name;
    if (!planned.mine) {
        return;
    }
    planned.interfaces = asked_[i].coverage->usable;
    planned.every_interface = asked_[i].coverage->every_interface;
    if (snapshot_.servable && !snapshot_.servable->contains(questions_[i].address)) {
        planned.reasons = Reasons{WhyNot::NotServable, {}};
    } else if (planned.interfaces.empty()) {
        planned.reasons = Reasons{WhyNot::NoInterface, {}};
    } else {
        planned.announced_here = true;
    }
}

Reasons Planning::why_nobody(const elect::Question& question) {
    // While the ring forms this is the answer to every question, and mostly the same one.
    const bool common =
        !question.local && question.unservable.empty() && facts_.order == elect::Order::Rendezvous;
    if (common) {
        const auto known = nobody_by_fits_.find(question.fits);
        if (known != nobody_by_fits_.end()) {
            return known->second;
        }
    }
    Reasons reasons{WhyNot::NoCandidate, {}};
    for (const elect::Exclusion& entry : elect::explain(facts_, question, std::nullopt).excluded) {
        ++reasons.excluded[entry.reason];
    }
    if (common) {
        nobody_by_fits_.emplace(question.fits, reasons);
    }
    return reasons;
}

// A Service is silent when each of its addresses is; the first one's reasons stand for all. Where
// BGP is meant, silence on the wire is no news.
void Planning::collect_silent() {
    for (const Own& own : services_) {
        std::optional<Reasons> first;
        bool heard = false;
        for (const kube::LoadBalancerIngress& ingress : own.service->ingress) {
            if (ingress.ip && !heard) {
                const auto& reasons = out_.addresses.at(*ingress.ip).reasons;
                heard = !reasons || reasons->why_not == WhyNot::OnlyBgp;
                if (!first) {
                    first = reasons;
                }
            }
        }
        if (!heard) {
            out_.silent.emplace_hint(
                out_.silent.end(), *own.key, first.value_or(Reasons{WhyNot::NoAddress, {}})
            );
        }
    }
}

std::optional<elect::Verdict> Planning::verdict(const net::IpAddress& address) const {
    for (const elect::Question& question : questions_) {
        if (question.address == address) {
            const auto& owner = out_.addresses.at(address).owner;
            std::optional<elect::NodeIndex> winner;
            if (owner) {
                winner = ring_.numbers().at(*owner);
            }
            return elect::explain(facts_, question, winner);
        }
    }
    return std::nullopt;
}

Announcements plan(const Snapshot& snapshot) {
    Planning planning(snapshot);
    planning.run();
    return planning.take();
}

}  // namespace steelyard::speaker_plan
