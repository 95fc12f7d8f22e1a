#pragma once

#include "speaker/plan/bgp_planner.hpp"
#include "speaker/plan/bgp_policy.hpp"

#include <array>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <unordered_map>
#include <vector>

// The inside of BgpPlanner. A Service puts parts into prefixes; a prefix only counts parts that are
// alike, so that it is worked out again at the cost of the kinds of parts, not of the Services that
// an aggregate may hold by the thousand. Private to the room.
namespace steelyard::speaker_plan {

class BgpPlanner::State {
public:
    void set_context(BgpContext context);
    void set_service(const kube::ObjectKey& key, std::shared_ptr<const kube::Service> service);
    void set_slice(const kube::ObjectKey& key, std::shared_ptr<const kube::EndpointSlice> slice);
    void set_servable(std::optional<std::vector<net::IpAddress>> addresses);
    void sync_services(const Objects<kube::Service>& services);
    void sync_slices(const Objects<kube::EndpointSlice>& slices);
    [[nodiscard]] BgpChanges update();
    [[nodiscard]] const BgpPlan& plan() const { return plan_; }
    [[nodiscard]] const BgpPolicy& policy() const { return *policy_; }

private:
    using SliceRef = std::shared_ptr<const kube::EndpointSlice>;

    // What a Service puts into one prefix.
    struct Part {
        net::Prefix prefix;
        const BgpOffer* offer = nullptr;
        std::uint32_t weight = 0;  // 0 where nobody asks for it
        friend bool operator==(const Part&, const Part&) = default;
    };
    struct Entry {
        std::shared_ptr<const kube::Service> service;  // null: only slices are known
        std::vector<SliceRef> slices;
        std::vector<Part> parts;  // in force
        bool dirty = false;
    };
    using Entries = std::map<kube::ObjectKey, Entry>;

    // Parts of one prefix that are alike.
    struct Tally {
        const BgpOffer* offer = nullptr;
        std::uint32_t services = 0;
        std::uint64_t weight = 0;
    };
    // Of one family of one Service.
    struct Serving {
        bool anywhere = false;
        bool here = false;
        std::uint32_t ready_here = 0;
    };
    using BothFamilies = std::array<Serving, 2>;
    // One address in one prefix because of one advertisement.
    struct Piece {
        net::Prefix prefix;
        std::uint32_t advertisement = 0;
        std::size_t address = 0;  // position in BgpService::addresses
        friend auto operator<=>(const Piece&, const Piece&) = default;
    };
    struct Planned {
        BgpService service;
        std::vector<Part> parts;
    };

    void soil(Entries::value_type& entry);
    void soil_holders(const net::IpAddress& address);
    void start_again(std::vector<net::Prefix>& touched);
    [[nodiscard]] bool is_ours(const Entry& entry) const;
    [[nodiscard]] BothFamilies serving(const Entry& entry) const;
    [[nodiscard]] std::optional<BgpWhyNot> withheld(
        const net::IpAddress& address, const kube::Service& service, const Serving& serving
    ) const;
    [[nodiscard]] Planned planned(const Entry& entry);
    void join(
        std::vector<Piece>::const_iterator piece,
        std::vector<Piece>::const_iterator end,
        const BothFamilies& serving,
        Planned& out
    );
    void replan(Entries::value_type& entry, std::vector<net::Prefix>& touched, BgpChanges& changes);
    void count(const Part& part, bool in);
    void settle(const net::Prefix& prefix, BgpChanges& changes);
    [[nodiscard]] std::shared_ptr<const BgpPaths> paths_for(const std::vector<Tally>& tallies);

    std::unique_ptr<BgpPolicy> policy_ = std::make_unique<BgpPolicy>(BgpContext{});
    std::unique_ptr<BgpPolicy> next_policy_;  // set: everything is replanned by it
    Entries entries_;
    Objects<kube::EndpointSlice> slices_;
    std::unordered_multimap<net::IpAddress, Entries::value_type*> holders_;
    std::optional<std::vector<net::IpAddress>> servable_;  // sorted
    std::vector<Entries::value_type*> dirty_;
    std::map<net::Prefix, std::vector<Tally>> tallies_;
    BgpPlan plan_;
    std::uint64_t sequence_ = 0;
};

}  // namespace steelyard::speaker_plan
