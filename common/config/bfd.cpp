#include "common/config/parse.hpp"
#include "common/config/rules.hpp"

namespace steelyard::config {
namespace {

constexpr std::int64_t kMinInterval = 10;
constexpr std::int64_t kMaxInterval = 60'000;  // ms

class ProfileParser {
public:
    ProfileParser(const kube::BfdProfile& object, std::vector<Problem>& problems)
        : object_(object), check_(Kind::BfdProfile, object.meta.key, problems) {}

    BfdProfile parse() {
        BfdProfile profile;
        profile.name = object_.meta.key.name;
        interval("spec.receiveInterval", object_.receive_interval, profile.receive_interval);
        interval("spec.transmitInterval", object_.transmit_interval, profile.transmit_interval);
        interval("spec.echoInterval", object_.echo_interval, profile.echo_interval);
        small(
            "spec.detectMultiplier", object_.detect_multiplier, 2, 255, profile.detect_multiplier
        );
        small("spec.minimumTtl", object_.minimum_ttl, 1, 254, profile.minimum_ttl);
        profile.echo = object_.echo_mode;
        profile.passive = object_.passive_mode;
        return profile;
    }

private:
    // An absent number leaves the default.
    void interval(
        const std::string& field,
        const std::optional<std::int64_t>& written,
        std::chrono::milliseconds& out
    ) {
        if (const auto value =
                check_.number<std::int64_t>(field, written, kMinInterval, kMaxInterval)) {
            out = std::chrono::milliseconds(*value);
        }
    }
    void small(
        const std::string& field,
        const std::optional<std::int64_t>& written,
        std::int64_t min,
        std::int64_t max,
        std::uint8_t& out
    ) {
        out = check_.number<std::uint8_t>(field, written, min, max).value_or(out);
    }

    const kube::BfdProfile& object_;
    ObjectCheck check_;
};

}  // namespace

std::vector<BfdProfile> parse_bfd_profiles(
    const std::vector<kube::BfdProfile>& objects, std::vector<Problem>& problems
) {
    std::vector<BfdProfile> result;
    for (const kube::BfdProfile* object : by_name(Kind::BfdProfile, objects, problems)) {
        result.push_back(ProfileParser(*object, problems).parse());
    }
    return result;
}

}  // namespace steelyard::config
