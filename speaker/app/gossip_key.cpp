#include "speaker/app/gossip_key.hpp"

#include <cerrno>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <set>
#include <system_error>
#include <utility>
#include <vector>

namespace steelyard::speaker {
namespace {

constexpr const char* kFlag = "--ml-secret-key-path: ";

Result<gossip_wire::Key> load_key(const std::string& path) {
    errno = 0;
    std::ifstream file(path);
    if (!file) {
        return errno_error(errno, kFlag + path);
    }
    const std::string secret{std::istreambuf_iterator<char>(file), {}};
    if (secret.empty()) {
        return make_error(Errc::Invalid, kFlag + path + " is empty; a secret is needed");
    }
    return gossip_wire::metallb_key(secret);
}

// Sorted, so that every node has them in one order.
std::set<std::string> further_keys(const std::string& folder) {
    std::set<std::string> paths;
    std::error_code ignored;  // then the key itself cannot be read either
    for (std::filesystem::directory_iterator entry(folder, ignored), end; entry != end;
         entry.increment(ignored)) {
        if (entry->path().filename().string().starts_with("secretkey-")) {
            paths.insert(entry->path().string());
        }
    }
    return paths;
}

}  // namespace

Result<gossip_wire::KeyRing> load_gossip_keys(const std::string& folder) {
    std::vector<std::string> paths{folder + "/secretkey"};
    for (const std::string& path : further_keys(folder)) {
        paths.push_back(path);
    }
    std::vector<gossip_wire::Key> keys;
    for (const std::string& path : paths) {
        auto key = load_key(path);
        if (!key) {
            return key.error();
        }
        keys.push_back(std::move(*key));
    }
    return gossip_wire::KeyRing::make(std::move(keys));
}

}  // namespace steelyard::speaker
