#include "controller/admission/change.hpp"

#include "common/config/communities.hpp"
#include "common/config/validate.hpp"
#include "controller/admission/conversion.hpp"
#include "controller/admission/json_access.hpp"

#include <algorithm>
#include <cctype>
#include <set>
#include <tuple>
#include <utility>

namespace steelyard::admission {
namespace {

using config::Kind;
using config::Objects;
using config::Problem;
using nlohmann::json;

// What makes a mistake the same one before and after: not its place in a list, since that moves
// when something else is taken out, and not the advice, which names other objects.
using Identity = std::tuple<Kind, kube::ObjectKey, std::string, std::string>;

Identity identity(const Problem& problem) {
    std::string field = problem.field;
    field.erase(
        std::remove_if(
            field.begin(), field.end(), [](unsigned char c) { return std::isdigit(c) != 0; }
        ),
        field.end()
    );
    return {problem.kind, problem.key, std::move(field), problem.value};
}

// Of `after`, those that `before` has not; as often as it has not.
std::vector<Problem> brought_about(
    const std::vector<Problem>& before, const std::vector<Problem>& after
) {
    std::multiset<Identity> known;
    for (const Problem& problem : before) {
        known.insert(identity(problem));
    }
    std::vector<Problem> fresh;
    for (const Problem& problem : after) {
        const auto same = known.find(identity(problem));
        if (same == known.end()) {
            fresh.push_back(problem);
        } else {
            known.erase(same);
        }
    }
    return fresh;
}

// For looking up many in many.
class ProblemSet {
public:
    explicit ProblemSet(const std::vector<Problem>& problems) {
        for (const Problem& problem : problems) {
            all_.insert(as_tuple(problem));
        }
    }
    [[nodiscard]] bool contains(const Problem& problem) const {
        return all_.contains(as_tuple(problem));
    }

private:
    using Tuple = std::tuple<Kind, kube::ObjectKey, std::string, std::string, std::string>;
    static Tuple as_tuple(const Problem& p) {
        return {p.kind, p.key, p.field, p.value, p.accepted};
    }
    std::set<Tuple> all_;
};

// The field of the first list that is longer than any of our definitions in crds/ allows; "" when
// there is none. A caller that is no API server could otherwise keep us busy for hours.
std::string too_long(const json& value, const std::string& field) {
    constexpr std::size_t kMaxItems = 4096;
    if (!value.is_structured()) {
        return "";
    }
    if (value.is_array() && value.size() > kMaxItems) {
        return field + ": a list of " + std::to_string(value.size()) + ", give at most " +
               std::to_string(kMaxItems);
    }
    for (const auto& [name, child] : value.items()) {
        const std::string place = value.is_array() ? "[" + name + "]" : "." + name;
        std::string found = too_long(child, child.is_structured() ? field + place : "");
        if (!found.empty()) {
            return found;
        }
    }
    return "";
}

template <class T>
Result<T> decode(const json& object) {
    return kube::Resource<T>::decode(object);
}

// Of both versions: the rules see v1beta2 only.
template <>
Result<kube::BgpPeer> decode<kube::BgpPeer>(const json& object) {
    auto peer = convert_peer(object, "metallb.io/v1beta2");
    if (!peer) {
        return peer.error();
    }
    return kube::Resource<kube::BgpPeer>::decode(*peer);
}

template <class T>
Result<T> read(const json& object, const kube::ObjectKey& key) {
    const std::string wrong = too_long(member(object, "spec"), "spec");
    if (!wrong.empty()) {
        const std::string kind(kube::Resource<T>::kType.kind);
        return make_error(Errc::Invalid, kind + " " + to_string(key) + ": " + wrong);
    }
    return decode<T>(object);
}

// Stands in for what an object names and what may come right after it, so that only the mistakes
// that would stay are left.
template <class T>
void add_stand_ins(const T&, Objects&) {}

template <>
void add_stand_ins<kube::BgpPeer>(const kube::BgpPeer& peer, Objects& objects) {
    auto& profiles = objects.bfd_profiles;
    const auto is_it = [&](const kube::BfdProfile& profile) {
        return profile.meta.key.name == peer.bfd_profile;
    };
    if (std::none_of(profiles.begin(), profiles.end(), is_it)) {
        kube::BfdProfile profile;
        profile.meta.key = {peer.meta.key.ns, peer.bfd_profile};
        profiles.push_back(std::move(profile));
    }
    auto& secrets = objects.secrets;
    const auto is_its_secret = [&](const kube::Secret& secret) {
        return secret.meta.key.name == peer.password_secret;
    };
    if (secrets && std::none_of(secrets->begin(), secrets->end(), is_its_secret)) {
        kube::Secret secret;
        secret.meta.key = {peer.meta.key.ns, peer.password_secret};
        secret.type = kube::kBasicAuth;
        secret.password = "to follow";
        secrets->push_back(std::move(secret));
    }
}

// Text with a colon is meant as a community, not as the name of one.
template <>
void add_stand_ins<kube::BgpAdvertisement>(
    const kube::BgpAdvertisement& advertisement, Objects& objects
) {
    std::set<std::string> known;
    for (const kube::Community& community : objects.communities) {
        for (const kube::Community::Alias& alias : community.communities) {
            known.insert(alias.name);
        }
    }
    kube::Community to_follow;
    to_follow.meta.key = {advertisement.meta.key.ns, "(to follow)"};  // no name of an object
    for (const std::string& text : advertisement.communities) {
        if (text.find(':') == std::string::npos && !config::parse_community(text) &&
            known.insert(text).second) {
            to_follow.communities.push_back({text, "64512:1"});
        }
    }
    objects.communities.push_back(std::move(to_follow));
}

template <class T>
void remove(const kube::ObjectKey& key, std::vector<T>& list) {
    list.erase(
        std::remove_if(
            list.begin(),
            list.end(),
            [&](const T& object) { return object.meta.key.name == key.name; }
        ),
        list.end()
    );
}

void tell(
    const std::vector<Problem>& problems, const Change& change, std::vector<std::string>& lines
) {
    for (const Problem& problem : problems) {
        const bool own = problem.kind == change.kind && problem.key == change.key;
        lines.push_back(own ? to_string(problem) : "this would break " + to_string(problem));
    }
}

template <class T>
class Judge {
public:
    Judge(const Change& change, const Snapshot& snapshot, std::vector<T> Objects::*list)
        : change_(change), snapshot_(snapshot), list_(list), others_(snapshot.objects) {
        remove(change.key, others_.*list_);
    }

