#pragma once

#include "common/daemon/config_watches.hpp"
#include "common/kube/client/informer.hpp"
#include "common/log/log.hpp"
#include "common/rt/task_group.hpp"

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

// The speaker's view of the cluster: one informer for each kind it reads. The stores are read
// between awaits on the control thread; what changed is told by the two callbacks that need more
// than "look again". Connection trouble is logged here, once for each new reason.
namespace steelyard::speaker {

class Watches {
public:
    struct Callbacks {
        std::function<void()> on_any;  // something changed, or a first list is complete
        std::function<void(const kube::Change<kube::Service>&)> on_service;
        std::function<void(const kube::Change<kube::EndpointSlice>&)> on_slice;
        std::function<void(const kube::Change<kube::Node>&)> on_node;
    };
    // `ns` holds the metallb.io objects and the speaker pods, which `pod_labels` selects.
    Watches(
        kube::KubeApi& api,
        const log::Logger& log,
        const std::string& ns,
        const std::string& pod_labels,
        std::uint64_t seed,
        Callbacks callbacks
    );

    void spawn(rt::TaskGroup& tasks);
    // Every first list is in its store.
    [[nodiscard]] bool synced() const;

    [[nodiscard]] const auto& services() const { return services_.store().objects(); }
    [[nodiscard]] const auto& slices() const { return slices_.store().objects(); }
    [[nodiscard]] const auto& nodes() const { return nodes_.store().objects(); }
    // Null when there is none of that name.
    [[nodiscard]] std::shared_ptr<const kube::Node> node(const std::string& name) const;
    // Where ClusterIPs come from; an API server of before Kubernetes 1.33 does not tell.
    [[nodiscard]] const auto& service_cidrs() const { return service_cidrs_.store().objects(); }
    [[nodiscard]] const auto& pods() const { return pods_.store().objects(); }
    // The metallb.io objects, and the passwords they name when those may be read.
    [[nodiscard]] const daemon::ConfigWatches& config() const { return config_; }

private:
    template <class T>
    typename kube::Informer<T>::Callbacks callbacks_for(
        std::function<void(const kube::Change<T>&)> on_change
    );

    const log::Logger& log_;
    Callbacks callbacks_;
    kube::Informer<kube::Service> services_;
    kube::Informer<kube::EndpointSlice> slices_;
    kube::Informer<kube::Node> nodes_;
    kube::Informer<kube::Pod> pods_;
    kube::Informer<kube::ServiceCidr> service_cidrs_;
    daemon::ConfigWatches config_;
};

}  // namespace steelyard::speaker
