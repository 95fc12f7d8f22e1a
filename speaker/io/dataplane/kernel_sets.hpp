#pragma once

#include "common/base/error.hpp"
#include "common/rt/asio.hpp"
#include "speaker/io/dataplane/observer.hpp"
#include "speaker/io/netlink/socket.hpp"
#include "speaker/netlink/ipset.hpp"
#include "speaker/proxy/tables.hpp"

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace steelyard::dataplane {

// Our ipsets. A set that exists with other dimensions, as kube-proxy made it, is used as it is
// until it comes near its limit or must carry marks: then a new one is filled and swapped in, and
// rules that name it go from all old members to all new ones between two packets.
class SetTables {
public:
    static Result<std::unique_ptr<SetTables>> open(
        const asio::any_io_executor& executor, std::string_view prefix
    );

    // Creates what is missing and removes the temporary set of a run that was cut short; an error
    // names the set type the kernel lacks.
    awaitable<Result<>> ensure();
    // A set that does not exist is empty.
    awaitable<Result<>> read(Observer& observer);
    // Room for at least four times what it holds.
    awaitable<Result<>> enlarge(proxy::SetId set);
    // Destroys all; the names of those that existed.
    awaitable<Result<std::vector<std::string>>> remove();

    [[nodiscard]] std::string name(proxy::SetId set) const;
    [[nodiscard]] netlink::RequestSocket& socket() { return *socket_; }

private:
    SetTables(std::unique_ptr<netlink::RequestSocket> socket, std::string_view prefix);

    awaitable<Result<std::map<std::string, netlink::ipset::Header>>> headers();
    awaitable<Result<std::uint8_t>> revision(proxy::SetId set);
    awaitable<Result<>> destroy_temporary();
    awaitable<Result<>> create_missing(const std::vector<proxy::SetId>& sets);
    awaitable<Result<>> renew(proxy::SetId set, std::uint32_t max_elements);
    awaitable<Result<>> copy(proxy::SetId set, const std::string& to);
    [[nodiscard]] std::string temporary() const { return prefix_ + "-STEELYARD-NEW"; }

    std::unique_ptr<netlink::RequestSocket> socket_;
    std::string prefix_;
    std::map<proxy::SetType, netlink::ipset::Revisions> revisions_;  // as far as asked for
};

}  // namespace steelyard::dataplane
