#include "bench/controller/daemon.hpp"

#include "bench/controller/cluster.hpp"

#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <cstdlib>
#include <fstream>
#include <sstream>
#include <thread>

namespace steelyard::bench {
namespace {

constexpr auto kPatience = std::chrono::seconds(10);

}  // namespace

Daemon::Daemon(
    const std::string& binary, std::vector<std::string> arguments, const std::string& log
) {
    std::vector<char*> words;
    std::string name = binary;
    words.push_back(name.data());
    for (std::string& argument : arguments) {
        words.push_back(argument.data());
    }
    words.push_back(nullptr);
    const int output = open(log.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    pid_ = fork();
    if (pid_ == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        dup2(output, STDOUT_FILENO);
        dup2(output, STDERR_FILENO);
        execv(binary.c_str(), words.data());
        _exit(127);
    }
    close(output);
    if (pid_ < 0) {
        give_up("cannot start " + binary);
    }
}

Daemon::~Daemon() {
    kill(pid_, SIGTERM);
    const auto deadline = std::chrono::steady_clock::now() + kPatience;
    while (alive()) {
        if (std::chrono::steady_clock::now() >= deadline) {
            kill(pid_, SIGKILL);
            waitpid(pid_, nullptr, 0);
            return;
        }
        std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
}

bool Daemon::alive() {
    return waitpid(pid_, nullptr, WNOHANG) == 0;
}

Daemon::Memory Daemon::memory() const {
    Memory memory;
    std::ifstream file("/proc/" + std::to_string(pid_) + "/status");
    for (std::string line; std::getline(file, line);) {
        std::istringstream words(line);
        std::string name;
        double kibibytes = 0;
        words >> name >> kibibytes;
        const double megabytes = kibibytes * 1024 / 1e6;
        if (name == "VmRSS:") {
            memory.resident = megabytes;
        } else if (name == "VmHWM:") {
            memory.peak = megabytes;
        } else if (name == "RssAnon:") {
            memory.own = megabytes;
        }
    }
    return memory;
}

double Daemon::cpu_seconds() const {
    std::ifstream file("/proc/" + std::to_string(pid_) + "/stat");
    std::string text;
    std::getline(file, text);
    // The second field, the name, may hold blanks; user and system time are fields 14 and 15.
    std::istringstream words(text.substr(text.rfind(')') + 1));
    std::string skipped;
    for (int field = 3; field < 14; ++field) {
        words >> skipped;
    }
    double user = 0;
    double system = 0;
    words >> user >> system;
    return (user + system) / static_cast<double>(sysconf(_SC_CLK_TCK));
}

}  // namespace steelyard::bench
