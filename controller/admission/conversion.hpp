#pragma once

#include "common/base/error.hpp"

#include <nlohmann/json_fwd.hpp>

#include <string_view>

// BGPPeer between metallb.io/v1beta1 and v1beta2, without loss either way. v1beta1 has fewer
// fields: the others travel in an annotation, and come back from it. What v1beta1 requires and
// v1beta2 may leave out (peerASN beside dynamicASN, peerAddress beside interface) is filled in
// with "nothing" (0, "") on the way down. Absent timers stay absent. One thing has only one way of
// being said in v1beta2: peerPort 0 becomes absent.
namespace steelyard::admission {

// {"field": value} of the fields of spec that v1beta1 lacks; null for one that was filled in. The
// field "" stands for an annotation of this name in the v1beta2 object.
inline constexpr std::string_view kLaterFields = "steelyard.io/v1beta2-fields";

// A ConversionReview (apiextensions.k8s.io/v1) in, its answer out. Invalid, in one line, when this
// is none. Metadata stays as it is but for our annotation, as the API server demands.
[[nodiscard]] Result<nlohmann::json> convert(const nlohmann::json& conversion_review);

// One object, to "metallb.io/v1beta1" or "metallb.io/v1beta2". Invalid for anything else.
[[nodiscard]] Result<nlohmann::json> convert_peer(
    nlohmann::json object, std::string_view api_version
);

}  // namespace steelyard::admission
