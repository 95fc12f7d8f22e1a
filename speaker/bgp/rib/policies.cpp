#include "speaker/bgp/rib/policies.hpp"

#include <algorithm>
#include <utility>

namespace steelyard::bgp_rib {
namespace {

template <class T>
void put_right(std::vector<T>& values) {
    std::sort(values.begin(), values.end());
    values.erase(std::unique(values.begin(), values.end()), values.end());
}

Attributes put_right(Attributes attributes) {
    put_right(attributes.communities);
    put_right(attributes.large);
    put_right(attributes.extended);
    return attributes;
}

bool names_peer(const std::vector<std::string>& names, const std::string& peer) {
    return names.empty() || std::binary_search(names.begin(), names.end(), peer);
}

}  // namespace

void Policies::Members::assign(std::uint32_t slot, bool member) {
    if (slot / 64 >= words.size()) {
        words.resize(slot / 64 + 1);
    }
    const std::uint64_t bit = std::uint64_t{1} << (slot % 64);
    words[slot / 64] = member ? words[slot / 64] | bit : words[slot / 64] & ~bit;
}

bool Policies::Members::contains(std::uint32_t slot) const {
    return slot / 64 < words.size() && ((words[slot / 64] >> (slot % 64)) & 1U) != 0;
}

void Policies::add_peer(std::uint32_t slot, const std::string& name) {
    if (slot >= names_.size()) {
        names_.resize(slot + 1);
    }
    names_[slot] = name;
    for (std::uint32_t id = 1; id <= peers_.highest(); ++id) {
        if (peers_.live(id)) {
            members_[id].assign(slot, names_peer(peers_[id], name));
        }
    }
}

void Policies::remove_peer(std::uint32_t slot) {
    names_[slot].clear();
    for (Members& members : members_) {
        members.assign(slot, false);
    }
}

std::uint32_t Policies::add_peers(std::vector<std::string> names) {
    put_right(names);
    const std::uint32_t id = peers_.add(std::move(names));
    if (peers_.sole(id)) {
        members_.resize(std::max<std::size_t>(members_.size(), id + 1));
        for (std::uint32_t slot = 0; slot < names_.size(); ++slot) {
            members_[id].assign(slot, names_peer(peers_[id], names_[slot]));
        }
    }
    return id;
}

std::uint32_t Policies::add(const std::vector<Path>& paths) {
    std::vector<Choice> choices;
    choices.reserve(paths.size());
    for (const Path& path : paths) {
        choices.push_back({add_peers(path.peers), attributes_.add(put_right(path.attributes))});
    }
    const std::uint32_t list = lists_.add(choices);
    if (lists_.sole(list)) {
        open_.resize(std::max<std::size_t>(open_.size(), list + 1));
        open_[list] = std::move(choices);
        return list;
    }
    for (const Choice& choice : choices) {  // the list has its own references already
        (void)peers_.release(choice.peers);
        (void)attributes_.release(choice.attributes);
    }
    return list;
}

void Policies::retain(std::uint32_t list) {
    if (list != kWithdrawn) {
        lists_.retain(list);
    }
}

void Policies::release(std::uint32_t list) {
    if (list == kWithdrawn || !lists_.release(list)) {
        return;
    }
    for (const Choice& choice : std::exchange(open_[list], {})) {
        (void)peers_.release(choice.peers);
        (void)attributes_.release(choice.attributes);
    }
}

std::uint32_t Policies::attributes_for(std::uint32_t list, std::uint32_t slot) const {
    if (list == kWithdrawn) {
        return kNothing;
    }
    for (const Choice& choice : open_[list]) {
        if (members_[choice.peers].contains(slot)) {
            return choice.attributes;
        }
    }
    return kNothing;
}

}  // namespace steelyard::bgp_rib
