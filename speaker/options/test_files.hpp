#pragma once

#include <fstream>
#include <sstream>
#include <string>

namespace steelyard::speaker {

// A file's text; tests have theirs in SY_TESTDATA, which only they know.
inline std::string test_file(const std::string& path) {
    std::ifstream file(path);
    std::stringstream text;
    text << file.rdbuf();
    return text.str();
}

}  // namespace steelyard::speaker
