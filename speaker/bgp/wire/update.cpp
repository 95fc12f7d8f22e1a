#include "speaker/bgp/wire/update.hpp"

#include "common/wire/reader.hpp"
#include "speaker/bgp/wire/update_check.hpp"

#include <algorithm>
#include <bitset>
#include <utility>

namespace steelyard::bgp_wire {
namespace {

constexpr auto number(AttributeType type) {
    return static_cast<std::uint8_t>(type);
}

// One UPDATE on its way through the rules. Views the message.
class Judge {
public:
    Judge(std::span<const std::byte> body, const UpdateContext& context)
        : body_(body), context_(context) {}

    UpdateSummary run() {
        if (split()) {
            read_classic();
            read_attributes();
            require_mandatory();
            find_end_of_rib();
        }
        return conclude();
    }

private:
    // Only this and prefixes that cannot be parsed make it unknown what the message is about.
    bool split() {
        wire::Reader in(body_);
        withdrawn_ = in.bytes(in.u16());
        attributes_ = in.bytes(in.u16());
        nlri_ = in.rest();
        if (!in.ok()) {
            find(
                {Verdict::Reset,
                 UpdateError::MalformedAttributeList,
                 {},
                 "the lengths of withdrawn routes and attributes exceed the message"}
            );
        }
        return in.ok();
    }

    // RFC 7606 3 i, 5.3. There is no attribute to report and no milder way.
    std::uint32_t count_classic(std::span<const std::byte> field, const char* name) {
        const auto count = count_prefixes(field, net::Family::V4);
        if (!count) {
            find(
                {Verdict::Reset,
                 UpdateError::InvalidNetworkField,
                 {},
                 std::string(name) + ": prefixes are syntactically incorrect"}
            );
            return 0;
        }
        if (*count > 0 && !context_.v4) {
            find(
                {Verdict::Discard,
                 UpdateError::Unspecific,
                 {},
                 std::string(name) + ": IPv4 unicast was not negotiated"}
            );
            return 0;
        }
        return *count;
    }

    void read_classic() {
        out_.v4.withdrawn = count_classic(withdrawn_, "withdrawn routes");
        out_.v4.announced = count_classic(nlri_, "NLRI");
        classic_announced_ = out_.v4.announced > 0;
        reachable_ = !nlri_.empty();
    }

    void read_attributes() {
        std::span<const std::byte> rest = attributes_;
        while (!rest.empty()) {
            const auto attribute = take_attribute(rest);
            if (!attribute) {
                find(
                    {Verdict::TreatAsWithdraw,
                     UpdateError::MalformedAttributeList,
                     {},
                     "attributes: octets are left that make no attribute"}
                );
                return;
            }
            if (attribute->overruns) {
                find(
                    {Verdict::TreatAsWithdraw,
                     UpdateError::MalformedAttributeList,
                     {},
                     attribute_name(attribute->type) + ": overruns the attributes"}
                );
            }
            read_attribute(*attribute);
        }
    }

    // RFC 7606 4: both ways in which attributes and their total can disagree.
    static std::optional<RawAttribute> take_attribute(std::span<const std::byte>& rest) {
        wire::Reader in(rest);
        RawAttribute out;
        out.flags = in.u8();
        out.type = in.u8();
        const std::size_t length = (out.flags & kFlagExtendedLength) != 0 ? in.u16() : in.u8();
        if (!in.ok()) {
            return std::nullopt;
        }
        out.overruns = length > in.remaining();
        out.value = in.bytes(std::min(length, in.remaining()));
        out.whole = rest.first(rest.size() - in.remaining());
        rest = in.rest();
        return out;
    }

    void read_attribute(const RawAttribute& attribute) {
        const bool reach = attribute.type == number(AttributeType::MpReach);
        const bool unreach = attribute.type == number(AttributeType::MpUnreach);
        const bool again = seen_.test(attribute.type);
        seen_.set(attribute.type);
        ++attributes_seen_;
        if (again) {
            find_repeated(attribute, reach || unreach);
        } else if (reach) {
            read_mp(read_mp_reach(attribute, context_), &UpdateSummary::Routes::announced);
        } else if (unreach) {
            read_mp(read_mp_unreach(attribute, context_), &UpdateSummary::Routes::withdrawn);
        } else if (!attribute.overruns) {
            if (auto finding = check_attribute(attribute, context_)) {
                find(std::move(*finding));
            }
        }
    }

    // RFC 7606 3 g. A message can repeat thousands: one is put into words.
    void find_repeated(const RawAttribute& attribute, bool multiprotocol) {
        const Verdict verdict = multiprotocol ? Verdict::Reset : Verdict::Discard;
        if (verdict <= strongest_.verdict) {
            return;
        }
        find(
            {verdict,
             UpdateError::MalformedAttributeList,
             {},
             attribute_name(attribute.type) + ": appears more than once"}
        );
    }

