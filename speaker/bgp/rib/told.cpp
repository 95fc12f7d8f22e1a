#include "speaker/bgp/rib/told.hpp"

#include "speaker/bgp/rib/table.hpp"

namespace steelyard::bgp_rib {
namespace {

constexpr std::size_t kKept = 1024;  // unused records; more are given back once all are in sync

std::uint64_t bit(std::uint32_t slot) {
    return std::uint64_t{1} << (slot % 64);
}

}  // namespace

std::uint32_t Told::find(std::uint32_t chain, std::uint32_t slot) const {
    for (; chain != kNone; chain = records_[chain].next) {
        const Record& record = records_[chain];
        if (record.group == slot / 64 && (record.peers & bit(slot)) != 0) {
            return record.attributes;
        }
    }
    return kNothing;
}

std::uint32_t Told::take() {
    if (free_.empty()) {
        records_.emplace_back();
        return static_cast<std::uint32_t>(records_.size() - 1);
    }
    const std::uint32_t record = free_.back();
    free_.pop_back();
    return record;
}

void Told::add(std::uint32_t& chain, std::uint32_t slot, std::uint32_t attributes) {
    for (std::uint32_t at = chain; at != kNone; at = records_[at].next) {
        Record& record = records_[at];
        if (record.group == slot / 64 && record.attributes == attributes) {
            record.peers |= bit(slot);
            return;
        }
    }
    policies_.retain_attributes(attributes);
    const std::uint32_t fresh = take();
    records_[fresh] = {bit(slot), attributes, chain, slot / 64};
    chain = fresh;
}

bool Told::remove(std::uint32_t& chain, std::uint32_t slot) {
    std::uint32_t before = kNone;
    for (std::uint32_t at = chain; at != kNone; before = at, at = records_[at].next) {
        Record& record = records_[at];
        if (record.group != slot / 64 || (record.peers & bit(slot)) == 0) {
            continue;
        }
        record.peers &= ~bit(slot);
        if (record.peers == 0) {
            policies_.release_attributes(record.attributes);
            (before == kNone ? chain : records_[before].next) = record.next;
            free_.push_back(at);
            if (free_.size() == records_.size() && records_.size() > kKept) {
                std::vector<Record>().swap(records_);
                std::vector<std::uint32_t>().swap(free_);
            }
        }
        return true;
    }
    return false;
}

}  // namespace steelyard::bgp_rib
