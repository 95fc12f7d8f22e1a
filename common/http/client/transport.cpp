#include "common/http/client/transport.hpp"

#include <boost/asio/buffer.hpp>
#include <boost/asio/ip/address.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ssl/error.hpp>
#include <boost/asio/ssl/stream.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/write.hpp>
#include <boost/beast/core/error.hpp>
#include <boost/beast/core/stream_traits.hpp>
#include <boost/beast/core/tcp_stream.hpp>
#include <boost/system/system_error.hpp>

#include <netinet/tcp.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <sys/socket.h>

#include <cerrno>
#include <chrono>
#include <string>
#include <utility>
#include <vector>

namespace steelyard::http_client {
namespace {

namespace beast = boost::beast;
namespace ssl = asio::ssl;
using asio::ip::tcp;
using boost::system::error_code;

// The error of an operation; cancellation of the task unwinds it instead.
Error failure(const error_code& code, const std::string& what) {
    if (code == asio::error::operation_aborted) {
        throw boost::system::system_error(code);
    }
    if (code == beast::error::timeout) {
        return make_error(Errc::Timeout, what + ": deadline passed");
    }
    return make_error(Errc::Unavailable, what + ": " + code.message());
}

std::string name_of(const Server& server) {
    const bool v6 = server.host.find(':') != std::string::npos;
    return (v6 ? "[" + server.host + "]" : server.host) + ":" + std::to_string(server.port);
}

template <class Stream>
class BasicTransport : public Transport {
public:
    template <class... Args>
    explicit BasicTransport(Args&&... args) : stream_(std::forward<Args>(args)...) {}

    awaitable<Result<std::size_t>> read_some(std::span<char> out, Instant deadline) override {
        beast::get_lowest_layer(stream_).expires_at(deadline);
        const auto buffer = asio::buffer(out.data(), out.size());
        auto [code, size] = co_await stream_.async_read_some(buffer, kAwait);
        // HTTP delimits its bodies, so a TLS stream cut short is told by the parser.
        if (code == asio::error::eof || code == ssl::error::stream_truncated) {
            co_return std::size_t{0};
        }
        if (code) {
            co_return failure(code, "read");
        }
        co_return size;
    }

    awaitable<Result<>> write_all(std::string_view bytes, Instant deadline) override {
        beast::get_lowest_layer(stream_).expires_at(deadline);
        const auto buffer = asio::buffer(bytes.data(), bytes.size());
        auto [code, size] = co_await asio::async_write(stream_, buffer, kAwait);
        if (code) {
            co_return failure(code, "write");
        }
        co_return Result<>{};
    }

    bool quiet() override {
        char byte = 0;
        const int socket = beast::get_lowest_layer(stream_).socket().native_handle();
        const ssize_t got = ::recv(socket, &byte, 1, MSG_PEEK | MSG_DONTWAIT);
        return got < 0 && errno == EAGAIN;
    }

protected:
    Stream stream_;
};

using PlainTransport = BasicTransport<beast::tcp_stream>;

class TlsTransport final : public BasicTransport<ssl::stream<beast::tcp_stream>> {
public:
    TlsTransport(beast::tcp_stream tcp, std::shared_ptr<TlsContext> context)
        : BasicTransport(std::move(tcp), context->native()), context_(std::move(context)) {}

    // RFC 6125: the certificate must carry this address or name; only names travel as SNI.
    Result<> expect_name(const std::string& name) {
        error_code not_an_address;
        asio::ip::make_address(name, not_an_address);
        SSL* native = stream_.native_handle();
        X509_VERIFY_PARAM* verification = SSL_get0_param(native);
        bool ok = true;
        if (not_an_address) {
            // SSL_set_tlsext_host_name is a macro with a C cast in it.
            std::string sni = name;
            ok = SSL_ctrl(
                     native, SSL_CTRL_SET_TLSEXT_HOSTNAME, TLSEXT_NAMETYPE_host_name, sni.data()
                 ) == 1 &&
                 X509_VERIFY_PARAM_set1_host(verification, name.c_str(), 0) == 1;
        } else {
            ok = X509_VERIFY_PARAM_set1_ip_asc(verification, name.c_str()) == 1;
        }
        if (!ok) {
            return make_error(Errc::Invalid, "TLS server name " + name + " cannot be checked");
        }
        return {};
    }

