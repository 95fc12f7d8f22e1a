#include "speaker/io/dataplane/netlink_error.hpp"

#include "speaker/io/netlink/socket.hpp"
#include "speaker/netlink/ipset.hpp"

#include <cerrno>

namespace steelyard::dataplane {

bool is_errno(const Error& error, int number) {
    return error.code == boost::system::error_code(number, boost::system::system_category());
}

std::string describe(int error) {
    if (error == netlink::kAnswerLost) {
        return "the kernel's answer was lost";
    }
    return netlink::ipset::describe_error(error);
}

std::string describe(const Error& error) {
    return error.code.category() == boost::system::system_category() ? describe(error.code.value())
                                                                     : to_string(error);
}

Error refusal(int error, std::string_view what) {
    const Errc code = error == EPERM || error == EACCES ? Errc::Unauthorized : Errc::Unavailable;
    return make_error(code, std::string(what) + ": " + describe(error));
}

}  // namespace steelyard::dataplane
