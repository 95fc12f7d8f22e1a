#include "controller/certs/bundle.hpp"

#include <algorithm>
#include <utility>

namespace steelyard::certs {
namespace {

// Two thirds into the time a certificate was made for.
WallTime due(const Validity& validity, const Policy& policy) {
    const auto lifetime = std::max(validity.length() - policy.backdate, std::chrono::seconds(0));
    return validity.to - lifetime / 3;
}

Validity from_now(std::chrono::seconds lifetime, const Policy& policy, WallTime now) {
    return Validity{now - policy.backdate, now + lifetime};
}

// When the last certificate of the former authorities runs out; an unreadable one binds nobody.
WallTime former_until(const Bundle& bundle) {
    const auto retired = validity_of(bundle.retired_leaf);
    return retired ? retired->to : WallTime{};
}

Result<Bundle> with_new_leaf(
    Bundle bundle, const std::vector<std::string>& names, const Policy& policy, WallTime now
) {
    auto leaf = issue(bundle.authority, names, from_now(policy.leaf, policy, now));
    if (!leaf) {
        return leaf.error();
    }
    bundle.leaf = std::move(*leaf);
    return bundle;
}

}  // namespace

std::string_view to_string(Step step) {
    switch (step) {
        case Step::Keep:
            return "keep";
        case Step::NewLeaf:
            return "new certificate";
        case Step::NewNext:
            return "next authority, trusted first";
        case Step::Switch:
            return "next authority signs";
        case Step::Forget:
            return "former authorities are no longer trusted";
    }
    return "";
}

Result<Decision> next_step(
    const Bundle& bundle,
    const Policy& policy,
    std::optional<WallTime> published_since,
    WallTime now
) {
    const auto leaf = validity_of(bundle.leaf.certificate);
    const auto authority = validity_of(bundle.authority.certificate);
    if (!leaf || !authority) {
        return make_error(Errc::Invalid, "a bundle with a certificate that cannot be read");
    }
    Decision decision;
    decision.look_again = WallTime::max();
    const auto at = [&](Step step, WallTime when) {
        if (decision.step == Step::Keep && when <= now) {
            decision.step = step;
        }
        decision.look_again = std::min(decision.look_again, when);
    };
    if (bundle.next && published_since) {
        at(Step::Switch, *published_since + policy.settle);
    }
    // A certificate cannot outlive its authority: then another one would gain nothing.
    if (leaf->to < authority->to) {
        at(Step::NewLeaf, due(*leaf, policy));
    }
    if (!bundle.next) {
        at(Step::NewNext, due(*authority, policy));
    }
    if (!bundle.former.empty()) {
        at(Step::Forget, former_until(bundle));
    }
    return decision;
}

Result<Bundle> make_bundle(
    const std::vector<std::string>& names, const Policy& policy, WallTime now
) {
    auto authority = make_authority(from_now(policy.authority, policy, now));
    if (!authority) {
        return authority.error();
    }
    Bundle bundle;
    bundle.authority = std::move(*authority);
    return with_new_leaf(std::move(bundle), names, policy, now);
}

Result<Bundle> take(
    Step step,
    Bundle bundle,
    const std::vector<std::string>& names,
    const Policy& policy,
    WallTime now
) {
    switch (step) {
        case Step::Keep:
            break;
        case Step::NewLeaf:
            return with_new_leaf(std::move(bundle), names, policy, now);
        case Step::NewNext: {
            auto next = make_authority(from_now(policy.authority, policy, now));
            if (!next) {
                return next.error();
            }
            bundle.next = std::move(*next);
            break;
        }
        case Step::Switch: {
            if (!bundle.next) {
                return make_error(Errc::Invalid, "there is no next authority to switch to");
            }
            bundle.former.insert(bundle.former.begin(), bundle.authority.certificate);
            bundle.retired_leaf = bundle.leaf.certificate;
            bundle.authority = *std::exchange(bundle.next, std::nullopt);
            return with_new_leaf(std::move(bundle), names, policy, now);
        }
        case Step::Forget:
            bundle.former.clear();
            bundle.retired_leaf.clear();
            break;
    }
    return bundle;
}

std::vector<std::string> service_names(const std::string& service, const std::string& ns) {
    const std::string name = service + "." + ns;
    return {name + ".svc", name + ".svc.cluster.local", name};
}

}  // namespace steelyard::certs