    awaitable<Result<>> handshake(const std::string& peer, Instant deadline) {
        beast::get_lowest_layer(stream_).expires_at(deadline);
        auto [code] = co_await stream_.async_handshake(ssl::stream_base::client, kAwait);
        if (!code) {
            co_return Result<>{};
        }
        const long verdict = SSL_get_verify_result(stream_.native_handle());
        if (context_->verify() && verdict != X509_V_OK) {
            co_return make_error(
                Errc::Unavailable,
                "TLS handshake with " + peer +
                    ": certificate not accepted: " + X509_verify_cert_error_string(verdict)
            );
        }
        co_return failure(code, "TLS handshake with " + peer);
    }

private:
    std::shared_ptr<TlsContext> context_;
};

awaitable<Result<std::vector<tcp::endpoint>>> resolve(const Server& server, Instant deadline) {
    using Endpoints = std::vector<tcp::endpoint>;
    error_code not_an_address;
    const auto address = asio::ip::make_address(server.host, not_an_address);
    if (!not_an_address) {
        co_return Endpoints(1, tcp::endpoint(address, server.port));
    }
    const auto executor = co_await asio::this_coro::executor;
    // Shared with the timer, which may fire while this coroutine is being unwound.
    const auto resolver = std::make_shared<tcp::resolver>(executor);
    const auto expired = std::make_shared<bool>(false);
    asio::steady_timer timer(executor, deadline);
    timer.async_wait([resolver, expired](const error_code& ec) {
        if (!ec) {
            *expired = true;
            resolver->cancel();
        }
    });
    auto [code, results] =
        co_await resolver->async_resolve(server.host, std::to_string(server.port), kAwait);
    timer.cancel();
    if (*expired) {
        co_return make_error(Errc::Timeout, "resolve " + server.host + ": deadline passed");
    }
    if (code) {
        co_return failure(code, "resolve " + server.host);
    }
    Endpoints endpoints;
    for (const auto& entry : results) {
        endpoints.push_back(entry.endpoint());
    }
    co_return endpoints;
}

Result<> add_trust(ssl::context& context, const TlsOptions& options) {
    error_code ec;
    if (options.ca.empty()) {
        context.set_default_verify_paths(ec);
    } else {
        context.add_certificate_authority(asio::buffer(options.ca), ec);
    }
    if (ec) {
        return make_error(Errc::Invalid, "certificate authority: " + ec.message());
    }
    return {};
}

Result<> add_identity(ssl::context& context, const TlsOptions& options) {
    if (options.certificate.empty()) {
        return {};
    }
    error_code ec;
    context.use_certificate_chain(asio::buffer(options.certificate), ec);
    if (ec) {
        return make_error(Errc::Invalid, "client certificate: " + ec.message());
    }
    context.use_private_key(asio::buffer(options.key), ssl::context::pem, ec);
    if (ec) {
        return make_error(Errc::Invalid, "client key: " + ec.message());
    }
    return {};
}

}  // namespace

void detect_dead_peer(int socket) {
    constexpr int kUserTimeoutMs = 15000;
    constexpr int kIdle = 10;
    constexpr int kInterval = 5;
    constexpr int kProbes = 3;
    // Each of these only shortens how long we wait for a dead peer; without one, deadlines still
    // end the wait.
    const auto set = [socket](int level, int name, int value) {
        static_cast<void>(::setsockopt(socket, level, name, &value, sizeof value));
    };
    set(IPPROTO_TCP, TCP_NODELAY, 1);
    set(SOL_SOCKET, SO_KEEPALIVE, 1);
    set(IPPROTO_TCP, TCP_KEEPIDLE, kIdle);
    set(IPPROTO_TCP, TCP_KEEPINTVL, kInterval);
    set(IPPROTO_TCP, TCP_KEEPCNT, kProbes);
    set(IPPROTO_TCP, TCP_USER_TIMEOUT, kUserTimeoutMs);
}

Result<std::shared_ptr<TlsContext>> make_tls_context(const TlsOptions& options) {
    auto context = std::make_shared<TlsContext>(options.verify);
    ssl::context& native = context->native();
    native.set_options(
        ssl::context::default_workarounds | ssl::context::no_sslv2 | ssl::context::no_sslv3 |
        ssl::context::no_tlsv1 | ssl::context::no_tlsv1_1
    );
    native.set_verify_mode(options.verify ? ssl::verify_peer : ssl::verify_none);
    // A watch is idle most of its life: no 34 KiB of buffers meanwhile.
    SSL_CTX_set_mode(native.native_handle(), SSL_MODE_RELEASE_BUFFERS);
    constexpr unsigned char kHttp11[] = {8, 'h', 't', 't', 'p', '/', '1', '.', '1'};
    SSL_CTX_set_alpn_protos(native.native_handle(), kHttp11, sizeof kHttp11);
    if (options.verify) {
        if (auto trusted = add_trust(native, options); !trusted) {
            return trusted.error();
        }
    }
    if (auto identified = add_identity(native, options); !identified) {
        return identified.error();
    }
    return context;
}

awaitable<Result<std::unique_ptr<Transport>>> connect_transport(Server server, Limits limits) {
    const Instant deadline = std::chrono::steady_clock::now() + limits.connect;
    const std::string peer = name_of(server);
    auto endpoints = co_await resolve(server, deadline);
    if (!endpoints) {
        co_return endpoints.error();
    }
    const auto executor = co_await asio::this_coro::executor;
    beast::tcp_stream tcp(executor);
    tcp.expires_at(deadline);
    auto [code, endpoint] = co_await tcp.async_connect(*endpoints, kAwait);
    if (code) {
        co_return failure(code, "connect to " + peer);
    }
    detect_dead_peer(tcp.socket().native_handle());
    if (!server.tls) {
        co_return std::unique_ptr<Transport>(std::make_unique<PlainTransport>(std::move(tcp)));
    }
    auto transport = std::make_unique<TlsTransport>(std::move(tcp), server.tls);
    const std::string& name = server.tls_name.empty() ? server.host : server.tls_name;
    if (server.tls->verify() || !server.tls_name.empty()) {
        if (auto named = transport->expect_name(name); !named) {
            co_return named.error();
        }
    }
    auto shaken =
        co_await transport->handshake(peer, std::chrono::steady_clock::now() + limits.handshake);
    if (!shaken) {
        co_return shaken.error();
    }
    co_return std::unique_ptr<Transport>(std::move(transport));
}

}  // namespace steelyard::http_client
