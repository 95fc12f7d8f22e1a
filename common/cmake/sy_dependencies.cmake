# The libraries Steelyard stands on, as imported targets; docs/architecture.md says why each is here.
set(THREADS_PREFER_PTHREAD_FLAG ON)
find_package(Threads REQUIRED)
find_package(Boost 1.81 REQUIRED)
find_package(OpenSSL REQUIRED)
find_package(nlohmann_json REQUIRED)
find_package(spdlog REQUIRED)
find_package(yaml-cpp REQUIRED)
find_package(CLI11 REQUIRED)
find_package(prometheus-cpp CONFIG REQUIRED)

# Asio and Beast are header-only by default; compiling them once (common/rt/asio_impl.cpp and
# common/http/beast/beast_impl.cpp) takes a tenth off every translation unit that includes them.
add_library(sy_boost INTERFACE)
target_link_libraries(sy_boost INTERFACE Boost::headers)

add_library(sy_asio INTERFACE)
target_link_libraries(sy_asio INTERFACE sy_boost Threads::Threads OpenSSL::SSL OpenSSL::Crypto)
target_compile_definitions(sy_asio INTERFACE
    BOOST_ASIO_SEPARATE_COMPILATION BOOST_BEAST_SEPARATE_COMPILATION BOOST_ASIO_NO_DEPRECATED)

# Third-party code a pure room may use: it does no I/O.
foreach(lib sy_boost OpenSSL::Crypto)
    set_property(TARGET ${lib} PROPERTY SY_PURE TRUE)
endforeach()
