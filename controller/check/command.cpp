#include "controller/check/command.hpp"

#include "common/base/error.hpp"
#include "controller/check/manifests.hpp"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <filesystem>
#include <fstream>
#include <istream>
#include <ostream>
#include <sstream>
#include <vector>

namespace steelyard::check {
namespace {

namespace fs = std::filesystem;

constexpr int kRight = 0;
constexpr int kWrong = 1;
constexpr int kUnreadable = 2;

struct Task {
    std::vector<std::string> paths;
    std::string ns = "metallb-system";
    bool strict = false;
    bool quiet = false;
};

// All of a stream that is no longer than one may be.
Result<std::string> read_all(std::istream& stream) {
    std::string text;
    char block[65536];
    while (stream.read(block, sizeof block) || stream.gcount() > 0) {
        text.append(block, static_cast<std::size_t>(stream.gcount()));
        if (text.size() > yaml::kMaxText) {
            return make_error(Errc::Invalid, "more than 16 MiB");
        }
    }
    if (stream.bad()) {
        return make_error(Errc::Unavailable, "reading failed");
    }
    return text;
}

bool is_manifest(const fs::path& path) {
    const std::string extension = path.extension().string();
    return extension == ".yaml" || extension == ".yml" || extension == ".json";
}

class Run {
public:
    Run(const Task& task, std::istream& in, std::ostream& out, std::ostream& err)
        : task_(task), in_(in), out_(out), err_(err), manifests_(task.ns) {}

    int run() {
        for (const std::string& path : task_.paths) {
            if (path == "-") {
                take("(standard input)", in_);
            } else {
                take_path(path);
            }
        }
        return report();
    }

private:
    void cannot_read(const std::string& line) {
        err_ << line << "\n";
        complete_ = false;
    }

    void take_path(const fs::path& path) {
        std::error_code error;
        if (!fs::is_directory(path, error)) {
            take_file(path);
            return;
        }
        std::vector<fs::path> files;
        auto entry = fs::recursive_directory_iterator(path, error);
        for (; !error && entry != fs::recursive_directory_iterator(); entry.increment(error)) {
            const bool hidden = entry->path().filename().string().starts_with('.');
            std::error_code ignored;
            if (entry->is_directory(ignored)) {
                if (hidden) {
                    entry.disable_recursion_pending();
                }
            } else if (!hidden && is_manifest(entry->path()) && entry->is_regular_file(ignored)) {
                files.push_back(entry->path());
            }
        }
        if (error) {
            cannot_read(path.string() + ": " + error.message());
        } else if (files.empty()) {
            cannot_read(path.string() + ": no file that ends in .yaml, .yml or .json");
        }
        std::sort(files.begin(), files.end());
        for (const fs::path& file : files) {
            take_file(file);
        }
    }

    void take_file(const fs::path& path) {
        std::ifstream stream(path, std::ios::binary);
        if (!stream) {
            cannot_read(errno_error(errno, path.string()).context);
            return;
        }
        take(path.string(), stream);
    }

    void take(const std::string& name, std::istream& stream) {
        ++files_;
        const auto text = read_all(stream);
        if (!text) {
            cannot_read(name + ": " + text.error().context);
            return;
        }
        yaml::Documents documents = yaml::read_documents(*text);
        for (const yaml::BadDocument& bad : documents.bad) {
            cannot_read(name + ":" + std::to_string(bad.line) + ": not YAML: " + bad.what);
        }
        for (const yaml::Document& document : documents.read) {
            manifests_.add(name, document);
        }
    }

    static std::string counted(std::size_t number, const std::string& noun) {
        return std::to_string(number) + " " + noun + (number == 1 ? "" : "s");
    }

    int report() {
        std::size_t errors = 0;
        std::size_t warnings = 0;
        for (const Remark& remark : manifests_.judge(complete_)) {
            const bool is_error = remark.level == Remark::Level::Error;
            ++(is_error ? errors : warnings);
            if (is_error || !task_.quiet) {
                out_ << to_string(remark) << "\n";
            }
        }
        if (!task_.quiet) {
            out_ << counted(manifests_.objects(), "object") << " in " << counted(files_, "file")
                 << ": " << verdict(errors, warnings);
            if (manifests_.skipped() > 0) {
                out_ << "; " << manifests_.skipped() << " of other kinds skipped";
            }
            out_ << "\n";
        }
        if (!complete_) {
            return kUnreadable;
        }
        return errors > 0 || (task_.strict && warnings > 0) ? kWrong : kRight;
    }

    [[nodiscard]] std::string verdict(std::size_t errors, std::size_t warnings) const {
        std::string text = errors > 0 ? counted(errors, "error") : std::string();
        if (warnings > 0) {
            text += (text.empty() ? "" : ", ") + counted(warnings, "warning");
        }
        if (!complete_) {
            text += (text.empty() ? "" : ", ") + std::string("not all could be read");
        }
        return text.empty() ? "all right" : text;
    }

    const Task& task_;
    std::istream& in_;
    std::ostream& out_;
    std::ostream& err_;
    Manifests manifests_;
    std::size_t files_ = 0;
    bool complete_ = true;
};

}  // namespace

int validate_command(
    std::span<const std::string> args, std::istream& in, std::ostream& out, std::ostream& err
) {
    Task task;
    CLI::App app(
        "Judges manifests of metallb.io and steelyard.io without a cluster: all of them together, "
        "by the rules of the daemons. Exit status: 0 right, 1 wrong, 2 not readable.",
        "steelyard-controller validate"
    );
    app.add_option("paths", task.paths, "files, folders (*.yaml, *.yml, *.json below them), or -")
        ->required();
    app.add_option("-n,--namespace", task.ns, "where Steelyard runs; objects elsewhere don't count")
        ->capture_default_str();
    app.add_flag("--strict", task.strict, "warnings are wrong too");
    app.add_flag("-q,--quiet", task.quiet, "only errors");
    try {
        std::vector<std::string> reversed(args.rbegin(), args.rend());
        app.parse(reversed);
    } catch (const CLI::Success& success) {
        return app.exit(success, out, err);
    } catch (const CLI::ParseError& error) {
        std::string line = error.what();
        std::replace(line.begin(), line.end(), '\n', ' ');
        err << "steelyard-controller validate: " << line << "\n";
        return kUnreadable;
    }
    return Run(task, in, out, err).run();
}

}  // namespace steelyard::check
