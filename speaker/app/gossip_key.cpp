#include "speaker/app/gossip_key.hpp"

#include <cerrno>
#include <fstream>
#include <iterator>

namespace steelyard::speaker {

Result<gossip_wire::KeyRing> load_gossip_keys(const std::string& folder) {
    const std::string path = folder + "/secretkey";
    std::ifstream file(path);
    if (!file) {
        return errno_error(errno, "--ml-secret-key-path: " + path);
    }
    const std::string secret{std::istreambuf_iterator<char>(file), {}};
    if (secret.empty()) {
        return make_error(
            Errc::Invalid, "--ml-secret-key-path: " + path + " is empty; a secret is needed"
        );
    }
    return gossip_wire::KeyRing::make({gossip_wire::metallb_key(secret)});
}

}  // namespace steelyard::speaker
