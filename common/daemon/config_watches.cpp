#include "common/daemon/config_watches.hpp"

#include <type_traits>
#include <utility>

namespace steelyard::daemon {
namespace {

using kube::Collection;
using kube::Resource;

// Without these there is nothing to do at all.
template <class T>
constexpr bool kRequired =
    std::is_same_v<T, kube::IpAddressPool> || std::is_same_v<T, kube::L2Advertisement>;

template <class T>
std::vector<T> copies(const std::unique_ptr<kube::Informer<T>>& informer) {
    std::vector<T> out;
    for (const auto& [key, object] : informer->store().objects()) {
        out.push_back(*object);
    }
    return out;
}

template <class T>
std::optional<kube::ObjectReference> reference(
    const std::unique_ptr<kube::Informer<T>>& informer, const kube::ObjectKey& key
) {
    const auto object = informer ? informer->store().find(key) : nullptr;
    return object ? std::optional(kube::reference_to(*object)) : std::nullopt;
}

}  // namespace

template <class T>
void ConfigWatches::add(kube::KubeApi& api, Collection collection, std::uint64_t seed) {
    std::get<Watch<T>>(watches_) =
        std::make_unique<kube::Informer<T>>(api, std::move(collection), callbacks_of<T>(), seed);
}

ConfigWatches::ConfigWatches(
    kube::KubeApi& api,
    const log::Logger& log,
    const std::string& ns,
    For whom,
    std::uint64_t seed,
    Callbacks callbacks
)
    : log_(log), callbacks_(std::move(callbacks)) {
    const auto all = [&]<class T>(std::type_identity<T>) {
        add<T>(api, Collection(Resource<T>::kType, ns), seed++);
    };
    all(std::type_identity<kube::IpAddressPool>());
    all(std::type_identity<kube::L2Advertisement>());
    all(std::type_identity<kube::BgpPeer>());
    all(std::type_identity<kube::BgpAdvertisement>());
    all(std::type_identity<kube::Community>());
    all(std::type_identity<kube::BfdProfile>());
    if (whom == For::Controller) {
        all(std::type_identity<kube::AllocationPolicy>());
    } else {
        const std::string type = "type=" + std::string(kube::kBasicAuth);
        add<kube::Secret>(api, Collection(Resource<kube::Secret>::kType, ns, "", type), seed);
    }
}

template <class T>
typename kube::Informer<T>::Callbacks ConfigWatches::callbacks_of() {
    const std::string_view kind = Resource<T>::kType.kind;
    typename kube::Informer<T>::Callbacks callbacks;
    callbacks.on_change = [this](const kube::Change<T>& change) {
        if constexpr (std::is_same_v<T, kube::IpAddressPool>) {
            if (callbacks_.on_pool) {
                callbacks_.on_pool(change);
            }
        }
        if (callbacks_.on_change) {
            callbacks_.on_change();
        }
        changed();
    };
    callbacks.on_synced = [this] {
        changed();
    };
    callbacks.on_error = [this, kind](const Error* error) {
        if (error != nullptr) {
            log_.warn(
                "watch broken; what is known stays in force",
                {{"kind", std::string(kind)}, {"error", to_string(*error)}}
            );
        } else {
            log_.info("watch works again", {{"kind", std::string(kind)}});
        }
        if constexpr (!kRequired<T>) {
            note_refusal(kind, error);
        }
    };
    callbacks.on_bad_object = [this](const kube::ObjectKey& key, const Error& error) {
        log_.error("object cannot be used", {{"error", error.context}});
        if (callbacks_.on_unreadable) {
            callbacks_.on_unreadable({Resource<T>::kType, key, "", ""}, error);
        }
        changed();
    };
    callbacks.on_no_longer_bad = [this](const kube::ObjectKey&) {
        changed();
    };
    return callbacks;
}

// A server that is away says nothing new about a kind it refused.
void ConfigWatches::note_refusal(std::string_view kind, const Error* error) {
    const bool refused =
        error != nullptr && (is(*error, Errc::Unauthorized) || is(*error, Errc::NotFound));
    if (error != nullptr && !refused) {
        return;
    }
    if (refused ? refused_.insert(kind).second : refused_.erase(kind) != 0) {
        changed();
    }
}

void ConfigWatches::changed() {
    ++version_;
    if (callbacks_.on_any) {
        callbacks_.on_any();
    }
}

void ConfigWatches::spawn(rt::TaskGroup& tasks) {
    const auto start = [&]<class T>(const Watch<T>& watch) {
        if (watch) {
            tasks.spawn("watch " + std::string(Resource<T>::kType.plural), watch->run());
        }
    };
    std::apply([&](const auto&... watch) { (start(watch), ...); }, watches_);
}

template <class T>
bool ConfigWatches::settled(const Watch<T>& watch) const {
    return !watch || watch->synced() || refused_.contains(Resource<T>::kType.kind);
}

bool ConfigWatches::synced() const {
    return std::apply([&](const auto&... watch) { return (settled(watch) && ...); }, watches_);
}

config::Objects ConfigWatches::objects() const {
    config::Objects objects;
    objects.pools = copies(watch<kube::IpAddressPool>());
    objects.l2_advertisements = copies(watch<kube::L2Advertisement>());
    objects.bgp_peers = copies(watch<kube::BgpPeer>());
    objects.bgp_advertisements = copies(watch<kube::BgpAdvertisement>());
    objects.communities = copies(watch<kube::Community>());
    objects.bfd_profiles = copies(watch<kube::BfdProfile>());
    if (const auto& secrets = watch<kube::Secret>(); secrets && secrets->synced()) {
        objects.secrets = copies(secrets);
    }
    if (const auto& policies = watch<kube::AllocationPolicy>()) {
        objects.allocation_policies = copies(policies);
    }
    return objects;
}

std::optional<kube::ObjectReference> ConfigWatches::find(
    config::Kind kind, const kube::ObjectKey& key
) const {
    switch (kind) {
        case config::Kind::IpAddressPool:
            return reference(watch<kube::IpAddressPool>(), key);
        case config::Kind::L2Advertisement:
            return reference(watch<kube::L2Advertisement>(), key);
        case config::Kind::BgpPeer:
            return reference(watch<kube::BgpPeer>(), key);
        case config::Kind::BgpAdvertisement:
            return reference(watch<kube::BgpAdvertisement>(), key);
        case config::Kind::Community:
            return reference(watch<kube::Community>(), key);
        case config::Kind::BfdProfile:
            return reference(watch<kube::BfdProfile>(), key);
        case config::Kind::AllocationPolicy:
        case config::Kind::AddressReservation:
            break;
    }
    return std::nullopt;
}

std::vector<Error> ConfigWatches::unreadable() const {
    std::vector<Error> errors;
    const auto collect = [&](const auto& watch) {
        if (watch) {
            for (const auto& [key, error] : watch->bad_objects()) {
                errors.push_back(error);
            }
        }
    };
    std::apply([&](const auto&... watch) { (collect(watch), ...); }, watches_);
    return errors;
}

}  // namespace steelyard::daemon
