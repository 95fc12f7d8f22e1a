#include "controller/write/reservation_writer.hpp"

#include "common/kube/model/encode.hpp"

#include <utility>

namespace steelyard::controller {
namespace {

using controller_plan::ReservationChange;

constexpr auto kType = kube::Resource<kube::AddressReservation>::kType;
constexpr unsigned kMostInFlight = 16;  // beside the status of Services, which comes first

WindowOptions window() {
    WindowOptions options;
    options.first = 4;
    options.most = kMostInFlight;
    return options;
}

// It is there or gone already, or newer than what was decided on: the watch tells.
bool overtaken_by_events(const Error& error) {
    return is(error, Errc::NotFound) || is(error, Errc::Conflict);
}

}  // namespace

ReservationWriter::ReservationWriter(
    const asio::any_io_executor& executor,
    kube::KubeApi& api,
    const log::Logger& logger,
    metrics::CounterFamily& errors,
    std::uint64_t seed
)
    : api_(api),
      queue_(executor, logger, errors, "AddressReservations", window(), seed, [this](auto key) {
          return write(std::move(key));
      }) {}

void ReservationWriter::put(ReservationChange change) {
    const kube::ObjectKey key = change.object.meta.key;
    wanted_.insert_or_assign(key, Wanted{std::move(change), ++serial_});
    queue_.put(key);
}

awaitable<Written> ReservationWriter::write(kube::ObjectKey key) {
    const auto found = wanted_.find(key);
    if (found == wanted_.end()) {
        co_return Written{};
    }
    const Wanted wanted = found->second;
    Written written;
    switch (wanted.change.kind) {
        case ReservationChange::Kind::Create:
            written.result = co_await create(wanted.change.object);
            break;
        case ReservationChange::Kind::Status:
            written.result = co_await write_status(wanted.change.object);
            break;
        case ReservationChange::Kind::Delete:
            written.result = co_await remove(wanted.change.object);
            break;
    }
    if (!written.result && overtaken_by_events(written.result.error())) {
        written.result = Result<>();
    }
    const auto now_wanted = wanted_.find(key);
    if (written.result && now_wanted != wanted_.end() &&
        now_wanted->second.serial == wanted.serial) {
        wanted_.erase(now_wanted);
    }
    co_return written;
}

awaitable<Result<>> ReservationWriter::create(kube::AddressReservation reservation) {
    const auto answer = co_await api_.create_only(kType, kube::encode_object(reservation));
    if (!answer) {
        co_return answer.error();
    }
    co_return Result<>{};
}

awaitable<Result<>> ReservationWriter::write_status(kube::AddressReservation reservation) {
    const kube::ObjectRef ref(kType, reservation.meta.key, "status");
    const nlohmann::json patch = kube::status_patch(reservation);
    const auto answer = co_await api_.patch_only(ref, kube::PatchType::Merge, patch);
    if (!answer) {
        co_return answer.error();
    }
    co_return Result<>{};
}

// Only this very object: one made anew under its name stays. One never seen has no uid to name it
// by; then this has only taken the place of its creation, and what is made all the same is decided
// on when the watch shows it.
awaitable<Result<>> ReservationWriter::remove(kube::AddressReservation reservation) {
    if (reservation.meta.uid.empty()) {
        co_return Result<>{};
    }
    nlohmann::json preconditions = nlohmann::json::object();
    preconditions["uid"] = reservation.meta.uid;
    if (!reservation.meta.resource_version.empty()) {
        preconditions["resourceVersion"] = reservation.meta.resource_version;
    }
    const kube::ObjectRef ref(kType, reservation.meta.key);
    const auto answer = co_await api_.remove(ref, std::move(preconditions));
    if (!answer) {
        co_return answer.error();
    }
    co_return Result<>{};
}

}  // namespace steelyard::controller
