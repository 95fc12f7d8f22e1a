#include "controller/webhook/keeper.hpp"

#include "common/rt/sleep.hpp"

#include <boost/asio/experimental/awaitable_operators.hpp>

#include <algorithm>
#include <chrono>
#include <utility>

namespace steelyard::webhook {
namespace {

using namespace std::chrono_literals;
using boost::asio::experimental::awaitable_operators::operator||;
using kube::Collection;
using kube::Resource;
using nlohmann::json;

constexpr Duration kFirstRetry = 1s;
constexpr Duration kLongestRetry = 1min;
constexpr Duration kLongestSleep = 1h;  // a clock may be set

template <class T>
Collection only(const std::string& ns, const std::string& name) {
    return Collection(Resource<T>::kType, ns, "", "metadata.name=" + name);
}

template <class T>
kube::ObjectRef ref_to(const kube::ObjectKey& key) {
    return kube::ObjectRef(Resource<T>::kType, key);
}

}  // namespace

Keeper::Keeper(
    const asio::any_io_executor& executor,
    kube::KubeApi& api,
    const log::Logger& logger,
    Names names,
    const certs::Policy& policy,
    std::uint64_t seed,
    OnCertificate on_certificate,
    std::function<WallTime()> wall_clock
)
    : api_(api),
      logger_(logger),
      names_(std::move(names)),
      dns_names_(certs::service_names(names_.service.name, names_.service.ns)),
      policy_(policy),
      on_certificate_(std::move(on_certificate)),
      wall_clock_(std::move(wall_clock)),
      wake_(executor),
      secrets_(
          api, only<CertificateSecret>(names_.secret.ns, names_.secret.name), on_secret(), seed
      ),
      configurations_(
          api,
          only<WebhookConfiguration>("", names_.webhook_configuration),
          waking<WebhookConfiguration>("ValidatingWebhookConfiguration"),
          seed + 1
      ),
      definitions_(
          api,
          only<CustomResource>("", names_.crd),
          waking<CustomResource>("CustomResourceDefinition"),
          seed + 2
      ),
      retry_(kFirstRetry) {}

template <class T>
typename kube::Informer<T>::Callbacks Keeper::waking(const char* what) {
    typename kube::Informer<T>::Callbacks made;
    made.on_change = [this](const kube::Change<T>&) {
        wake_.notify();
    };
    made.on_synced = [this] {
        wake_.notify();
    };
    made.on_error = [this, what](const Error* error) {
        if (error != nullptr) {
            logger_.warn(
                "the webhook cannot watch", {{"kind", what}, {"error", to_string(*error)}}
            );
        }
    };
    return made;
}

kube::Informer<CertificateSecret>::Callbacks Keeper::on_secret() {
    auto made = waking<CertificateSecret>("Secret");
    made.on_change = [this](const kube::Change<CertificateSecret>& change) {
        if (change.after) {
            serve(*change.after);
        }
        wake_.notify();
    };
    made.on_error = [this, log = std::move(made.on_error)](const Error* error) {
        watch_failure_ = error == nullptr ? "" : to_string(*error);
        log(error);
    };
    return made;
}

// What is served must fit together, and no more: an expired certificate is no worse than none.
void Keeper::serve(const CertificateSecret& secret) {
    const auto leaf = certs::leaf_of(secret.data);
    if (leaf) {
        unservable_.clear();
        on_certificate_(*leaf);
    } else {
        unservable_ = leaf.error().context;
    }
}

void Keeper::spawn(rt::TaskGroup& tasks) {
    tasks.spawn("watch webhook secret", secrets_.run());
    tasks.spawn("watch webhook configuration", configurations_.run());
    tasks.spawn("watch webhook crd", definitions_.run());
    tasks.spawn("keep webhook certificate", run());
}

void Keeper::set_leading(bool leading) {
    leading_ = leading;
    published_since_.reset();
    retry_ = kFirstRetry;
    wake_.notify();
}

std::string Keeper::missing() const {
    const std::string secret = "Secret " + to_string(names_.secret);
    if (!secrets_.synced()) {
        return secret + " is not known yet" +
               (watch_failure_.empty() ? std::string() : ": " + watch_failure_);
    }
    if (!unservable_.empty()) {
        return secret + ": " + unservable_;
    }
    return secret + " does not exist yet: the leading replica makes it";
}

awaitable<void> Keeper::run() {
    for (;;) {
        Duration wait = kLongestSleep;
        if (leading_ && secrets_.synced()) {
            wait = co_await turn();
        }
        co_await (wake_.wait() || rt::sleep_for(wait));
    }
}

awaitable<Duration> Keeper::turn() {
    const WallTime now = wall_clock_();
    const auto secret = secrets_.store().find(names_.secret);
    auto bundle =
        certs::from_secret(secret ? secret->data : certs::SecretData(), dns_names_.front(), now);
    if (!bundle) {
        logger_.info(
            "a new certificate for the webhook",
            {{"secret", to_string(names_.secret)},
             {"reason", secret ? bundle.error().context : "there is no such Secret"}}
        );
        auto fresh = certs::make_bundle(dns_names_, policy_, now);
        if (!fresh) {
            co_return failed(fresh.error());
        }
        const Result<> written = co_await renew(std::move(*fresh));
        co_return written ? kLongestSleep : failed(written.error());
    }
    std::string authority = certs::trusted(*bundle);
    if (authority != authority_) {
        authority_ = authority;
        published_since_.reset();
    }
    const Result<> spread = co_await publish(std::move(authority));
    if (!spread) {
        co_return failed(spread.error());
    }
    if (!published(authority_)) {
        published_since_.reset();
    } else if (!published_since_) {
        published_since_ = now;
    }
    const auto decision = certs::next_step(*bundle, policy_, published_since_, now);
    if (!decision) {
        co_return failed(decision.error());
    }
    if (decision->step == certs::Step::Keep) {
        failure_.clear();
        retry_ = kFirstRetry;
        const WallTime soonest = now + std::chrono::seconds(1);
        const WallTime latest = now + std::chrono::duration_cast<WallTime::duration>(kLongestSleep);
        co_return std::clamp(decision->look_again, soonest, latest) - now;
    }
    logger_.info(
        "the webhook's certificate is renewed", {{"step", std::string(to_string(decision->step))}}
    );
    auto next = certs::take(decision->step, std::move(*bundle), dns_names_, policy_, now);
    if (!next) {
        co_return failed(next.error());
    }
    const Result<> written = co_await renew(std::move(*next));
    co_return written ? kLongestSleep : failed(written.error());
}

// The watch brings the new content back, to this replica as to the others, and with it the next
// turn.
awaitable<Result<>> Keeper::renew(certs::Bundle bundle) {
    const auto secret = secrets_.store().find(names_.secret);
    if (!secret) {
        json object = new_secret(names_.secret, bundle);
        const auto created =
            co_await api_.create(Resource<CertificateSecret>::kType, std::move(object));
        if (!created && !is(created.error(), Errc::Conflict)) {
            co_return created.error();
        }
        co_return Result<>{};
    }
    const kube::ObjectRef ref = ref_to<CertificateSecret>(names_.secret);
    json patch = secret_patch(*secret, bundle);
    const auto written = co_await api_.patch(ref, kube::PatchType::Merge, std::move(patch));
    if (!written && !is(written.error(), Errc::Conflict)) {
        co_return written.error();
    }
    co_return Result<>{};
}

awaitable<Result<>> Keeper::publish(std::string authority) {
    auto patch = configuration_patch(authority);
    if (patch) {
        const kube::ObjectRef ref =
            ref_to<WebhookConfiguration>({"", names_.webhook_configuration});
        const auto applied = co_await api_.patch(ref, kube::PatchType::Apply, std::move(*patch));
        if (!applied) {
            co_return applied.error();
        }
        logger_.info("told API servers whom to trust", {{"object", names_.webhook_configuration}});
    }
    patch = crd_patch(authority);
    if (patch) {
        const kube::ObjectRef ref = ref_to<CustomResource>({"", names_.crd});
        const auto applied = co_await api_.patch(ref, kube::PatchType::Apply, std::move(*patch));
        if (!applied) {
            co_return applied.error();
        }
        logger_.info("told API servers whom to trust", {{"object", names_.crd}});
    }
    co_return Result<>{};
}

std::optional<json> Keeper::configuration_patch(const std::string& authority) const {
    const auto object = configurations_.store().find({"", names_.webhook_configuration});
    return object ? authority_patch(*object, names_.service, authority) : std::nullopt;
}

std::optional<json> Keeper::crd_patch(const std::string& authority) const {
    const auto object = definitions_.store().find({"", names_.crd});
    return object ? authority_patch(*object, names_.service, authority) : std::nullopt;
}

// As the watches show it; a write of ours counts when it comes back.
bool Keeper::published(const std::string& authority) const {
    return configurations_.synced() && definitions_.synced() && !configuration_patch(authority) &&
           !crd_patch(authority);
}

Duration Keeper::failed(const Error& error) {
    if (failure_ != error.context) {
        failure_ = error.context;
        logger_.warn(
            "the webhook's certificate is not looked after, will retry",
            {{"error", to_string(error)}}
        );
    }
    return std::exchange(retry_, std::min(retry_ * 2, kLongestRetry));
}

}  // namespace steelyard::webhook
