#include "common/kube/client/leader.hpp"

#include "common/kube/client/informer.hpp"
#include "common/rt/signal.hpp"
#include "common/rt/sleep.hpp"

#include <boost/asio/experimental/awaitable_operators.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/system/system_error.hpp>

#include <sys/timerfd.h>
#include <time.h>

#include <algorithm>
#include <cerrno>
#include <optional>
#include <utility>
#include <variant>

namespace steelyard::kube {
namespace {

using asio::experimental::awaitable_operators::operator||;
using Answer = Result<nlohmann::json>;

Instant boot_time() {
    timespec now{};
    ::clock_gettime(CLOCK_BOOTTIME, &now);
    return Instant(std::chrono::seconds(now.tv_sec) + std::chrono::nanoseconds(now.tv_nsec));
}

// A timer that goes on while the machine sleeps, so that a leader that slept too long learns it
// when it wakes; Asio's own stand still meanwhile.
class BootTimer {
public:
    explicit BootTimer(const asio::any_io_executor& executor) : descriptor_(executor) {
        const int fd = ::timerfd_create(CLOCK_BOOTTIME, TFD_NONBLOCK | TFD_CLOEXEC);
        if (fd < 0) {
            throw boost::system::system_error(
                errno, boost::system::system_category(), "timerfd_create"
            );
        }
        descriptor_.assign(fd);
    }

    awaitable<void> wait(Duration duration) {
        arm(duration);
        const auto [error] =
            co_await descriptor_.async_wait(asio::posix::stream_descriptor::wait_read, kAwait);
        if (error) {
            throw boost::system::system_error(error);
        }
    }

private:
    void arm(Duration duration) {
        using std::chrono::nanoseconds;
        using std::chrono::seconds;
        // Zero would disarm it.
        const auto left = std::max(std::chrono::ceil<nanoseconds>(duration), nanoseconds(1));
        const auto whole = std::chrono::floor<seconds>(left);
        itimerspec spec{};
        spec.it_value.tv_sec = whole.count();
        spec.it_value.tv_nsec = (left - whole).count();
        ::timerfd_settime(descriptor_.native_handle(), 0, &spec, nullptr);
    }

    asio::posix::stream_descriptor descriptor_;
};

Result<Lease> decoded(const Answer& answer) {
    if (!answer) {
        return answer.error();
    }
    return Resource<Lease>::decode(*answer);
}

using Request = std::variant<ReadLease, CreateLease, UpdateLease>;

Instant give_up_of(const Request& request) {
    return std::visit([](const auto& one) { return one.give_up; }, request);
}

}  // namespace

struct LeaderElection::Impl {
    Impl(
        const asio::any_io_executor& executor,
        KubeApi& kube_api,
        LeaderCallbacks leader_callbacks,
        LeaderOptions leader_options
    );

    awaitable<void> take_part();
    awaitable<void> wait_for_deadline();
    awaitable<void> perform(Request request);
    awaitable<Answer> call(const Request& request);
    void on_change(const Change<Lease>& change);
    void apply();
    void report(const Answer& answer);
    [[nodiscard]] Clocks now() const { return {options.clock(), options.wall_clock()}; }

    // Carrying out the Elector's actions.
    void operator()(ReadLease& action) { request = std::move(action); }
    void operator()(CreateLease& action) { request = std::move(action); }
    void operator()(UpdateLease& action) { request = std::move(action); }
    void operator()(const Elected&) const {
        if (callbacks.on_elected) {
            callbacks.on_elected();
        }
    }
    void operator()(const Lost& action) const {
        if (callbacks.on_lost) {
            callbacks.on_lost(action.reason);
        }
    }
    void operator()(const HolderChanged& action) const {
        if (callbacks.on_holder) {
            callbacks.on_holder(action.holder);
        }
    }
    void operator()(const Released&) {
        released = true;
        released_signal.notify();
        wake.notify();
    }

