#include "speaker/app/watches.hpp"

#include <string>
#include <utility>
#include <vector>

namespace steelyard::speaker {
namespace {

using kube::Collection;
using kube::Resource;

template <class T>
std::vector<T> copies(const kube::Informer<T>& informer) {
    std::vector<T> out;
    for (const auto& [key, object] : informer.store().objects()) {
        out.push_back(*object);
    }
    return out;
}

template <class T>
std::optional<kube::ObjectReference> reference(
    const kube::Informer<T>& informer, const kube::ObjectKey& key
) {
    const auto& objects = informer.store().objects();
    const auto found = objects.find(key);
    if (found == objects.end()) {
        return std::nullopt;
    }
    return kube::reference_to(*found->second);
}

}  // namespace

template <class T>
typename kube::Informer<T>::Callbacks Watches::callbacks_for(
    std::function<void(const kube::Change<T>&)> on_change
) {
    const std::string kind(Resource<T>::kType.kind);
    typename kube::Informer<T>::Callbacks callbacks;
    callbacks.on_change = [this, on_change = std::move(on_change)](const kube::Change<T>& change) {
        if (on_change) {
            on_change(change);
        }
        callbacks_.on_any();
    };
    callbacks.on_synced = [this] {
        callbacks_.on_any();
    };
    callbacks.on_error = [this, kind](const Error* error) {
        if (error != nullptr) {
            log_.warn(
                "watch broken; what is known stays in force",
                {{"kind", kind}, {"error", to_string(*error)}}
            );
        } else {
            log_.info("watch works again", {{"kind", kind}});
        }
    };
    callbacks.on_bad_object = [this](const kube::ObjectKey&, const Error& error) {
        log_.error("object ignored", {{"error", to_string(error)}});
    };
    return callbacks;
}

template <class T>
typename kube::Informer<T>::Callbacks Watches::config_callbacks() {
    auto callbacks = callbacks_for<T>([this](const kube::Change<T>&) { ++config_version_; });
    callbacks.on_synced = [this, next = callbacks.on_synced] {
        ++config_version_;
        next();
    };
    return callbacks;
}

template <class T>
typename kube::Informer<T>::Callbacks Watches::optional_callbacks() {
    auto callbacks = config_callbacks<T>();
    callbacks.on_error = [this, next = callbacks.on_error](const Error* error) {
        next(error);
        const std::string_view kind = Resource<T>::kType.kind;
        const bool refused =
            error != nullptr && (is(*error, Errc::Unauthorized) || is(*error, Errc::NotFound));
        if (refused ? refused_.insert(kind).second : refused_.erase(kind) != 0) {
            ++config_version_;
            callbacks_.on_any();
        }
    };
    return callbacks;
}

template <class T>
bool Watches::settled(const kube::Informer<T>& informer) const {
    return informer.synced() || refused_.contains(Resource<T>::kType.kind);
}

Watches::Watches(
    kube::KubeApi& api,
    const log::Logger& log,
    const std::string& ns,
    const std::string& pod_labels,
    std::uint64_t seed,
    Callbacks callbacks
)
    : log_(log),
      callbacks_(std::move(callbacks)),
      services_(
          api,
          Collection(Resource<kube::Service>::kType),
          callbacks_for<kube::Service>(callbacks_.on_service),
          seed
      ),
      slices_(
          api,
          Collection(Resource<kube::EndpointSlice>::kType),
          callbacks_for<kube::EndpointSlice>(callbacks_.on_slice),
          seed + 1
      ),
      nodes_(api, Collection(Resource<kube::Node>::kType), callbacks_for<kube::Node>({}), seed + 2),
      pods_(
          api,
          Collection(Resource<kube::Pod>::kType, ns, pod_labels),
          callbacks_for<kube::Pod>({}),
          seed + 3
      ),
      pools_(
          api,
          Collection(Resource<kube::IpAddressPool>::kType, ns),
          config_callbacks<kube::IpAddressPool>(),
          seed + 4
      ),
      advertisements_(
          api,
          Collection(Resource<kube::L2Advertisement>::kType, ns),
          config_callbacks<kube::L2Advertisement>(),
          seed + 5
      ),
      bgp_peers_(
          api,
          Collection(Resource<kube::BgpPeer>::kType, ns),
          optional_callbacks<kube::BgpPeer>(),
          seed + 6
      ),
      bgp_advertisements_(
          api,
          Collection(Resource<kube::BgpAdvertisement>::kType, ns),
          optional_callbacks<kube::BgpAdvertisement>(),
          seed + 7
      ),
      communities_(
          api,
          Collection(Resource<kube::Community>::kType, ns),
          optional_callbacks<kube::Community>(),
          seed + 8
      ),
      bfd_profiles_(
          api,
          Collection(Resource<kube::BfdProfile>::kType, ns),
          optional_callbacks<kube::BfdProfile>(),
          seed + 9
      ),
      secrets_(
          api,
          Collection(
              Resource<kube::Secret>::kType, ns, "", "type=" + std::string(kube::kBasicAuth)
          ),
          optional_callbacks<kube::Secret>(),
          seed + 10
      ) {}

std::optional<kube::ObjectReference> Watches::find(config::Kind kind, const kube::ObjectKey& key)
    const {
    switch (kind) {
        case config::Kind::IpAddressPool:
            return reference(pools_, key);
        case config::Kind::L2Advertisement:
            return reference(advertisements_, key);
        case config::Kind::BgpPeer:
            return reference(bgp_peers_, key);
        case config::Kind::BgpAdvertisement:
            return reference(bgp_advertisements_, key);
        case config::Kind::Community:
            return reference(communities_, key);
        case config::Kind::BfdProfile:
            return reference(bfd_profiles_, key);
    }
    return std::nullopt;
}

void Watches::spawn(rt::TaskGroup& tasks) {
    tasks.spawn("watch services", services_.run());
    tasks.spawn("watch endpointslices", slices_.run());
    tasks.spawn("watch nodes", nodes_.run());
    tasks.spawn("watch speaker pods", pods_.run());
    tasks.spawn("watch ipaddresspools", pools_.run());
    tasks.spawn("watch l2advertisements", advertisements_.run());
    tasks.spawn("watch bgppeers", bgp_peers_.run());
    tasks.spawn("watch bgpadvertisements", bgp_advertisements_.run());
    tasks.spawn("watch communities", communities_.run());
    tasks.spawn("watch bfdprofiles", bfd_profiles_.run());
    tasks.spawn("watch secrets", secrets_.run());
}

bool Watches::synced() const {
    return services_.synced() && slices_.synced() && nodes_.synced() && pods_.synced() &&
           pools_.synced() && advertisements_.synced() && settled(bgp_peers_) &&
           settled(bgp_advertisements_) && settled(communities_) && settled(bfd_profiles_) &&
           settled(secrets_);
}

std::shared_ptr<const kube::Node> Watches::node(const std::string& name) const {
    const auto found = nodes().find(kube::ObjectKey{"", name});
    return found == nodes().end() ? nullptr : found->second;
}

config::Objects Watches::config_objects() const {
    config::Objects objects;
    objects.pools = copies(pools_);
    objects.l2_advertisements = copies(advertisements_);
    objects.bgp_peers = copies(bgp_peers_);
    objects.bgp_advertisements = copies(bgp_advertisements_);
    objects.communities = copies(communities_);
    objects.bfd_profiles = copies(bfd_profiles_);
    if (secrets_.synced()) {
        objects.secrets = copies(secrets_);
    }
    return objects;
}

}  // namespace steelyard::speaker
