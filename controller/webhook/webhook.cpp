#include "controller/webhook/webhook.hpp"

#include "controller/webhook/door.hpp"
#include "controller/webhook/files.hpp"
#include "controller/webhook/keeper.hpp"

#include <utility>

namespace steelyard::webhook {

class Webhook::Impl {
public:
    Impl(
        const asio::any_io_executor& executor,
        kube::KubeApi& api,
        log::Logger logger,
        const Options& options,
        SnapshotSource snapshot,
        std::function<WallTime()> wall_clock
    )
        : logger_(std::move(logger)),
          door_(
              executor,
              logger_,
              Door::Address{options.listen_address, options.port, options.ns},
              std::move(snapshot)
          ) {
        const auto on_certificate = [this](const certs::KeyPair& leaf) {
            door_.set_certificate(leaf);
        };
        if (options.disable_cert_rotation) {
            files_.emplace(logger_, options.cert_dir, on_certificate);
            return;
        }
        Keeper::Names names;
        names.secret = {options.ns, options.secret};
        names.service = {options.ns, options.service};
        names.webhook_configuration = options.webhook_configuration;
        names.crd = options.crd;
        keeper_.emplace(
            executor,
            api,
            logger_,
            std::move(names),
            options.policy,
            options.seed,
            on_certificate,
            std::move(wall_clock)
        );
    }

    void start(rt::TaskGroup& tasks) {
        if (keeper_) {
            keeper_->spawn(tasks);
        } else {
            tasks.spawn("webhook certificate files", files_->run());
        }
        tasks.spawn("webhook", door_.run());
    }

    void set_leading(bool leading) {
        if (keeper_) {
            keeper_->set_leading(leading);
        }
    }

    void check_certificate() {
        if (keeper_) {
            keeper_->wake();
        } else {
            files_->read();
        }
    }

    [[nodiscard]] std::string not_ready() const {
        if (door_.open()) {
            return "";
        }
        if (!door_.failure().empty()) {
            return "webhook: " + door_.failure();
        }
        if (door_.has_certificate()) {
            return "webhook: about to listen";
        }
        return "webhook: " + (keeper_ ? keeper_->missing() : files_->missing());
    }

    [[nodiscard]] std::uint16_t port() const { return door_.port(); }

private:
    log::Logger logger_;
    Door door_;
    std::optional<Keeper> keeper_;  // this one or files_
    std::optional<CertificateFiles> files_;
};

Webhook::Webhook(
    const asio::any_io_executor& executor,
    kube::KubeApi& api,
    log::Logger logger,
    Options options,
    SnapshotSource snapshot,
    std::function<WallTime()> wall_clock
)
    : impl_(std::make_unique<Impl>(
          executor, api, std::move(logger), options, std::move(snapshot), std::move(wall_clock)
      )) {}

Webhook::~Webhook() = default;

void Webhook::start(rt::TaskGroup& tasks) {
    impl_->start(tasks);
}

void Webhook::set_leading(bool leading) {
    impl_->set_leading(leading);
}

void Webhook::check_certificate() {
    impl_->check_certificate();
}

std::string Webhook::not_ready() const {
    return impl_->not_ready();
}

std::uint16_t Webhook::port() const {
    return impl_->port();
}

}  // namespace steelyard::webhook
