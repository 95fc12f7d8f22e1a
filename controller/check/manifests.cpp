#include "controller/check/manifests.hpp"

#include "common/kube/model/resource.hpp"
#include "controller/check/schema.hpp"

#include <algorithm>
#include <tuple>

namespace steelyard::check {
namespace {

using config::Kind;
using config::Objects;
using nlohmann::json;

std::string text_at(const json& object, const char* field) {
    const auto found = object.find(field);
    return found != object.end() && found->is_string() ? found->get<std::string>() : std::string();
}

std::string in_quotes(const std::string& text) {
    return "\"" + text + "\"";
}

bool below_or_same(const std::string& field, const std::string& above) {
    return field.starts_with(above) && (field.size() == above.size() ||
                                        field[above.size()] == '.' || field[above.size()] == '[');
}

// RFC 1123 names, as the server demands of these kinds.
bool is_name(const std::string& name) {
    constexpr std::size_t kLongest = 253;
    const auto fits = [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
    };
    return !name.empty() && name.size() <= kLongest && fits(name.front()) && fits(name.back()) &&
           std::all_of(name.begin(), name.end(), [&](char c) {
               return fits(c) || c == '-' || c == '.';
           });
}

bool is_our_group(const std::string& api_version) {
    return api_version.starts_with("metallb.io/") || api_version.starts_with("steelyard.io/");
}

// Kinds of our groups that daemons write.
bool is_written_by_daemons(const std::string& kind) {
    return kind == "ServiceL2Status" || kind == "ServiceBGPStatus" ||
           kind == "ConfigurationState" || kind == "BGPSessionState";
}

const KindRule* rule_for(const std::string& api_version, const std::string& kind) {
    const auto rules = kind_rules();
    const auto found = std::find_if(rules.begin(), rules.end(), [&](const KindRule& rule) {
        return rule.api_version == api_version && rule.kind == kind;
    });
    return found == rules.end() ? nullptr : &*found;
}

// Why there is no rule for a kind of our groups.
std::string unknown_kind(const std::string& kind) {
    if (kind == "AddressPool") {
        return "kind: \"AddressPool\": no longer read, by MetalLB neither; write an IPAddressPool "
               "and an L2Advertisement or BGPAdvertisement";
    }
    std::string versions;
    std::string kinds;
    for (const KindRule& rule : kind_rules()) {
        const std::string name(rule.kind);
        if (name == kind) {
            versions += (versions.empty() ? "" : " or ") + std::string(rule.api_version);
        }
        if (kinds.find(name) == std::string::npos) {
            kinds += (kinds.empty() ? "" : ", ") + name;
        }
    }
    return versions.empty() ? "kind: " + in_quotes(kind) + ": give one of " + kinds
                            : "apiVersion: " + kind + " is of " + versions;
}

}  // namespace

std::string to_string(const Remark& remark) {
    std::string text = remark.file;
    if (remark.line != 0) {
        text += ":" + std::to_string(remark.line);
    }
    text += (remark.level == Remark::Level::Error ? ": error: " : ": warning: ") + remark.text;
    std::replace_if(
        text.begin(), text.end(), [](unsigned char c) { return c < ' '; }, '?'
    );
    return text;
}

void Manifests::remark(
    Remark::Level level, const Place& place, const std::string& field, std::string text
) {
    const std::string path =
        place.above.empty() || field.empty() ? place.above + field : place.above + "." + field;
    const std::size_t line = place.lines->of(path);
    remarks_.push_back({level, place.file, line == 0 ? place.first_line : line, std::move(text)});
}

void Manifests::add(const std::string& file, const yaml::Document& document) {
    documents_.push_back(document.lines);
    add_object(document.value, Place{file, &documents_.back(), document.line, {}, {}});
}

// A List is its items, as kubectl makes one of several objects.
void Manifests::add_object(const json& object, Place place) {
    const std::string kind = object.is_object() ? text_at(object, "kind") : std::string();
    if (kind.empty()) {
        remark(
            Remark::Level::Error,
            place,
            "",
            "no object of Kubernetes: it has no field kind, such as IPAddressPool"
        );
        return;
    }
    const auto items = object.find("items");
    if (kind.ends_with("List") && items != object.end() && items->is_array()) {
        for (std::size_t i = 0; i < items->size(); ++i) {
            Place inner = place;
            inner.above += (inner.above.empty() ? "" : ".") + ("items[" + std::to_string(i) + "]");
            add_object((*items)[i], std::move(inner));
        }
        return;
    }
    const std::string api_version = text_at(object, "apiVersion");
    if (kind == "Secret" && api_version == "v1") {
        add_secret(object, place);
    } else if (!is_our_group(api_version) || is_written_by_daemons(kind)) {
        ++skipped_;
    } else {
        add_ours(object, std::move(place));
    }
}

// Fills in the namespace.
bool Manifests::elsewhere(json& object, const Place& place) {
    json& metadata = object["metadata"];
    if (!metadata.is_object()) {
        return false;  // decoding tells
    }
    const std::string ns = text_at(metadata, "namespace");
    if (ns.empty()) {
        metadata["namespace"] = ns_;
        return false;
    }
    if (ns != ns_) {
        remark(
            Remark::Level::Warning,
            place,
            "metadata.namespace",
            text_at(object, "kind") + " " + ns + "/" + text_at(metadata, "name") +
                ": metadata.namespace: " + in_quotes(ns) + ": not looked at, as only objects in " +
                ns_ + " count (--namespace says so)"
        );
    }
    return ns != ns_;
}

template <class T>
void Manifests::decode(const json& object, Place place, Kind kind, std::vector<T>& into) {
    auto decoded = kube::Resource<T>::decode(object);
    if (!decoded) {
        remark(Remark::Level::Error, place, "", decoded.error().context);
        return;
    }
    if (!is_name(decoded->meta.key.name)) {
        remark(
            Remark::Level::Error,
            place,
            "metadata.name",
            std::string(config::to_string(kind)) + " " + to_string(decoded->meta.key) +
                ": metadata.name: " + in_quotes(decoded->meta.key.name) +
                ": give small letters, digits, \"-\" and \".\", at most 253"
        );
    }
    places_[{kind, decoded->meta.key}] = std::move(place);
    into.push_back(std::move(*decoded));
}

void Manifests::add_ours(json object, Place place) {
    ++objects_;
    const std::string api_version = text_at(object, "apiVersion");
    const std::string kind = text_at(object, "kind");
    const KindRule* rule = rule_for(api_version, kind);
    if (rule == nullptr) {
        const bool old_kind = kind == "AddressPool";
        remark(
            Remark::Level::Error,
            place,
            old_kind || unknown_kind(kind).starts_with("kind") ? "kind" : "apiVersion",
            unknown_kind(kind)
        );
        return;
    }
    if (elsewhere(object, place)) {
        return;
    }
    const json& metadata = object["metadata"];
    const std::string name = metadata.is_object() ? text_at(metadata, "name") : std::string();
    const std::string subject = kind + " " + to_string(kube::ObjectKey{ns_, name}) + ": ";
    for (const Misfit& misfit : remove_misfits(object, *rule)) {
        remark(
            Remark::Level::Error,
            place,
            misfit.path,
            subject + misfit.path + (misfit.value.empty() ? "" : ": " + misfit.value) + ": " +
                misfit.accepted
        );
        place.misfits.push_back(misfit.path);
    }
    if (kind == "BGPPeer" && api_version == "metallb.io/v1beta1") {
        remark(
            Remark::Level::Warning,
            place,
            "apiVersion",
            subject + "apiVersion: \"metallb.io/v1beta1\": deprecated; give metallb.io/v1beta2"
        );
    }
    Objects& all = objects_of_;
    if (kind == "IPAddressPool") {
        decode(object, std::move(place), Kind::IpAddressPool, all.pools);
    } else if (kind == "L2Advertisement") {
        decode(object, std::move(place), Kind::L2Advertisement, all.l2_advertisements);
    } else if (kind == "BGPAdvertisement") {
        decode(object, std::move(place), Kind::BgpAdvertisement, all.bgp_advertisements);
    } else if (kind == "BGPPeer") {
        decode(object, std::move(place), Kind::BgpPeer, all.bgp_peers);
    } else if (kind == "Community") {
        decode(object, std::move(place), Kind::Community, all.communities);
    } else if (kind == "BFDProfile") {
        decode(object, std::move(place), Kind::BfdProfile, all.bfd_profiles);
    } else if (kind == "AllocationPolicy") {
        decode(object, std::move(place), Kind::AllocationPolicy, all.allocation_policies);
    } else if (kind == "AddressReservation") {
        decode(object, std::move(place), Kind::AddressReservation, all.address_reservations);
    }
}

// Others' Secrets are none of our business: only those that BGPPeers may name are looked at.
void Manifests::add_secret(json object, const Place& place) {
    ++skipped_;
    json& metadata = object["metadata"];
    if (metadata.is_object() && text_at(metadata, "namespace").empty()) {
        metadata["namespace"] = ns_;
    }
    auto secret = kube::decode_secret(object);
    if (!secret) {
        remark(Remark::Level::Error, place, "", secret.error().context);
        return;
    }
    if (secret->meta.key.ns != ns_) {
        return;
    }
    const auto texts = object.find("stringData");
    if (secret->type == kube::kBasicAuth && texts != object.end() && texts->is_object() &&
        texts->contains("password")) {
        secret->password = text_at(*texts, "password");
    }
    secrets_.push_back(std::move(*secret));
}

// A Secret seldom lies beside the manifests. What names one that is not here is not judged by it.
Objects Manifests::without_unknown_secrets(std::vector<Remark>& into) const {
    Objects all = objects_of_;
    all.secrets = secrets_;
    for (kube::BgpPeer& peer : all.bgp_peers) {
        const std::string name = peer.password_secret;
        const bool known =
            name.empty() ||
            std::any_of(secrets_.begin(), secrets_.end(), [&](const kube::Secret& secret) {
                return secret.meta.key.name == name;
            });
        if (!known && peer.password.empty()) {
            peer.password_secret.clear();
            const config::Problem unknown{
                Kind::BgpPeer,
                peer.meta.key,
                "spec.passwordSecret.name",
                name,
                "no Secret of this name is among the files: it is not checked"};
            place_problems({unknown}, Remark::Level::Warning, into);
        }
    }
    return all;
}

void Manifests::place_problems(
    const std::vector<config::Problem>& problems, Remark::Level level, std::vector<Remark>& into
) const {
    for (const config::Problem& problem : problems) {
        const auto found = places_.find({problem.kind, problem.key});
        if (found == places_.end()) {
            into.push_back({level, "-", 0, to_string(problem)});
            continue;
        }
        const Place& place = found->second;
        const auto& told = place.misfits;
        if (std::any_of(told.begin(), told.end(), [&](const std::string& misfit) {
                return below_or_same(problem.field, misfit) || below_or_same(misfit, problem.field);
            })) {
            continue;
        }
        const std::string path =
            place.above.empty() ? problem.field : place.above + "." + problem.field;
        const std::size_t line = place.lines->of(path);
        into.push_back({level, place.file, line == 0 ? place.first_line : line, to_string(problem)}
        );
    }
}

std::vector<Remark> Manifests::judge(bool complete) const {
    std::vector<Remark> remarks = remarks_;
    std::vector<Remark> of_secrets;
    const config::Findings findings = config::validate(without_unknown_secrets(of_secrets));
    place_problems(findings.problems, Remark::Level::Error, remarks);
    // An object that could not be read is not there for those that name it.
    if (complete && std::none_of(remarks_.begin(), remarks_.end(), [](const Remark& remark) {
            return remark.level == Remark::Level::Error;
        })) {
        place_problems(findings.warnings, Remark::Level::Warning, remarks);
        remarks.insert(remarks.end(), of_secrets.begin(), of_secrets.end());
    }
    std::stable_sort(remarks.begin(), remarks.end(), [](const Remark& a, const Remark& b) {
        return std::tie(a.file, a.line) < std::tie(b.file, b.line);
    });
    return remarks;
}

}  // namespace steelyard::check
