#pragma once

#include <iosfwd>
#include <span>
#include <string>

// `steelyard-controller validate`: judges manifests without a cluster, with the functions the
// controller and its webhook use. For people before `kubectl apply`, and for a repository's checks.
namespace steelyard::check {

// `args` are the words after "validate". Exit status: 0 all is right, 1 something is wrong (with
// --strict a warning is), 2 the command line is wrong or something could not be read. Remarks and
// the sum go to `out`, one line each; what could not be read goes to `err`.
[[nodiscard]] int validate_command(
    std::span<const std::string> args, std::istream& in, std::ostream& out, std::ostream& err
);

}  // namespace steelyard::check
