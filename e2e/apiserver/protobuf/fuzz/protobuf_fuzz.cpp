#include "e2e/apiserver/protobuf/protobuf.hpp"

#include <cstddef>
#include <cstdint>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string_view bytes(reinterpret_cast<const char*>(data), size);
    (void)steelyard::apiserver::protobuf_to_json(bytes);
    return 0;
}
