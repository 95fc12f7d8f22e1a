#pragma once

#include "common/base/time.hpp"
#include "speaker/proxy/diff/drains.hpp"
#include "speaker/proxy/diff/op.hpp"
#include "speaker/proxy/plan.hpp"

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <vector>

// What every object of the kernel should be and what it was last found to be, one record each: the
// merged plan of all Services and the mirror of the kernel in one place, sharing values. Nothing
// here costs more than what changed, save a whole reading. Pure: the caller reads and writes.
//
// Services may share an address or a set element (counted). Of several that claim one virtual
// server, or one marked element, the first by namespace/name has it; the next takes over.
namespace steelyard::proxy {

class Ledger {
public:
    explicit Ledger(const ProxyConfig& config);

    // --- Wanted ---------------------------------------------------------------------------------
    // Values are shared with the Services' tables, not copied.
    void update(const Changes& changes);

    // --- Found ----------------------------------------------------------------------------------
    // Between begin_reading() and end_reading() each thing the kernel has is seen once, in any
    // order; what was not seen is not there. What differs from what was known will be compared.
    void begin_reading();
    void see_server(
        const VirtualServerKey& key, const Scheduling& scheduling, const RealServers& real_servers
    );
    void see_address(const net::IpAddress& address);
    void see_route(const net::IpAddress& address, const std::optional<net::IpAddress>& source);
    void see_entry(const SetId& set, const SetEntry& entry, std::uint32_t mark);
    void end_reading();
    // One virtual server, read by itself; null: it is not there.
    void see_server_alone(const VirtualServerKey& key, const VirtualServer* server);
    // How many objects readings found other than known, since construction.
    [[nodiscard]] std::size_t surprises() const { return surprises_; }

    // --- Compared -------------------------------------------------------------------------------
    // The ordered operations for all that changed since the last call. The order keeps traffic
    // flowing at every prefix: masquerading before servers, servers before the marks that lead to
    // them, what serves before the address, real servers in before others go out, and the reverse
    // on the way out. Nothing is ever removed to be added again: the kernel keeps deleted
    // destinations on a list that every addition scans.
    [[nodiscard]] std::vector<Op> diff(Instant now);
    // Compare this again, though nothing is known to have changed.
    void suspect(const Object& object);
    [[nodiscard]] bool is_suspect(const Object& object) const;
    // Whether diff() would look at something: among it what acknowledged operations made way for.
    [[nodiscard]] bool has_suspects() const;
    // What of `ops` the kernel acknowledged: all but those whose index is in `refused`, ascending.
    void acknowledge(
        const std::vector<Op>& ops, const std::vector<std::size_t>& refused, Instant now
    );

    // --- Draining -------------------------------------------------------------------------------
    [[nodiscard]] std::optional<Instant> next_drain() const { return drains_.next_deadline(); }
    void end_drains(Instant now);  // makes suspect what is due

    // --- Asked ----------------------------------------------------------------------------------
    // Addresses with a virtual server in the kernel that has somewhere to send traffic, and that
    // are bound if they are to be. The same pointer as long as they are the same.
    [[nodiscard]] std::shared_ptr<const std::set<net::IpAddress>> servable();
    // Addresses that should be among them, and are not.
    [[nodiscard]] const std::set<net::IpAddress>& unservable() const { return unservable_; }
    // Whether the virtual server is wanted, or was put or found there for us and is still to go.
    [[nodiscard]] bool owns(const VirtualServerKey& key) const;
    // A virtual server that should be and is in the kernel: the next after `key`, in a circle.
    [[nodiscard]] std::optional<VirtualServerKey> known_after(const VirtualServerKey& key) const;
    // How many objects are as they should be.
    [[nodiscard]] std::size_t settled() const;
    // The real servers a virtual server has in the kernel; null when it is not there.
    [[nodiscard]] const RealServers* found_real_servers(const VirtualServerKey& key) const;
    // Shows the elements the kernel has in the sets that carry marks.
    void for_marked(const std::function<void(const SetElement&, std::uint32_t mark)>& show) const;
    // For tests: whole sides as values, and how many records were looked at.
    [[nodiscard]] KernelTables wanted() const;
    [[nodiscard]] KernelTables found() const;
    [[nodiscard]] std::size_t visits() const { return visits_; }

private:
    struct Server {
        const kube::ObjectKey* owner = nullptr;  // a key of services_
        VirtualServerRef wanted;
        VirtualServerRef found;
        std::uint32_t reading = 0;
        bool suspect = false;
        bool serves = false;  // counted in the Place of its address
        bool should_serve = false;
    };
    enum class Way : std::uint8_t { Undecided, Address, Route };
    // An address: bound here, or that of a server.
    struct Place {
        std::uint32_t claims = 0;  // Services that want it bound
        std::uint32_t serving = 0;
        std::uint32_t should_serve = 0;
        std::uint32_t address_reading = 0;
        std::uint32_t route_reading = 0;
        Way way = Way::Undecided;
        std::uint8_t source = 0;  // of the route, by number in seen_sources_
        bool has_address = false;
        bool has_route = false;
        bool servable = false;
        bool suspect = false;
    };
    struct Member {
        std::uint32_t claims = 0;
        std::uint32_t wanted_mark = 0;
        std::uint32_t found_mark = 0;
        std::uint32_t reading = 0;
        bool is_found = false;
        bool suspect = false;
    };
    using Servers = std::map<VirtualServerKey, Server>;
    using Places = std::map<net::IpAddress, Place>;
    using Members = std::map<SetElement, Member>;
    struct Phases;
    class Acknowledging;

