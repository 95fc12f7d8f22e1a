#include "common/kube/client/file.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <cerrno>

namespace steelyard::kube {

Result<std::string> read_small_file(const std::string& path) {
    constexpr std::size_t kLimit = 1U << 20U;
    const int descriptor = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (descriptor < 0) {
        return errno_error(errno, "read " + path);
    }
    Result<std::string> result = std::string();
    std::array<char, 4096> block{};
    for (;;) {
        const ssize_t got = ::read(descriptor, block.data(), block.size());
        if (got < 0) {
            result = errno_error(errno, "read " + path);
            break;
        }
        if (got == 0) {
            break;
        }
        result->append(block.data(), static_cast<std::size_t>(got));
        if (result->size() > kLimit) {
            result = make_error(Errc::Invalid, "read " + path + ": larger than 1 MiB");
            break;
        }
    }
    ::close(descriptor);
    return result;
}

std::string trimmed(const std::string& text) {
    constexpr const char* kBlank = " \t\r\n";
    const std::size_t first = text.find_first_not_of(kBlank);
    if (first == std::string::npos) {
        return {};
    }
    return text.substr(first, text.find_last_not_of(kBlank) - first + 1);
}

}  // namespace steelyard::kube
