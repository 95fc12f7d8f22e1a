#include "e2e/apiserver/server/shaped_writer.hpp"

#include "common/rt/sleep.hpp"

namespace steelyard::apiserver {

awaitable<Result<>> ShapedWriter::write(std::string chunk) {
    co_return co_await perform(shaper_.feed(chunk));
}

awaitable<Result<>> ShapedWriter::write_raw(std::string bytes) {
    co_return co_await out_.write_raw(std::move(bytes));
}

awaitable<Result<>> ShapedWriter::finish() {
    co_return co_await perform(shaper_.finish());
}

awaitable<Result<>> ShapedWriter::perform(std::vector<ShapeStep> steps) {
    for (ShapeStep& step : steps) {
        Result<> done;
        switch (step.kind) {
            case ShapeStep::Kind::Write:
                done = co_await out_.write(std::move(step.bytes));
                break;
            case ShapeStep::Kind::WriteRaw:
                done = co_await out_.write_raw(std::move(step.bytes));
                break;
            case ShapeStep::Kind::Pause:
                co_await rt::sleep_for(step.pause);
                break;
            case ShapeStep::Kind::Cut:
                out_.cut(step.reset);
                done = make_error(Errc::Unavailable, "cut by a fault");
                break;
        }
        if (!done) {
            co_return done;
        }
    }
    co_return Result<>{};
}

awaitable<void> write_shaped(FaultRule rule, std::string body, http_server::ChunkWriter& out) {
    ShapedWriter shaped(std::move(rule), out);
    auto written = co_await shaped.write(std::move(body));
    if (written) {
        co_await shaped.finish();
    }
}

}  // namespace steelyard::apiserver
