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
          config_callbacks<kube::BgpPeer>(),
          seed + 6
      ),
      bgp_advertisements_(
          api,
          Collection(Resource<kube::BgpAdvertisement>::kType, ns),
          config_callbacks<kube::BgpAdvertisement>(),
          seed + 7
      ),
      communities_(
          api,
          Collection(Resource<kube::Community>::kType, ns),
          config_callbacks<kube::Community>(),
          seed + 8
      ),
      bfd_profiles_(
          api,
          Collection(Resource<kube::BfdProfile>::kType, ns),
          config_callbacks<kube::BfdProfile>(),
          seed + 9
      ),
      secrets_(
          api,
          Collection(
              Resource<kube::Secret>::kType, ns, "", "type=" + std::string(kube::kBasicAuth)
          ),
          secret_callbacks(),
          seed + 10
      ) {}

// An installation whose role allows no Secrets goes on without: only sessions that need one suffer.
kube::Informer<kube::Secret>::Callbacks Watches::secret_callbacks() {
    auto callbacks = config_callbacks<kube::Secret>();
    callbacks.on_error = [this, next = callbacks.on_error](const Error* error) {
        next(error);
        const bool refused = error != nullptr && is(*error, Errc::Unauthorized);
        if (std::exchange(secrets_refused_, refused) != refused) {
            ++config_version_;
            callbacks_.on_any();
        }
    };
    return callbacks;
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
           pools_.synced() && advertisements_.synced() && bgp_peers_.synced() &&
           bgp_advertisements_.synced() && communities_.synced() && bfd_profiles_.synced() &&
           (secrets_.synced() || secrets_refused_);
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
