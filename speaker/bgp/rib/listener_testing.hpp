#pragma once

#include "speaker/bgp/rib/rib_out.hpp"
#include "speaker/bgp/wire/route_refresh.hpp"
#include "speaker/bgp/wire/testing.hpp"

#include <gtest/gtest.h>

#include <array>
#include <cstddef>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <variant>

// For tests: a peer that reads every byte written to it, keeps the table they make, and fails the
// test on a message it had no need of: a repeat it did not ask for, a withdrawal of what it has
// not.
namespace steelyard::bgp_rib {

class Listener {
public:
    struct Mailbox {
        bool end_of_rib = false;
        bool wants_refresh = false;            // asked before the end of the initial table
        bool in_refresh = false;               // between begin and end
        std::set<net::Prefix> to_be_repeated;  // asked for
    };

    explicit Listener(SessionView session) : session_(std::move(session)) {}

    // Whoever repeats a request before it was served gets everything again just the same.
    void ask_refresh(net::Family family) {
        Mailbox& box = boxes[index(family)];
        if (!box.end_of_rib) {
            box.wants_refresh = true;
            return;
        }
        expect_repeats(family);
    }

    // What it has of the family comes once more, or is withdrawn.
    void expect_repeats(net::Family family) {
        for (const auto& [prefix, attributes] : table) {
            if (prefix.address().family() == family) {
                boxes[index(family)].to_be_repeated.insert(prefix);
            }
        }
    }

    void read(std::span<const std::byte> stream) {
        for (const bgp_wire::Message& message : bgp_wire::split_messages(stream)) {
            const std::size_t size = message.body.size() + bgp_wire::kHeaderSize;
            EXPECT_LE(size, session_.max_message);
            ++messages;
            if (message.type == bgp_wire::MessageType::RouteRefresh) {
                read_mark(message.body);
            } else {
                ASSERT_EQ(message.type, bgp_wire::MessageType::Update);
                read_update(message.body);
            }
        }
    }

    [[nodiscard]] std::size_t count(net::Family family) const {
        std::size_t found = 0;
        for (const auto& [prefix, attributes] : table) {
            found += prefix.address().family() == family ? 1U : 0U;
        }
        return found;
    }

    std::map<net::Prefix, bgp_wire::PathAttributes> table;
    std::array<Mailbox, 2> boxes;
    std::size_t messages = 0;
    std::size_t updates = 0;  // that announce or withdraw
    std::size_t announcements = 0;
    std::size_t withdrawals = 0;

    static std::size_t index(net::Family family) { return family == net::Family::V4 ? 0 : 1; }

private:
    void read_mark(std::span<const std::byte> body) {
        const auto decoded = bgp_wire::decode_route_refresh(body);
        const auto mark = std::get<std::optional<bgp_wire::RouteRefresh>>(decoded);
        ASSERT_TRUE(mark.has_value());
        EXPECT_TRUE(session_.enhanced_refresh);
        Mailbox& box = boxes[index(mark->family)];
        EXPECT_TRUE(box.end_of_rib) << "a refresh within the initial table";
        if (mark->kind == bgp_wire::RouteRefresh::Kind::Begin) {
            box.in_refresh = true;
            return;
        }
        EXPECT_EQ(mark->kind, bgp_wire::RouteRefresh::Kind::End);
        EXPECT_TRUE(box.in_refresh);
        EXPECT_TRUE(box.to_be_repeated.empty()) << "what the end mark would purge";
        box.in_refresh = false;
    }

    void read_end_of_rib(net::Family family) {
        Mailbox& box = boxes[index(family)];
        EXPECT_FALSE(box.end_of_rib) << "End-of-RIB twice";
        box.end_of_rib = true;
        if (std::exchange(box.wants_refresh, false)) {
            expect_repeats(family);
        }
    }

    void read_update(std::span<const std::byte> body) {
        const bgp_wire::ReadUpdate update = bgp_wire::read_update(body, session_.as4);
        if (update.end_of_rib_v4()) {
            read_end_of_rib(net::Family::V4);
            return;
        }
        if (update.announced.empty() && update.withdrawn.empty()) {
            read_end_of_rib(net::Family::V6);
            return;
        }
        ++updates;
        for (const net::Prefix& prefix : update.withdrawn) {
            EXPECT_EQ(table.erase(prefix), 1U) << "never had " << to_string(prefix);
            boxes[index(prefix.address().family())].to_be_repeated.erase(prefix);
            ++withdrawals;
        }
        for (const net::Prefix& prefix : update.announced) {
            Mailbox& box = boxes[index(prefix.address().family())];
            const bool asked = box.to_be_repeated.erase(prefix) != 0;
            const auto known = table.find(prefix);
            EXPECT_TRUE(asked || known == table.end() || known->second != update.attributes)
                << "repeats " << to_string(prefix);
            table[prefix] = update.attributes;
            ++announcements;
        }
    }

    SessionView session_;
};

}  // namespace steelyard::bgp_rib
