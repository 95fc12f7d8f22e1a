#include "speaker/l2/announcements.hpp"

#include <algorithm>

namespace steelyard::l2 {

bool is_on_port(const net::IpAddress& address, const Announcement& announcement, const Port& port) {
    if (!(address.is_v4() ? port.arp : port.ndp)) {
        return false;
    }
    const auto& names = announcement.interfaces;
    return names.empty() || std::find(names.begin(), names.end(), port.name) != names.end();
}

}  // namespace steelyard::l2