    void read_mp(MpRoutes routes, std::uint32_t UpdateSummary::Routes::*counter) {
        const bool announces = counter == &UpdateSummary::Routes::announced;
        reachable_ = reachable_ || (announces && routes.has_nlri);
        if (routes.family) {
            of(*routes.family).*counter += routes.routes;
            mp_announced_ = mp_announced_ || (announces && routes.routes > 0);
            unreach_empty_ = announces || routes.has_nlri ? unreach_empty_ : routes.family;
        }
        if (!routes.finding) {
            return;
        }
        if (routes.finding->verdict == Verdict::DisableFamily) {
            of(*routes.family).disabled = true;
        }
        find(std::move(*routes.finding));
    }

    // RFC 4271 5, RFC 7606 3 d; NEXT_HOP only beside the classic NLRI, LOCAL_PREF inside an AS.
    void require_mandatory() {
        if (!classic_announced_ && !mp_announced_) {
            return;
        }
        require(AttributeType::Origin);
        require(AttributeType::AsPath);
        if (classic_announced_) {
            require(AttributeType::NextHop);
        }
        if (context_.ibgp) {
            require(AttributeType::LocalPref);
        }
    }

    void require(AttributeType type) {
        if (!seen_.test(number(type))) {
            find(
                {Verdict::TreatAsWithdraw,
                 UpdateError::MissingWellKnownAttribute,
                 {},
                 attribute_name(number(type)) + ": missing"}
            );
        }
    }

    // RFC 4724 2: nothing at all, or nothing but an empty MP_UNREACH_NLRI.
    void find_end_of_rib() {
        if (strongest_.verdict != Verdict::Accept || !withdrawn_.empty() || !nlri_.empty()) {
            return;
        }
        if (attributes_.empty()) {
            if (context_.v4) {
                out_.end_of_rib = net::Family::V4;
            }
        } else if (attributes_seen_ == 1) {
            out_.end_of_rib = unreach_empty_;
        }
    }

    UpdateSummary::Routes& of(net::Family family) {
        return family == net::Family::V4 ? out_.v4 : out_.v6;
    }

    void find(Finding finding) {
        withdraw_ = withdraw_ || finding.verdict == Verdict::TreatAsWithdraw;
        if (finding.verdict > strongest_.verdict) {
            strongest_ = std::move(finding);
        }
    }

    UpdateSummary conclude() {
        // RFC 7606 5.2: attributes about no route at all, and wrong ones: the prefixes may have
        // been lost on the way.
        const std::size_t unreach = seen_.test(number(AttributeType::MpUnreach)) ? 1 : 0;
        const bool aimless = seen_.count() > unreach && !reachable_;
        if (aimless && strongest_.verdict > Verdict::Discard) {
            strongest_.verdict = Verdict::Reset;
        }
        out_.verdict = strongest_.verdict;
        out_.why = std::move(strongest_.why);
        if (out_.verdict == Verdict::Reset) {
            out_.v4 = {};
            out_.v6 = {};
            const auto data = strongest_.data;
            out_.reset = make_notification(strongest_.error, {data.begin(), data.end()});
            return std::move(out_);
        }
        settle(out_.v4);
        settle(out_.v6);
        return std::move(out_);
    }

    void settle(UpdateSummary::Routes& routes) const {
        if (withdraw_) {
            routes.withdrawn += std::exchange(routes.announced, 0);
        }
        if (routes.disabled) {
            routes = {0, 0, true};
        }
    }

    std::span<const std::byte> body_;
    const UpdateContext& context_;
    std::span<const std::byte> withdrawn_;
    std::span<const std::byte> attributes_;
    std::span<const std::byte> nlri_;
    std::bitset<256> seen_;
    std::size_t attributes_seen_ = 0;
    bool reachable_ = false;  // octets of NLRI of any kind
    bool classic_announced_ = false;
    bool mp_announced_ = false;
    bool withdraw_ = false;
    std::optional<net::Family> unreach_empty_;
    Finding strongest_;
    UpdateSummary out_;
};

}  // namespace

std::string_view to_string(Verdict verdict) {
    switch (verdict) {
        case Verdict::Accept:
            return "accept";
        case Verdict::Discard:
            return "attribute discard";
        case Verdict::TreatAsWithdraw:
            return "treat-as-withdraw";
        case Verdict::DisableFamily:
            return "disable family";
        case Verdict::Reset:
            return "session reset";
    }
    return "unknown";
}

UpdateSummary decode_update(std::span<const std::byte> body, const UpdateContext& context) {
    return Judge(body, context).run();
}

}  // namespace steelyard::bgp_wire
