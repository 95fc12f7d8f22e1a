#include "speaker/app/watches.hpp"

#include <utility>

namespace steelyard::speaker {
namespace {

using kube::Collection;
using kube::Resource;

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
          callbacks_for<kube::IpAddressPool>({}),
          seed + 4
      ),
      advertisements_(
          api,
          Collection(Resource<kube::L2Advertisement>::kType, ns),
          callbacks_for<kube::L2Advertisement>({}),
          seed + 5
      ) {}

void Watches::spawn(rt::TaskGroup& tasks) {
    tasks.spawn("watch services", services_.run());
    tasks.spawn("watch endpointslices", slices_.run());
    tasks.spawn("watch nodes", nodes_.run());
    tasks.spawn("watch speaker pods", pods_.run());
    tasks.spawn("watch ipaddresspools", pools_.run());
    tasks.spawn("watch l2advertisements", advertisements_.run());
}

bool Watches::synced() const {
    return services_.synced() && slices_.synced() && nodes_.synced() && pods_.synced() &&
           pools_.synced() && advertisements_.synced();
}

}  // namespace steelyard::speaker
