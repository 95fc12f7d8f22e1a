#pragma once

#include <fstream>
#include <sstream>
#include <string>

namespace steelyard::speaker {

// A file of testdata/.
inline std::string test_file(const std::string& name) {
    std::ifstream file(std::string(SY_TESTDATA "/") + name);
    std::stringstream text;
    text << file.rdbuf();
    return text.str();
}

}  // namespace steelyard::speaker
