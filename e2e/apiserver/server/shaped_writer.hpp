#pragma once

#include "common/http/server/server.hpp"
#include "e2e/apiserver/faults/shaper.hpp"

#include <string>

// Writes a body as a FaultRule spoils it: the shaper decides, this one writes, waits and cuts.
namespace steelyard::apiserver {

class ShapedWriter final : public http_server::ChunkWriter {
public:
    // `out` outlives the writer.
    ShapedWriter(FaultRule rule, http_server::ChunkWriter& out)
        : shaper_(std::move(rule)), out_(out) {}

    awaitable<Result<>> write(std::string chunk) override;
    awaitable<Result<>> write_raw(std::string bytes) override;
    void cut(bool reset) override { out_.cut(reset); }
    // The body has ended.
    awaitable<Result<>> finish();
    [[nodiscard]] bool is_cut() const { return shaper_.cut(); }

private:
    awaitable<Result<>> perform(std::vector<ShapeStep> steps);

    Shaper shaper_;
    http_server::ChunkWriter& out_;
};

awaitable<void> write_shaped(FaultRule rule, std::string body, http_server::ChunkWriter& out);

}  // namespace steelyard::apiserver