    // ledger_wanted.cpp
    void change(
        const kube::ObjectKey& service, const ServiceTables& before, const ServiceTables& after
    );
    void claim(
        const kube::ObjectKey& service, const VirtualServerKey& key, VirtualServerRef server
    );
    void release(const kube::ObjectKey& service, const VirtualServerKey& key);
    void replace(
        const kube::ObjectKey& service,
        const VirtualServerKey& key,
        const VirtualServerRef& before,
        const VirtualServerRef& after
    );
    void claim(const kube::ObjectKey& service, const SetElement& element, std::uint32_t mark);
    void release(const kube::ObjectKey& service, const SetElement& element);
    void set_sources(const std::map<net::Family, net::IpAddress>& sources);
    // ledger_found.cpp
    void set_found(const VirtualServerKey& key, Server& record, VirtualServerRef server);
    void count_serving(const VirtualServerKey& key, Server& record);
    [[nodiscard]] std::uint8_t number_of(const std::optional<net::IpAddress>& source);
    [[nodiscard]] std::optional<net::IpAddress> source_for(const net::IpAddress& address) const;
    void set_bound(const net::IpAddress& address, Place& place, bool has_address, bool has_route);
    void judge(const net::IpAddress& address, Place& place);
    void drop_if_unused(const net::IpAddress& address);
    // ledger_diff.cpp
    void compare(const VirtualServerKey& key, Instant now, Phases& phases);
    void compare_real_servers(
        const VirtualServerKey& key, const Server& record, Instant now, Phases& phases
    );
    void retire(
        const VirtualServerKey& key,
        const VirtualServer& wanted,
        const net::Endpoint& endpoint,
        std::uint32_t weight,
        Instant now,
        Phases& phases
    );
    void compare(const net::IpAddress& address, Phases& phases);
    [[nodiscard]] bool has_right_route(const net::IpAddress& address, const Place& place) const;
    void compare(const SetElement& element, Phases& phases);
    [[nodiscard]] Way way_for(const Place& place, std::size_t adding) const;
    [[nodiscard]] Duration grace(const VirtualServer& server) const;

    void mark(const VirtualServerKey& key, Server& record);
    void mark(const net::IpAddress& address, Place& record);
    void mark(const SetElement& element, Member& record);

    Binding binding_;
    Duration drain_grace_;
    std::map<net::Family, net::IpAddress> sources_;
    std::map<kube::ObjectKey, std::shared_ptr<const ServiceTables>> services_;
    Servers servers_;
    Places places_;
    Members members_;
    // The losers' claims, seldom any.
    std::map<VirtualServerKey, std::map<kube::ObjectKey, VirtualServerRef>> rivals_;
    std::map<SetElement, std::map<kube::ObjectKey, std::uint32_t>> marks_;
    Drains drains_;

    // The different sources routes were seen with: few, so that a place needs only a number.
    std::vector<std::optional<net::IpAddress>> seen_sources_;

    std::uint32_t reading_ = 0;
    std::size_t bound_addresses_ = 0;  // records with has_address
    std::size_t surprises_ = 0;
    std::size_t visits_ = 0;
    std::vector<VirtualServerKey> suspect_servers_;
    std::vector<net::IpAddress> suspect_places_;
    std::vector<SetElement> suspect_members_;
    std::set<net::IpAddress> unservable_;
    std::shared_ptr<const std::set<net::IpAddress>> servable_ =
        std::make_shared<const std::set<net::IpAddress>>();
    bool servable_changed_ = false;
};

// Addresses beyond this many become routes under Binding::Auto: binding costs the kernel time that
// grows with the square of their number.
inline constexpr std::size_t kMostAddresses = 2000;

}  // namespace steelyard::proxy
