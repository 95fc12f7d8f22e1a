#include "speaker/io/dataplane/kernel_sets.hpp"

#include "speaker/io/dataplane/netlink_error.hpp"

#include <linux/netlink.h>

#include <algorithm>
#include <cerrno>
#include <utility>

namespace steelyard::dataplane {
namespace {

namespace ipset = netlink::ipset;
using net::Family;
using netlink::Bytes;
using netlink::Message;
using netlink::RequestSocket;
using proxy::SetEntry;
using proxy::SetId;

constexpr std::uint32_t kMostElements = 1U << 26U;  // beyond it something else is wrong

std::vector<SetId> all_sets() {
    std::vector<SetId> sets;
    for (const Family family : {Family::V4, Family::V6}) {
        for (const proxy::SetName name : proxy::all_set_names()) {
            SetId set;
            set.name = name;
            set.family = family;
            sets.push_back(set);
        }
    }
    return sets;
}

bool is_nearly_full(const ipset::Header& header) {
    return header.max_elements != 0 && header.elements >= header.max_elements / 4 * 3;
}

// No such set, or no ipset in this kernel at all, which nfnetlink calls an invalid message.
bool is_absent(int error) {
    return error == ENOENT || error == EINVAL;
}
bool is_absent(const Error& error) {
    return is_errno(error, ENOENT) || is_errno(error, EINVAL);
}

Error error_about(const std::string& set, const Error& error) {
    return make_error(error.code, "ipset " + set + ": " + describe(error));
}

}  // namespace

SetTables::SetTables(std::unique_ptr<RequestSocket> socket, std::string_view prefix)
    : socket_(std::move(socket)), prefix_(prefix) {}

Result<std::unique_ptr<SetTables>> SetTables::open(
    const asio::any_io_executor& executor, std::string_view prefix
) {
    auto socket = RequestSocket::open(executor, NETLINK_NETFILTER);
    if (!socket) {
        return socket.error();
    }
    return std::unique_ptr<SetTables>(new SetTables(std::move(*socket), prefix));
}

std::string SetTables::name(SetId set) const {
    return proxy::set_name(set, prefix_);
}

awaitable<Result<std::map<std::string, ipset::Header>>> SetTables::headers() {
    std::map<std::string, ipset::Header> headers;
    const RequestSocket::OnMessage collect = [&headers](const Message& message) {
        if (auto header = ipset::decode_header(message.payload)) {
            std::string name = header->name;
            headers.insert_or_assign(std::move(name), std::move(*header));
        }
    };
    const RequestSocket::OnRestart forget = [&headers] {
        headers.clear();
    };
    auto done = co_await socket_->dump(ipset::dump_headers(), collect, forget);
    if (!done && is_absent(done.error())) {
        co_return headers;
    }
    if (!done) {
        co_return error_about("list", done.error());
    }
    co_return headers;
}

awaitable<Result<std::uint8_t>> SetTables::revision(SetId set) {
    const proxy::SetType type = proxy::set_type(set.name);
    const std::string type_name(proxy::to_string(type));
    if (!revisions_.contains(type)) {
        const auto replies = co_await socket_->exchange(ipset::get_type(set));
        const auto revisions = replies && !replies->empty()
                                   ? ipset::decode_revisions(replies->front().payload)
                                   : std::nullopt;
        if (!revisions) {
            const std::string why = replies ? describe(ENOENT) : describe(replies.error());
            co_return make_error(
                Errc::Unsupported, "the kernel has no ipset type " + type_name + ": " + why
            );
        }
        revisions_[type] = *revisions;
    }
    const auto chosen = ipset::choose_revision(set, revisions_[type]);
    if (!chosen) {
        co_return make_error(
            Errc::Unsupported,
            "the kernel's ipset type " + type_name + " cannot carry marks (Linux 3.18 can)"
        );
    }
    co_return *chosen;
}

awaitable<Result<>> SetTables::ensure() {
    const auto present = co_await headers();
    if (!present) {
        co_return present.error();
    }
    if (present->contains(temporary())) {
        // One that somebody uses stays, and is named when a set has to grow.
        (void)co_await destroy_temporary();
    }
    std::vector<SetId> missing;
    std::vector<std::pair<SetId, std::uint32_t>> outgrown;
    for (const SetId& set : all_sets()) {
        const auto found = present->find(name(set));
        if (found == present->end()) {
            missing.push_back(set);
            continue;
        }
        const ipset::Header& header = found->second;
        const std::string_view type = proxy::to_string(proxy::set_type(set.name));
        if (header.type != type) {
            co_return make_error(
                Errc::Conflict,
                "ipset " + header.name + " exists as " + header.type + ", must be " +
                    std::string(type) + ": destroy it"
            );
        }
        const bool lacks_marks = proxy::has_marks(set.name) && !header.carries_marks;
        if (lacks_marks || is_nearly_full(header)) {
            outgrown.emplace_back(set, header.elements);
        }
    }
    if (auto done = co_await create_missing(missing); !done) {
        co_return done;
    }
    for (const auto& [set, elements] : outgrown) {
        const std::uint32_t room = std::min(elements, kMostElements / 4) * 4;
        if (auto done = co_await renew(set, std::max(room, ipset::kMaxElements)); !done) {
            co_return done;
        }
    }
    co_return Result<>();
}

// What a speaker that died in renew() left: half of a new set, or all of an old one. Rules never
// name it.
awaitable<Result<>> SetTables::destroy_temporary() {
    std::vector<Bytes> messages;
    messages.push_back(ipset::destroy(temporary()));
    const auto result = co_await socket_->batch(std::move(messages));
    const int error = result.errors.front();
    if (error != 0 && !is_absent(error)) {
        co_return refusal(error, "ipset " + temporary());
    }
    co_return Result<>();
}

awaitable<Result<>> SetTables::create_missing(const std::vector<SetId>& sets) {
    std::vector<Bytes> messages;
    for (const SetId& set : sets) {
        const auto chosen = co_await revision(set);
        if (!chosen) {
            co_return chosen.error();
        }
        messages.push_back(ipset::create(name(set), set, *chosen));
    }
    const auto result = co_await socket_->batch(std::move(messages));
    for (std::size_t i = 0; i < sets.size(); ++i) {
        const int error = result.errors[i];
        if (error != 0 && error != EEXIST) {
            co_return refusal(error, "ipset " + name(sets[i]));
        }
    }
    co_return Result<>();
}

// Copies the members into an empty set. Nobody else changes ours meanwhile.
awaitable<Result<>> SetTables::copy(SetId set, const std::string& to) {
    std::vector<std::pair<SetEntry, std::uint32_t>> members;
    const ipset::OnMember keep = [&members](const SetEntry& entry, std::uint32_t mark) {
        members.emplace_back(entry, mark);
    };
    const RequestSocket::OnMessage collect = [&](const Message& message) {
        ipset::decode_members(message.payload, set, keep);
    };
    const RequestSocket::OnRestart forget = [&members] {
        members.clear();
    };
    auto listed = co_await socket_->dump(ipset::list(name(set)), collect, forget);
    if (!listed) {
        co_return error_about(name(set), listed.error());
    }
    const RequestSocket::Encode encode = [&](std::size_t index) {
        return ipset::add(to, set, members[index].first, members[index].second);
    };
    const auto added = co_await socket_->batch(members.size(), encode);
    const auto failed = std::ranges::find_if(added.errors, [](int error) { return error != 0; });
    if (failed != added.errors.end()) {
        co_return refusal(*failed, "copying its members");
    }
    co_return Result<>();
}

awaitable<Result<>> SetTables::renew(SetId set, std::uint32_t max_elements) {
    const std::string fresh = temporary();
    const auto chosen = co_await revision(set);
    if (!chosen) {
        co_return chosen.error();
    }
    std::vector<Bytes> begin;
    begin.push_back(ipset::destroy(fresh));  // what an interrupted attempt left
    begin.push_back(ipset::create(fresh, set, *chosen, max_elements));
    const auto created = co_await socket_->batch(std::move(begin));
    if (created.errors.back() != 0) {
        co_return refusal(created.errors.back(), "ipset " + fresh);
    }
    Result<> done = co_await copy(set, fresh);
    std::vector<Bytes> end;
    if (done) {
        end.push_back(ipset::swap(fresh, name(set)));
    }
    end.push_back(ipset::destroy(fresh));
    const auto ended = co_await socket_->batch(std::move(end));
    if (done && ended.errors.front() != 0) {
        done = refusal(ended.errors.front(), "swapping");
    }
    if (!done) {
        co_return make_error(
            done.error().code, "ipset " + name(set) + " cannot grow: " + done.error().context
        );
    }
    co_return Result<>();
}

awaitable<Result<>> SetTables::enlarge(SetId set) {
    const auto present = co_await headers();
    if (!present) {
        co_return present.error();
    }
    const auto found = present->find(name(set));
    const std::uint32_t limit = found == present->end() ? 0 : found->second.max_elements;
    if (limit >= kMostElements) {
        co_return make_error(Errc::Unavailable, "ipset " + name(set) + " is as large as may be");
    }
    co_return co_await renew(set, std::max(limit * 4, ipset::kMaxElements));
}

awaitable<Result<>> SetTables::read(Observer& observer) {
    for (const SetId& set : all_sets()) {
        const ipset::OnMember show = [&](const SetEntry& entry, std::uint32_t mark) {
            observer.entry(set, entry, mark);
        };
        const RequestSocket::OnMessage collect = [&](const Message& message) {
            ipset::decode_members(message.payload, set, show);
        };
        const RequestSocket::OnRestart again = [] {
        };  // ipset does not interrupt its dumps
        const auto done = co_await socket_->dump(ipset::list(name(set)), collect, again);
        if (!done && !is_absent(done.error())) {
            co_return error_about(name(set), done.error());
        }
    }
    co_return Result<>();
}

awaitable<Result<std::vector<std::string>>> SetTables::remove() {
    const std::vector<SetId> sets = all_sets();
    const RequestSocket::Encode encode = [&](std::size_t index) {
        return ipset::destroy(name(sets[index]));
    };
    const auto result = co_await socket_->batch(sets.size(), encode);
    std::vector<std::string> removed;
    for (std::size_t i = 0; i < sets.size(); ++i) {
        const int error = result.errors[i];
        if (error == 0) {
            removed.push_back(name(sets[i]));
        } else if (!is_absent(error)) {
            co_return refusal(error, "ipset " + name(sets[i]));
        }
    }
    if (auto done = co_await destroy_temporary(); !done) {
        co_return done.error();
    }
    co_return removed;
}

}  // namespace steelyard::dataplane
