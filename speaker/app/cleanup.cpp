#include "common/rt/task_group.hpp"
#include "speaker/app/proxy/kube_proxy.hpp"
#include "speaker/app/run.hpp"
#include "speaker/io/dataplane/dataplane.hpp"

#include <boost/asio/io_context.hpp>

namespace steelyard::speaker {
namespace {

awaitable<void> refuse_or_clean(
    const Options& options,
    dataplane::Dataplane& dataplane,
    Result<std::vector<std::string>>& removed
) {
    // In full mode the names are kube-proxy's own: what a running one has is not ours to take.
    if (options.proxy.mode == proxy::Mode::Full) {
        if (const auto mode = co_await running_kube_proxy()) {
            removed = make_error(
                Errc::Invalid,
                "kube-proxy (" + *mode +
                    ") runs on this node and has the same names in the kernel: stop it first"
            );
            co_return;
        }
    }
    removed = co_await dataplane.cleanup();
}

}  // namespace

Result<std::vector<std::string>> cleanup(const Options& options) {
    asio::io_context ioc(1);
    const auto dataplane = dataplane::make_ipvs_dataplane(ioc.get_executor(), options.proxy);
    Result<std::vector<std::string>> removed = std::vector<std::string>();
    rt::TaskGroup tasks(
        ioc.get_executor(),
        [&](const std::string&, const std::exception_ptr& error) {
            if (error) {
                removed = make_error(Errc::Internal, rt::describe(error));
            }
        }
    );
    tasks.spawn("cleanup", refuse_or_clean(options, *dataplane, removed));
    ioc.run();
    return removed;
}

}  // namespace steelyard::speaker
