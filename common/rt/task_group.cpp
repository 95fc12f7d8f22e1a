#include "common/rt/task_group.hpp"

#include "common/base/check.hpp"

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/error.hpp>
#include <boost/asio/multiple_exceptions.hpp>
#include <boost/system/system_error.hpp>

#include <utility>

namespace steelyard::rt {

TaskGroup::TaskGroup(const asio::any_io_executor& executor, OnExit on_exit)
    : executor_(executor), on_exit_(std::move(on_exit)), drained_(executor) {}

TaskGroup::~TaskGroup() {
    SY_CHECK(tasks_.empty(), "a TaskGroup must be joined before it dies");
}

void TaskGroup::spawn(std::string name, awaitable<void> task) {
    const auto entry = tasks_.emplace(tasks_.end());
    entry->name = std::move(name);
    asio::co_spawn(
        executor_,
        std::move(task),
        asio::bind_cancellation_slot(
            entry->cancellation.slot(),
            [this, entry](const std::exception_ptr& error) { finish(entry, error); }
        )
    );
}

void TaskGroup::finish(std::list<Task>::iterator task, std::exception_ptr error) {
    const std::string name = std::move(task->name);
    tasks_.erase(task);
    on_exit_(name, is_cancellation(error) ? nullptr : std::move(error));
    if (tasks_.empty()) {
        drained_.notify();
    }
}

void TaskGroup::cancel() {
    for (auto next = tasks_.begin(); next != tasks_.end();) {
        // Emitting may end the task and erase its entry.
        const auto current = next++;
        current->cancellation.emit(asio::cancellation_type::terminal);
    }
}

awaitable<void> TaskGroup::join() {
    while (!tasks_.empty()) {
        co_await drained_.wait();
    }
}

bool is_cancellation(const std::exception_ptr& error) {
    if (!error) {
        return false;
    }
    try {
        std::rethrow_exception(error);
    } catch (const boost::system::system_error& thrown) {
        return thrown.code() == asio::error::operation_aborted;
    } catch (const asio::multiple_exceptions& thrown) {
        // `a() || b()`, cancelled: neither succeeded.
        return is_cancellation(thrown.first_exception());
    } catch (...) {
        return false;
    }
}

std::string describe(const std::exception_ptr& error) {
    if (!error) {
        return "ended";
    }
    try {
        std::rethrow_exception(error);
    } catch (const std::exception& thrown) {
        return thrown.what();
    } catch (...) {
        return "unknown exception";
    }
}

}  // namespace steelyard::rt
