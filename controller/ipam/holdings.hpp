#pragma once

#include "common/kube/model/meta.hpp"
#include "controller/ipam/addresses.hpp"
#include "controller/ipam/index.hpp"
#include "controller/ipam/request.hpp"

#include <array>
#include <deque>
#include <memory>
#include <vector>

// The table of who holds which address, found by Service and by address. It knows no rule: what may
// be held, and together with whom, is the Allocator's business.
namespace steelyard::ipam {

struct Holding {
    static constexpr std::uint32_t kNoPool = 0xffffffffU;

    kube::ObjectKey service;
    Addresses addresses;
    std::uint32_t pool = kNoPool;
    std::unique_ptr<Sharing> sharing;  // null: shares with nobody
    // The next holder of the same address, for each of them; in the order of the Services' names.
    std::array<std::uint32_t, 2> next{Index::kNone, Index::kNone};
};

class Holdings {
public:
    // References stay valid until the Service is erased.
    [[nodiscard]] Holding* find(const kube::ObjectKey& service);
    [[nodiscard]] const Holding* find(const kube::ObjectKey& service) const;
    // Null when nobody holds the address; the others follow by next_holder().
    [[nodiscard]] const Holding* first_holder(const net::IpAddress& address) const;
    [[nodiscard]] const Holding* next_holder(const Holding& holding, const net::IpAddress& address)
        const;

    // The Service must not be there yet.
    Holding& insert(const kube::ObjectKey& service, const Addresses& addresses);
    void erase(const kube::ObjectKey& service);

    [[nodiscard]] std::size_t size() const { return by_service_.size(); }
    template <class Visit>
    void for_each(Visit&& visit) {
        for (Holding& holding : table_) {
            if (holding.addresses.size() > 0) {
                visit(holding);
            }
        }
    }

private:
    [[nodiscard]] std::uint32_t number_of(const kube::ObjectKey& service) const;
    [[nodiscard]] std::uint32_t head_of(const net::IpAddress& address) const;
    [[nodiscard]] std::uint32_t& next_of(std::uint32_t number, const net::IpAddress& address);
    void link(std::uint32_t number, const net::IpAddress& address);
    void unlink(std::uint32_t number, const net::IpAddress& address);

    std::deque<Holding> table_;  // without addresses: unused
    std::vector<std::uint32_t> unused_;
    Index by_service_;
    Index by_address_;  // to the first holder
};

}  // namespace steelyard::ipam
