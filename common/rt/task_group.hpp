#pragma once

#include "common/rt/asio.hpp"
#include "common/rt/signal.hpp"

#include <boost/asio/cancellation_signal.hpp>

#include <cstddef>
#include <exception>
#include <functional>
#include <list>
#include <string>

namespace steelyard::rt {

// Owns long-lived coroutines: the only place that spawns. The owner of the objects a task refers to
// also owns its group and joins it before they die; a group destroyed with tasks in it aborts.
class TaskGroup {
public:
    // Called once for each task that ends, with its name and what it threw, if anything; a task
    // ended by cancel() reports no exception.
    using OnExit = std::function<void(const std::string& name, std::exception_ptr error)>;

    TaskGroup(const asio::any_io_executor& executor, OnExit on_exit);
    TaskGroup(const TaskGroup&) = delete;
    TaskGroup& operator=(const TaskGroup&) = delete;
    ~TaskGroup();

    void spawn(std::string name, awaitable<void> task);
    // Asks every task to stop at its next await; safe to call twice.
    void cancel();
    // Returns when every task has ended.
    awaitable<void> join();
    [[nodiscard]] std::size_t size() const { return tasks_.size(); }

private:
    struct Task {
        std::string name;
        asio::cancellation_signal cancellation;
    };
    void finish(std::list<Task>::iterator task, std::exception_ptr error);

    asio::any_io_executor executor_;
    OnExit on_exit_;
    std::list<Task> tasks_;
    Signal drained_;
};

// True for what a cancelled task throws on its way out.
[[nodiscard]] bool is_cancellation(const std::exception_ptr& error);
[[nodiscard]] std::string describe(const std::exception_ptr& error);

}  // namespace steelyard::rt