    KubeApi& api;
    LeaderCallbacks callbacks;
    LeaderOptions options;
    Elector elector;
    BootTimer timer;
    rt::Signal wake;             // the Elector was told something
    rt::Signal released_signal;  // for release()
    bool running = false;
    bool released = false;
    std::optional<Request> request;  // to be performed next
    ElectionActions actions;
    std::optional<Error> failure;  // last reported
    Informer<Lease> informer;
};

namespace {

LeaderOptions completed(LeaderOptions options) {
    if (!options.clock) {
        options.clock = boot_time;
    }
    if (!options.wall_clock) {
        options.wall_clock = [] {
            return std::chrono::system_clock::now();
        };
    }
    return options;
}

}  // namespace

LeaderElection::Impl::Impl(
    const asio::any_io_executor& executor,
    KubeApi& kube_api,
    LeaderCallbacks leader_callbacks,
    LeaderOptions leader_options
)
    : api(kube_api),
      callbacks(std::move(leader_callbacks)),
      options(completed(std::move(leader_options))),
      elector(options.lease, options.identity, options.timings, Rng(options.seed)),
      timer(executor),
      wake(executor),
      released_signal(executor),
      informer(
          kube_api,
          Collection(
              Resource<Lease>::kType, options.lease.ns, "", "metadata.name=" + options.lease.name
          ),
          [this] {
              Informer<Lease>::Callbacks made;
              made.on_change = [this](const Change<Lease>& change) {
                  on_change(change);
              };
              return made;
          }(),
          options.seed + 1
      ) {}

// The watch only saves time; its own failures are not reported, since the polls meet the same
// server.
void LeaderElection::Impl::on_change(const Change<Lease>& change) {
    if (change.key != options.lease) {
        return;
    }
    const std::optional<Lease> lease = change.after ? std::optional(*change.after) : std::nullopt;
    elector.on_watched(lease, now(), actions);
    apply();
    wake.notify();
}

void LeaderElection::Impl::apply() {
    // A callback may call back in: what it adds is carried out by that call.
    ElectionActions todo = std::exchange(actions, {});
    for (ElectionAction& action : todo) {
        std::visit(*this, action);
    }
}

awaitable<void> LeaderElection::Impl::take_part() {
    for (;;) {
        elector.on_deadline(now(), actions);
        apply();
        if (released) {
            co_return;
        }
        if (request) {
            Request next = std::move(*request);
            request.reset();
            co_await perform(std::move(next));
        } else {
            co_await wait_for_deadline();
        }
    }
}

awaitable<void> LeaderElection::Impl::wait_for_deadline() {
    const std::optional<Instant> due = elector.next_deadline();
    if (due) {
        const Instant start = options.clock();
        const Duration left = std::max(*due, start) - start;
        co_await (wake.wait() || timer.wait(left));
    } else {
        co_await wake.wait();
    }
}

awaitable<void> LeaderElection::Impl::perform(Request next) {
    const bool reads = std::holds_alternative<ReadLease>(next);
    const Duration left = give_up_of(next) - options.clock();
    Answer answer = make_error(Errc::Timeout, "Lease " + to_string(options.lease) + ": no answer");
    auto first = co_await (call(next) || timer.wait(left));
    if (first.index() == 0) {
        answer = std::get<0>(std::move(first));
    }
    report(answer);
    const Result<Lease> lease = decoded(answer);
    if (reads) {
        elector.on_read(lease, now(), actions);
    } else {
        elector.on_written(lease, now(), actions);
    }
    apply();
}

awaitable<Answer> LeaderElection::Impl::call(const Request& next) {
    const ObjectRef ref(Resource<Lease>::kType, options.lease);
    if (const auto* create = std::get_if<CreateLease>(&next)) {
        nlohmann::json object = encode_object(create->lease);
        co_return co_await api.create(Resource<Lease>::kType, std::move(object));
    }
    if (const auto* update = std::get_if<UpdateLease>(&next)) {
        nlohmann::json patch = lease_patch(update->lease);
        co_return co_await api.patch(ref, PatchType::Merge, std::move(patch));
    }
    co_return co_await api.get(ref);
}

// What an election lives with is no failure: no Lease yet, and somebody else's write.
void LeaderElection::Impl::report(const Answer& answer) {
    const bool normal =
        answer || is(answer.error(), Errc::NotFound) || is(answer.error(), Errc::Conflict);
    if (!callbacks.on_error) {
        return;
    }
    if (!normal && failure != answer.error()) {
        failure = answer.error();
        callbacks.on_error(&*failure);
    } else if (normal && failure) {
        failure.reset();
        callbacks.on_error(nullptr);
    }
}

LeaderElection::LeaderElection(
    const asio::any_io_executor& executor,
    KubeApi& api,
    LeaderCallbacks callbacks,
    LeaderOptions options
)
    : impl_(std::make_unique<Impl>(executor, api, std::move(callbacks), std::move(options))) {}

LeaderElection::~LeaderElection() = default;

awaitable<void> LeaderElection::run() {
    impl_->running = true;
    co_await (impl_->take_part() || impl_->informer.run());
    impl_->running = false;
}

awaitable<bool> LeaderElection::release() {
    impl_->elector.release(impl_->now(), impl_->actions);
    impl_->apply();
    impl_->wake.notify();
    if (impl_->running && !impl_->released) {
        co_await (impl_->released_signal.wait() || rt::sleep_for(impl_->options.release_limit));
    }
    co_return impl_->released;
}

bool LeaderElection::leading() const {
    return impl_->elector.leading(impl_->options.clock());
}

}  // namespace steelyard::kube
