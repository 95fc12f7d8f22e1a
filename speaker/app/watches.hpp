#pragma once

#include "common/config/config.hpp"
#include "common/kube/client/informer.hpp"
#include "common/kube/model/encode.hpp"
#include "common/log/log.hpp"
#include "common/rt/task_group.hpp"

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>

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
    [[nodiscard]] const auto& pods() const { return pods_.store().objects(); }
    [[nodiscard]] const auto& pools() const { return pools_.store().objects(); }
    [[nodiscard]] const auto& advertisements() const { return advertisements_.store().objects(); }
    // To post Events about a metallb.io object; nothing when it is gone.
    [[nodiscard]] std::optional<kube::ObjectReference> find(
        config::Kind kind, const kube::ObjectKey& key
    ) const;
    // All metallb.io objects, and the passwords they name when those may be read.
    [[nodiscard]] config::Objects config_objects() const;
    // Another number whenever they may be different; never 0.
    [[nodiscard]] std::uint64_t config_version() const { return config_version_; }

private:
    template <class T>
    typename kube::Informer<T>::Callbacks callbacks_for(
        std::function<void(const kube::Change<T>&)> on_change
    );

    // For the kinds of config_objects().
    template <class T>
    typename kube::Informer<T>::Callbacks config_callbacks();
    // For kinds that an older role or set of definitions does not know: without them the rest
    // works.
    template <class T>
    typename kube::Informer<T>::Callbacks optional_callbacks();
    template <class T>
    [[nodiscard]] bool settled(const kube::Informer<T>& informer) const;

    const log::Logger& log_;
    Callbacks callbacks_;
    std::uint64_t config_version_ = 1;
    std::set<std::string_view> refused_;  // kinds
    kube::Informer<kube::Service> services_;
    kube::Informer<kube::EndpointSlice> slices_;
    kube::Informer<kube::Node> nodes_;
    kube::Informer<kube::Pod> pods_;
    kube::Informer<kube::IpAddressPool> pools_;
    kube::Informer<kube::L2Advertisement> advertisements_;
    kube::Informer<kube::BgpPeer> bgp_peers_;
    kube::Informer<kube::BgpAdvertisement> bgp_advertisements_;
    kube::Informer<kube::Community> communities_;
    kube::Informer<kube::BfdProfile> bfd_profiles_;
    kube::Informer<kube::Secret> secrets_;
};

}  // namespace steelyard::speaker
