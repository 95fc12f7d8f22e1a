#include "speaker/io/netlink/sysctl.hpp"

#include <fstream>

namespace steelyard::netlink {

Result<bool> ensure(const Sysctl& sysctl, const std::string& root) {
    const std::string path = root + sysctl.name;
    std::ifstream current(path);
    if (!current) {
        if (sysctl.optional) {
            return false;
        }
        return make_error(Errc::Unsupported, path + " does not exist");
    }
    std::string value;
    std::getline(current, value);
    if (value == sysctl.value) {
        return false;
    }
    std::ofstream file(path);
    file << sysctl.value << std::flush;
    if (!file) {
        return make_error(
            Errc::Unauthorized,
            path + " is " + value + ", must be " + sysctl.value + ", and cannot be written"
        );
    }
    return true;
}

}  // namespace steelyard::netlink
