#pragma once

#include "common/base/error.hpp"

#include <string>

// Reading the small files a client is configured by: kubeconfig, tokens, certificates. Blocking, as
// these are local and a few KiB.
namespace steelyard::kube {

// At most 1 MiB; the Error names the file and why it cannot be read.
[[nodiscard]] Result<std::string> read_small_file(const std::string& path);
// Without leading and trailing blanks and line ends.
[[nodiscard]] std::string trimmed(const std::string& text);

}  // namespace steelyard::kube
