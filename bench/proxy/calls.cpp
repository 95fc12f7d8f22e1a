#include "bench/proxy/calls.hpp"

#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace steelyard::bench {
namespace {

Calls counted;

}  // namespace

const Calls& calls() {
    return counted;
}

void count_send() {
    ++counted.sends;
}
void count_receive() {
    ++counted.receives;
}
void count_wait() {
    ++counted.waits;
}

}  // namespace steelyard::bench

using steelyard::bench::count_receive;
using steelyard::bench::count_send;
using steelyard::bench::count_wait;

extern "C" {

ssize_t sendto(
    int descriptor, const void* data, size_t size, int flags, const sockaddr* to, socklen_t length
) {
    count_send();
    return ::syscall(SYS_sendto, descriptor, data, size, flags, to, length);
}

ssize_t send(int descriptor, const void* data, size_t size, int flags) {
    return sendto(descriptor, data, size, flags, nullptr, 0);
}

ssize_t sendmsg(int descriptor, const msghdr* message, int flags) {
    count_send();
    return ::syscall(SYS_sendmsg, descriptor, message, flags);
}

ssize_t recvmsg(int descriptor, msghdr* message, int flags) {
    count_receive();
    return ::syscall(SYS_recvmsg, descriptor, message, flags);
}

int recvmmsg(int descriptor, mmsghdr* messages, unsigned count, int flags, timespec* timeout) {
    count_receive();
    return static_cast<int>(::syscall(SYS_recvmmsg, descriptor, messages, count, flags, timeout));
}

int epoll_wait(int descriptor, epoll_event* events, int most, int timeout) {
    count_wait();
    return static_cast<int>(
        ::syscall(SYS_epoll_pwait, descriptor, events, most, timeout, nullptr, 0)
    );
}

}  // extern "C"
