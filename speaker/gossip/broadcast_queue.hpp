#pragma once

#include "common/wire/writer.hpp"

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <vector>

// News waiting to be gossiped. Each message is about one member and replaces an older one about the
// same; it is handed out a limited number of times, those handed out least first, newest first.
namespace steelyard::gossip {

// mult * ceil(log10(n + 1)): enough that everybody hears it with high probability.
[[nodiscard]] unsigned retransmit_limit(unsigned mult, std::size_t members);

class BroadcastQueue {
public:
    void push(const std::string& about, wire::Bytes message);
    // Messages for one packet, each counted as `overhead` more than its size, together at most
    // `space`. A message handed out `limit` times is dropped.
    std::vector<wire::Bytes> take(std::size_t overhead, std::size_t space, unsigned limit);

    [[nodiscard]] bool empty() const { return messages_.empty(); }
    [[nodiscard]] std::size_t size() const { return messages_.size(); }
    [[nodiscard]] bool contains(const std::string& about) const { return keys_.count(about) > 0; }

private:
    struct Message {
        std::string about;
        wire::Bytes bytes;
    };
    using Rank = std::pair<unsigned, std::uint64_t>;  // times handed out; newer is smaller
    std::map<Rank, Message> messages_;
    std::map<std::string, Rank> keys_;
    std::uint64_t next_age_ = ~std::uint64_t{0};
};

}  // namespace steelyard::gossip
