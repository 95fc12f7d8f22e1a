#pragma once

#include "common/kube/client/informer.hpp"
#include "common/log/log.hpp"
#include "common/rt/signal.hpp"
#include "common/rt/task_group.hpp"
#include "controller/certs/bundle.hpp"
#include "controller/webhook/objects.hpp"

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

// Looks after the certificate in the Secret and the caBundle in the objects that name our Service,
// by watching all three. Every replica hears of each certificate; only a leading one writes. Every
// write to the Secret is conditional, so two that both believe to lead do no harm. Private to this
// room.
namespace steelyard::webhook {

class Keeper {
public:
    struct Names {
        kube::ObjectKey secret;
        kube::ObjectKey service;
        std::string webhook_configuration;
        std::string crd;
    };
    using OnCertificate = std::function<void(const certs::KeyPair&)>;

    // Everything referred to outlives the tasks, and so does this object.
    Keeper(
        const asio::any_io_executor& executor,
        kube::KubeApi& api,
        const log::Logger& logger,
        Names names,
        const certs::Policy& policy,
        std::uint64_t seed,
        OnCertificate on_certificate,
        std::function<WallTime()> wall_clock
    );

    void spawn(rt::TaskGroup& tasks);
    void set_leading(bool leading);
    void wake() { wake_.notify(); }
    // Why there is no certificate to serve, in one line.
    [[nodiscard]] std::string missing() const;

private:
    template <class T>
    [[nodiscard]] typename kube::Informer<T>::Callbacks waking(const char* what);
    [[nodiscard]] kube::Informer<CertificateSecret>::Callbacks on_secret();
    void serve(const CertificateSecret& secret);
    awaitable<void> run();
    // The leader's: what is to be done now, and when to look again.
    awaitable<Duration> turn();
    awaitable<Result<>> renew(certs::Bundle bundle);
    awaitable<Result<>> publish(std::string authority);
    [[nodiscard]] bool published(const std::string& authority) const;
    [[nodiscard]] std::optional<nlohmann::json> configuration_patch(const std::string& authority
    ) const;
    [[nodiscard]] std::optional<nlohmann::json> crd_patch(const std::string& authority) const;
    Duration failed(const Error& error);

    kube::KubeApi& api_;
    const log::Logger& logger_;
    Names names_;
    std::vector<std::string> dns_names_;
    certs::Policy policy_;
    OnCertificate on_certificate_;
    std::function<WallTime()> wall_clock_;
    rt::Signal wake_;
    kube::Informer<CertificateSecret> secrets_;
    kube::Informer<WebhookConfiguration> configurations_;
    kube::Informer<CustomResource> definitions_;
    bool leading_ = false;
    Duration retry_;
    std::string failure_;                      // as logged
    std::string unservable_;                   // what the Secret holds, as logged
    std::string watch_failure_;                // of the Secret
    std::string authority_;                    // the caBundle that has to be everywhere
    std::optional<WallTime> published_since_;  // as this leader has seen it
};

}  // namespace steelyard::webhook
