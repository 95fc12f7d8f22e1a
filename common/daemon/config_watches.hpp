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
#include <tuple>
#include <vector>

// The user's configuration as the API server has it: one informer for each kind that
// config::parse() reads. Both daemons use it. Pools and L2Advertisements must be readable; the
// other kinds may be missing or forbidden (definitions or roles of an older release), and then
// count as empty. Connection trouble is logged here, once for each new reason.
namespace steelyard::daemon {

class ConfigWatches {
public:
    // All may be empty. Called on the loop, between awaits.
    struct Callbacks {
        std::function<void()> on_any;     // something changed, or a first list is complete
        std::function<void()> on_change;  // an object was added, changed or deleted
        std::function<void(const kube::Change<kube::IpAddressPool>&)> on_pool;
        std::function<void(const kube::ObjectReference&, const Error&)> on_unreadable;
    };
    // A speaker needs the Secrets with the passwords of BGPPeers, the controller the policies for
    // its pools.
    enum class For { Speaker, Controller };

    // `api` and `log` outlive it.
    ConfigWatches(
        kube::KubeApi& api,
        const log::Logger& log,
        const std::string& ns,
        For whom,
        std::uint64_t seed,
        Callbacks callbacks
    );
    ConfigWatches(const ConfigWatches&) = delete;
    ConfigWatches& operator=(const ConfigWatches&) = delete;

    void spawn(rt::TaskGroup& tasks);
    // Every kind that can be had is in its store.
    [[nodiscard]] bool synced() const;
    // Another number whenever objects() may be different; never 0.
    [[nodiscard]] std::uint64_t version() const { return version_; }
    [[nodiscard]] config::Objects objects() const;
    // To post Events about an object; nothing when it is gone.
    [[nodiscard]] std::optional<kube::ObjectReference> find(
        config::Kind kind, const kube::ObjectKey& key
    ) const;
    // Objects that cannot be decoded as they are now; the last readable version stays in objects().
    [[nodiscard]] std::vector<Error> unreadable() const;

private:
    template <class T>
    using Watch = std::unique_ptr<kube::Informer<T>>;  // null: not watched

    template <class T>
    [[nodiscard]] const Watch<T>& watch() const {
        return std::get<Watch<T>>(watches_);
    }
    template <class T>
    void add(kube::KubeApi& api, kube::Collection collection, std::uint64_t seed);
    template <class T>
    [[nodiscard]] typename kube::Informer<T>::Callbacks callbacks_of();
    template <class T>
    [[nodiscard]] bool settled(const Watch<T>& watch) const;
    void note_refusal(std::string_view kind, const Error* error);
    void changed();

    const log::Logger& log_;
    Callbacks callbacks_;
    std::uint64_t version_ = 1;
    std::set<std::string_view> refused_;  // kinds
    std::tuple<
        Watch<kube::IpAddressPool>,
        Watch<kube::L2Advertisement>,
        Watch<kube::BgpPeer>,
        Watch<kube::BgpAdvertisement>,
        Watch<kube::Community>,
        Watch<kube::BfdProfile>,
        Watch<kube::Secret>,
        Watch<kube::AllocationPolicy>>
        watches_;
};

}  // namespace steelyard::daemon
