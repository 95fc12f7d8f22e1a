#pragma once

#include "common/base/error.hpp"
#include "common/http/server/server.hpp"
#include "common/log/log.hpp"
#include "common/rt/signal.hpp"
#include "controller/admission/snapshot.hpp"
#include "controller/certs/x509.hpp"

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>

// The HTTPS side: waits for the first certificate, listens, and answers calls for as long as its
// task runs; further certificates hold for connections made from then on. Private to this room.
namespace steelyard::webhook {

using SnapshotSource = std::function<std::shared_ptr<const admission::Snapshot>()>;

class Door {
public:
    struct Address {
        std::string listen;  // "": every one
        std::uint16_t port = 0;
        std::string ns;
    };

    Door(
        const asio::any_io_executor& executor,
        log::Logger logger,
        Address address,
        SnapshotSource snapshot
    );

    awaitable<void> run();
    // The key fits the certificate.
    void set_certificate(const certs::KeyPair& leaf);
    [[nodiscard]] bool open() const { return server_ != nullptr; }
    [[nodiscard]] bool has_certificate() const { return material_.has_value(); }
    [[nodiscard]] const std::string& failure() const { return failure_; }
    [[nodiscard]] std::uint16_t port() const {
        return server_ ? server_->port() : std::uint16_t{0};
    }

private:
    [[nodiscard]] Result<std::unique_ptr<http_server::Server>> listen();
    [[nodiscard]] awaitable<http_server::Response> answer(http_server::Request request);
    [[nodiscard]] http_server::Response review(const http_server::Request& request);
    [[nodiscard]] http_server::Response convert(const http_server::Request& request);
    [[nodiscard]] http_server::Response refuse(
        const http_server::Request& request, const Error& error
    );

    asio::any_io_executor executor_;
    log::Logger logger_;
    Address address_;
    SnapshotSource snapshot_;
    rt::Signal ready_;
    std::optional<http_server::TlsMaterial> material_;
    std::string failure_;  // to listen, as logged
    std::unique_ptr<http_server::Server> server_;
};

}  // namespace steelyard::webhook
