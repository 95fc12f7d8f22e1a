// steelyard-apiserver: the lab's API server as a program. Writes its certificate authority, its
// administrator's token and a ready kubeconfig to --state-dir, and keeps the first two over
// restarts.
#include "common/rt/task_group.hpp"
#include "e2e/apiserver/server/api_server.hpp"

#include <boost/asio/io_context.hpp>
#include <boost/asio/signal_set.hpp>

#include <openssl/rand.h>

#include <CLI/CLI.hpp>
#include <csignal>
#include <cstdio>
#include <ctime>
#include <filesystem>
#include <fstream>
#include <sstream>

namespace {

namespace fs = std::filesystem;
using namespace steelyard;
using namespace steelyard::apiserver;

std::string read_file(const fs::path& path) {
    std::ifstream file(path, std::ios::binary);
    std::ostringstream text;
    text << file.rdbuf();
    return text.str();
}

bool write_file(const fs::path& path, const std::string& text) {
    std::ofstream file(path, std::ios::binary | std::ios::trunc);
    file << text;
    file.close();
    std::error_code ignored;
    fs::permissions(path, fs::perms::owner_read | fs::perms::owner_write, ignored);
    return file.good();
}

std::uint64_t random_seed() {
    std::uint64_t seed = 0;
    RAND_bytes(reinterpret_cast<unsigned char*>(&seed), sizeof seed);
    return seed;
}

std::string random_token() {
    Rng rng(random_seed());
    std::string token;
    for (int i = 0; i < 32; ++i) {
        token.push_back("abcdefghijklmnopqrstuvwxyz234567"[rng.below(32)]);
    }
    return token;
}

awaitable<void> stop_on_signal(ApiServer& server) {
    asio::signal_set signals(co_await asio::this_coro::executor, SIGINT, SIGTERM);
    co_await signals.async_wait(kAwait);
    server.stop();
}

// What an earlier run left in the state directory, so that kubeconfigs stay valid.
void recall(const fs::path& state_dir, ApiServerOptions& options) {
    KeyPair authority;
    authority.certificate = read_file(state_dir / "ca.crt");
    authority.private_key = read_file(state_dir / "ca.key");
    if (!authority.certificate.empty() && !authority.private_key.empty()) {
        options.authority = std::move(authority);
    }
    if (options.api.admin_token.empty()) {
        options.api.admin_token = read_file(state_dir / "admin.token");
    }
}

bool remember(const fs::path& state_dir, const ApiServer& server, const ApiServerOptions& options) {
    const KeyPair& authority = server.authority();
    return (!options.tls || (write_file(state_dir / "ca.crt", authority.certificate) &&
                             write_file(state_dir / "ca.key", authority.private_key))) &&
           write_file(state_dir / "admin.token", options.api.admin_token) &&
           write_file(state_dir / "kubeconfig", server.kubeconfig());
}

int serve(ApiServerOptions options, const std::string& state_dir) {
    asio::io_context io(1);
    auto server = ApiServer::listen(io.get_executor(), options);
    if (!server) {
        std::fprintf(stderr, "steelyard-apiserver: %s\n", to_string(server.error()).c_str());
        return 1;
    }
    if (!state_dir.empty() && !remember(state_dir, **server, options)) {
        std::fprintf(stderr, "steelyard-apiserver: cannot write to %s\n", state_dir.c_str());
        return 1;
    }
    std::printf("serving %s\n", (*server)->url().c_str());
    std::fflush(stdout);
    rt::TaskGroup tasks(
        io.get_executor(),
        [](const std::string& name, const std::exception_ptr& e) {
            if (e) {
                std::fprintf(stderr, "%s: %s\n", name.c_str(), rt::describe(e).c_str());
            }
        }
    );
    tasks.spawn("signals", stop_on_signal(**server));
    tasks.spawn("server", (*server)->run());
    io.run();
    return 0;
}

}  // namespace

int main(int argc, char** argv) {
    CLI::App app("The lab's Kubernetes API server, in memory");
    ApiServerOptions options;
    options.port = 6443;
    options.tls = true;
    // The state goes with the process: a client that comes back with a version of an earlier run
    // must find it too old, not from the future.
    options.api.first_version = 1000 * static_cast<std::uint64_t>(std::time(nullptr));
    options.seed = random_seed();
    std::string state_dir;
    std::string token_file;
    bool insecure = false;
    app.add_option("--listen-address", options.listen_address, "numeric address to listen on");
    app.add_option("--port", options.port, "port; 0 takes any free one");
    app.add_option(
        "--advertise-address",
        options.api.advertise_address,
        "address of the kubernetes Service's endpoint and of the kubeconfig"
    );
    app.add_option("--san", options.extra_names, "further names or addresses for the certificate");
    app.add_option("--state-dir", state_dir, "where to keep the CA, the token and the kubeconfig");
    app.add_option("--token-file", token_file, "file with the administrator's token");
    app.add_flag("--rbac", options.api.rbac, "let everyone else do only what Roles grant");
    app.add_flag("--insecure", insecure, "plain HTTP instead of TLS");
    CLI11_PARSE(app, argc, argv);
    options.tls = !insecure;
    if (!token_file.empty()) {
        std::istringstream(read_file(token_file)) >> options.api.admin_token;
    }
    if (!state_dir.empty()) {
        std::error_code ignored;
        fs::create_directories(state_dir, ignored);
        recall(state_dir, options);
    }
    if (options.api.admin_token.empty()) {
        options.api.admin_token = random_token();
    }
    return serve(std::move(options), state_dir);
}