    Verdict judge() {
        Objects before = others_;
        std::optional<Error> unreadable_before;
        if (!change_.before.is_null()) {
            auto object = read<T>(change_.before, change_.key);
            if (object) {
                (before.*list_).push_back(std::move(*object));
            } else {
                unreadable_before = object.error();
            }
        }
        if (change_.after.is_null()) {
            compare(before, others_, nullptr);
            return std::move(verdict_);
        }
        auto object = read<T>(change_.after, change_.key);
        if (!object) {
            const bool same = unreadable_before && *unreadable_before == object.error();
            auto& lines = same ? verdict_.warnings : verdict_.refusals;
            lines.push_back(object.error().context);
            return std::move(verdict_);
        }
        Objects after = others_;
        (after.*list_).push_back(*object);
        compare(before, after, &*object);
        return std::move(verdict_);
    }

private:
    void compare(const Objects& before, const Objects& after, const T* candidate) {
        const config::Findings old = config::validate(before);
        const config::Findings now = config::validate(after);
        std::vector<Problem> refused = brought_about(old.problems, now.problems);
        std::vector<Problem> left;
        if (candidate != nullptr && !refused.empty()) {
            Objects completed = after;
            add_stand_ins(*candidate, completed);
            const ProblemSet lasting(config::validate(completed).problems);
            const auto waits = [&](const Problem& problem) {
                return !lasting.contains(problem);
            };
            const auto middle = std::stable_partition(refused.begin(), refused.end(), waits);
            left.assign(refused.begin(), middle);
            refused.erase(refused.begin(), middle);
        }
        tell(refused, change_, verdict_.refusals);
        if (!refused.empty() || !snapshot_.known) {
            return;
        }
        const ProblemSet waiting(left);
        for (const Problem& problem : now.problems) {
            if (waiting.contains(problem)) {
                verdict_.warnings.push_back(to_string(problem));
            } else {
                verdict_.warnings.push_back("wrong already: " + to_string(problem));
            }
        }
        const ProblemSet fresh(brought_about(old.warnings, now.warnings));
        for (const Problem& warning : now.warnings) {
            const bool own = warning.kind == change_.kind && warning.key == change_.key;
            if (own || fresh.contains(warning)) {
                verdict_.warnings.push_back(to_string(warning));
            }
        }
    }

    const Change& change_;
    const Snapshot& snapshot_;
    std::vector<T> Objects::*list_;
    Objects others_;
    Verdict verdict_;
};

template <class T>
Verdict judge_kind(const Change& change, const Snapshot& snapshot, std::vector<T> Objects::*list) {
    return Judge<T>(change, snapshot, list).judge();
}

}  // namespace

Verdict judge(const Change& change, const Snapshot& snapshot) {
    switch (change.kind) {
        case Kind::IpAddressPool:
            return judge_kind(change, snapshot, &Objects::pools);
        case Kind::L2Advertisement:
            return judge_kind(change, snapshot, &Objects::l2_advertisements);
        case Kind::BgpPeer:
            return judge_kind(change, snapshot, &Objects::bgp_peers);
        case Kind::BgpAdvertisement:
            return judge_kind(change, snapshot, &Objects::bgp_advertisements);
        case Kind::Community:
            return judge_kind(change, snapshot, &Objects::communities);
        case Kind::BfdProfile:
            return judge_kind(change, snapshot, &Objects::bfd_profiles);
        case Kind::AllocationPolicy:
            return judge_kind(change, snapshot, &Objects::allocation_policies);
        case Kind::AddressReservation:
            return judge_kind(change, snapshot, &Objects::address_reservations);
    }
    return {};
}

}  // namespace steelyard::admission
