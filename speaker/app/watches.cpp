#include "speaker/app/watches.hpp"

#include <string>
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
        if (error != nullptr && error->code == Errc::NotFound) {
            log_.info("the API server does not have it", {{"kind", kind}});
        } else if (error != nullptr) {
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
      nodes_(
          api,
          Collection(Resource<kube::Node>::kType),
          callbacks_for<kube::Node>(callbacks_.on_node),
          seed + 2
      ),
      pods_(
          api,
          Collection(Resource<kube::Pod>::kType, ns, pod_labels),
          callbacks_for<kube::Pod>({}),
          seed + 3
      ),
      service_cidrs_(
          api,
          Collection(Resource<kube::ServiceCidr>::kType),
          callbacks_for<kube::ServiceCidr>({}),
          seed + 17
      ),
      config_(
          api,
          log,
          ns,
          daemon::ConfigWatches::For::Speaker,
          seed + 4,
          {.on_any = [this] { callbacks_.on_any(); },
           .on_change = {},
           .on_pool = {},
           .on_unreadable = {}}
      ) {}

void Watches::spawn(rt::TaskGroup& tasks) {
    tasks.spawn("watch services", services_.run());
    tasks.spawn("watch endpointslices", slices_.run());
    tasks.spawn("watch nodes", nodes_.run());
    tasks.spawn("watch speaker pods", pods_.run());
    tasks.spawn("watch servicecidrs", service_cidrs_.run());
    config_.spawn(tasks);
}

bool Watches::synced() const {
    return services_.synced() && slices_.synced() && nodes_.synced() && pods_.synced() &&
           config_.synced();
}

std::shared_ptr<const kube::Node> Watches::node(const std::string& name) const {
    const auto found = nodes().find(kube::ObjectKey{"", name});
    return found == nodes().end() ? nullptr : found->second;
}

}  // namespace steelyard::speaker
