#include "speaker/app/speaker.hpp"

namespace steelyard::speaker {

// The other speakers learn that this node may own nothing any more and announce what it had, while
// it still answers and forwards; then it says good-bye and falls silent. The kernel keeps its
// tables, so what still arrives is still served.
awaitable<void> Speaker::hand_over() {
    leaving_ = true;
    tasks_.cancel();
    co_await tasks_.join();
    wire_->set_ready(false);
    co_await wire_->stop();
}

}  // namespace steelyard::speaker
