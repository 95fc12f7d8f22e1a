#pragma once

#include "common/base/rng.hpp"
#include "controller/sim/cluster.hpp"

#include <string>

// What people and other programs do to the cluster: Services made, changed, deleted and made again,
// pools and policies edited, addresses reserved, status of others written, lost or forged. Few
// names and few addresses, so that everything meets.
namespace steelyard::controller_sim {

class Users {
public:
    // `forging`: they write status, too.
    Users(Cluster& cluster, Rng rng, bool forging = true);
    // One of those things.
    void act(WallTime now);

private:
    [[nodiscard]] kube::ObjectKey any_key();
    [[nodiscard]] bool chance(unsigned percent) { return rng_.below(100) < percent; }
    void create(const kube::ObjectKey& key, WallTime now);
    void change(const kube::ObjectKey& key);
    void forge(const kube::ObjectKey& key);
    void edit_pools();
    void reserve();
    [[nodiscard]] kube::AllocationPolicy any_policy();
    [[nodiscard]] nlohmann::json any_ports();
    [[nodiscard]] std::string any_address();

    Cluster& cluster_;
    Rng rng_;
    bool forging_;
    unsigned made_ = 0;
};

}  // namespace steelyard::controller_sim
