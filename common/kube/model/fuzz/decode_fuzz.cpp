#include "common/kube/model/encode.hpp"
#include "common/kube/model/resource.hpp"

#include <nlohmann/json.hpp>

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

// Any JSON through every decoder: a value, or an Error on one line. A status that was read is
// written and read again the same.
namespace {

template <class T>
void check(const nlohmann::json& object) {
    const auto decoded = steelyard::kube::Resource<T>::decode(object);
    if (!decoded && (decoded.error().context.empty() ||
                     decoded.error().context.find(10) != std::string::npos)) {
        std::abort();
    }
    if (decoded && decoded->meta.key.name.empty()) {
        std::abort();
    }
}

template <class T>
void check_status(const nlohmann::json& object) {
    check<T>(object);
    const auto decoded = steelyard::kube::Resource<T>::decode(object);
    if (!decoded) {
        return;
    }
    nlohmann::json written = steelyard::kube::encode_object(*decoded);
    written.merge_patch(steelyard::kube::status_patch(*decoded));
    const auto again = steelyard::kube::Resource<T>::decode(written);
    if (!again || status_patch(*again) != status_patch(*decoded)) {
        std::abort();
    }
}

// What is written whole reads back the same.
template <class T>
void check_whole(const nlohmann::json& object) {
    check<T>(object);
    const auto decoded = steelyard::kube::Resource<T>::decode(object);
    if (!decoded) {
        return;
    }
    const nlohmann::json written = steelyard::kube::encode_object(*decoded);
    const auto again = steelyard::kube::Resource<T>::decode(written);
    if (!again || steelyard::kube::encode_object(*again) != written) {
        std::abort();
    }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string_view text(reinterpret_cast<const char*>(data), size);
    if (const auto time = steelyard::kube::parse_rfc3339(text)) {
        static_cast<void>(steelyard::kube::format_rfc3339_micro(*time));
    }
    const nlohmann::json object = nlohmann::json::parse(text, nullptr, false);
    if (object.is_discarded() ||
        object.dump(-1, ' ', false, nlohmann::json::error_handler_t::ignore).size() > 1U << 16U) {
        return 0;
    }
    check<steelyard::kube::Service>(object);
    check<steelyard::kube::EndpointSlice>(object);
    check<steelyard::kube::Node>(object);
    check<steelyard::kube::ServiceCidr>(object);
    check<steelyard::kube::Pod>(object);
    check<steelyard::kube::Namespace>(object);
    check<steelyard::kube::IpAddressPool>(object);
    check<steelyard::kube::L2Advertisement>(object);
    check<steelyard::kube::BgpPeer>(object);
    check<steelyard::kube::BgpAdvertisement>(object);
    check<steelyard::kube::Community>(object);
    check<steelyard::kube::BfdProfile>(object);
    check<steelyard::kube::Secret>(object);
    check_status<steelyard::kube::ServiceL2Status>(object);
    check_status<steelyard::kube::ServiceBgpStatus>(object);
    check_status<steelyard::kube::BgpSessionState>(object);
    check_status<steelyard::kube::AddressReservation>(object);
    check_whole<steelyard::kube::AllocationPolicy>(object);
    check_whole<steelyard::kube::ConfigurationState>(object);
    return 0;
}
