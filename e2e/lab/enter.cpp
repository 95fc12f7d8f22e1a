// sylab-enter: becomes a program inside given namespaces, as a container runtime's last step would.
//
//   sylab-enter [--cgroup DIR] [--net FILE] [--mnt FILE] [--private-mounts] [--bind SRC DST]...
//               [--tmpfs DST]... [--user UID] [--group GID] [--capabilities NAMES]
//               [--no-new-privileges]
//               [--chdir DIR] -- PROGRAM [ARG]...
//
// Options act in the order cgroup, net, mnt, mounts (as given), credentials, chdir. --capabilities
// limits the bounding set to the named ones (comma separated, without CAP_; "none"). Mount targets
// are created. Exit status 126 with one line on stderr when a step fails. One process and no shell:
// in the lab's guest every extra fork costs tens of milliseconds.
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace {

constexpr const char* kCapabilities[] = {
    "CHOWN",
    "DAC_OVERRIDE",
    "DAC_READ_SEARCH",
    "FOWNER",
    "FSETID",
    "KILL",
    "SETGID",
    "SETUID",
    "SETPCAP",
    "LINUX_IMMUTABLE",
    "NET_BIND_SERVICE",
    "NET_BROADCAST",
    "NET_ADMIN",
    "NET_RAW",
    "IPC_LOCK",
    "IPC_OWNER",
    "SYS_MODULE",
    "SYS_RAWIO",
    "SYS_CHROOT",
    "SYS_PTRACE",
    "SYS_PACCT",
    "SYS_ADMIN",
    "SYS_BOOT",
    "SYS_NICE",
    "SYS_RESOURCE",
    "SYS_TIME",
    "SYS_TTY_CONFIG",
    "MKNOD",
    "LEASE",
    "AUDIT_WRITE",
    "AUDIT_CONTROL",
    "SETFCAP",
    "MAC_OVERRIDE",
    "MAC_ADMIN",
    "SYSLOG",
    "WAKE_ALARM",
    "BLOCK_SUSPEND",
    "AUDIT_READ",
    "PERFMON",
    "BPF",
    "CHECKPOINT_RESTORE"};

struct Mount {
    std::string source;  // empty: a tmpfs
    std::string target;
};

struct Options {
    std::string cgroup, net, mnt, chdir;
    bool private_mounts = false;
    bool no_new_privileges = false;
    std::vector<Mount> mounts;
    std::optional<uid_t> user;
    std::optional<gid_t> group;
    std::optional<std::uint64_t> capabilities;
    char** program = nullptr;
};

[[noreturn]] void fail(std::string_view step, std::string_view what) {
    std::fprintf(
        stderr,
        "sylab-enter: %.*s %.*s: %s\n",
        static_cast<int>(step.size()),
        step.data(),
        static_cast<int>(what.size()),
        what.data(),
        std::strerror(errno)
    );
    std::exit(126);
}

[[noreturn]] void refuse(std::string_view what) {
    errno = EINVAL;
    fail("argument", what);
}

std::uint64_t parse_capabilities(std::string_view names) {
    std::uint64_t set = 0;
    while (!names.empty() && names != "none") {
        const auto comma = names.find(',');
        const auto name = names.substr(0, comma);
        bool known = false;
        for (std::size_t bit = 0; bit < std::size(kCapabilities); ++bit) {
            if (name == kCapabilities[bit]) {
                set |= std::uint64_t{1} << bit;
                known = true;
            }
        }
        if (!known) {
            refuse(name);
        }
        names = comma == std::string_view::npos ? std::string_view{} : names.substr(comma + 1);
    }
    return set;
}

unsigned parse_id(const char* text) {
    char* end = nullptr;
    const auto value = std::strtoul(text, &end, 10);
    if (end == text || *end != '\0' || value > UINT32_MAX) {
        refuse(text);
    }
    return static_cast<unsigned>(value);
}

Options parse(int argc, char** argv) {
    Options options;
    int at = 1;
    const auto next = [&]() -> char* {
        if (at >= argc) {
            refuse("missing value");
        }
        return argv[at++];
    };
    while (at < argc) {
        const std::string_view word = argv[at++];
        if (word == "--") {
            break;
        }
        if (word == "--cgroup") {
            options.cgroup = next();
        } else if (word == "--net") {
            options.net = next();
        } else if (word == "--mnt") {
            options.mnt = next();
        } else if (word == "--private-mounts") {
            options.private_mounts = true;
        } else if (word == "--bind") {
            std::string source = next();
            options.mounts.push_back({std::move(source), next()});
        } else if (word == "--tmpfs") {
            options.mounts.push_back({"", next()});
        } else if (word == "--user") {
            options.user = parse_id(next());
        } else if (word == "--group") {
            options.group = parse_id(next());
        } else if (word == "--capabilities") {
            options.capabilities = parse_capabilities(next());
        } else if (word == "--no-new-privileges") {
            options.no_new_privileges = true;
        } else if (word == "--chdir") {
            options.chdir = next();
        } else {
            refuse(word);
        }
    }
    if (at >= argc) {
        refuse("no program");
    }
    options.program = argv + at;
    return options;
}

int open_namespace(const std::string& path) {
    const int fd = path.empty() ? -1 : ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
    if (fd < 0 && !path.empty()) {
        fail("open", path);
    }
    return fd;
}

void enter_namespaces(const Options& options) {
    // Opened first: the paths may not exist in the mount namespace that is entered.
    const int net = open_namespace(options.net);
    const int mnt = open_namespace(options.mnt);
    if (!options.cgroup.empty()) {
        std::ofstream procs(options.cgroup + "/cgroup.procs");
        procs << "0" << std::flush;
        if (!procs) {
            fail("join cgroup", options.cgroup);
        }
    }
    if (net >= 0 && ::setns(net, CLONE_NEWNET) != 0) {
        fail("enter", options.net);
    }
    if (mnt >= 0 && ::setns(mnt, CLONE_NEWNS) != 0) {
        fail("enter", options.mnt);
    }
}

void make_mounts(const Options& options) {
    namespace fs = std::filesystem;
    if (options.private_mounts) {
        if (::unshare(CLONE_NEWNS) != 0 ||
            ::mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0) {
            fail("make", "a mount namespace");
        }
    }
    for (const auto& mount : options.mounts) {
        std::error_code ignored;
        const bool is_file = !mount.source.empty() && !fs::is_directory(mount.source, ignored);
        const fs::path target = mount.target;
        fs::create_directories(is_file ? target.parent_path() : target, ignored);
        if (is_file && !fs::exists(target, ignored)) {
            std::ofstream{target};
        }
        const int status =
            mount.source.empty()
                ? ::mount("tmpfs", mount.target.c_str(), "tmpfs", 0, "mode=755")
                : ::mount(
                      mount.source.c_str(), mount.target.c_str(), nullptr, MS_BIND | MS_REC, nullptr
                  );
        if (status != 0) {
            fail("mount", mount.target);
        }
    }
}

void limit_bounding_set(std::uint64_t set) {
    for (unsigned bit = 0; bit < std::size(kCapabilities); ++bit) {
        if ((set >> bit & 1U) == 0 && ::prctl(PR_CAPBSET_DROP, bit, 0, 0, 0) != 0 &&
            errno != EINVAL) {
            fail("drop capability", kCapabilities[bit]);
        }
    }
}

void keep_only(std::uint64_t set) {
    __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
    const auto low = static_cast<std::uint32_t>(set);
    const auto high = static_cast<std::uint32_t>(set >> 32U);
    __user_cap_data_struct data[2] = {{low, low, 0}, {high, high, 0}};
    if (::syscall(SYS_capset, &header, data) != 0) {
        fail("limit", "capabilities");
    }
}

void take_credentials(const Options& options) {
    if (options.capabilities) {
        limit_bounding_set(*options.capabilities);
    }
    if (options.group && (::setgroups(0, nullptr) != 0 || ::setgid(*options.group) != 0)) {
        fail("take group", std::to_string(*options.group));
    }
    if (options.user && *options.user != 0 && ::setuid(*options.user) != 0) {
        fail("take user", std::to_string(*options.user));
    }
    if (options.capabilities && options.user.value_or(0) == 0) {
        keep_only(*options.capabilities);  // another user has lost them all by setuid
    }
    if (options.no_new_privileges && ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) {
        fail("set", "no_new_privs");
    }
}

}  // namespace

int main(int argc, char** argv) {
    const auto options = parse(argc, argv);
    enter_namespaces(options);
    make_mounts(options);
    take_credentials(options);
    if (!options.chdir.empty() && ::chdir(options.chdir.c_str()) != 0) {
        fail("change to", options.chdir);
    }
    ::execvp(options.program[0], options.program);
    fail("run", options.program[0]);
}
