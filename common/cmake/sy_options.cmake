# Compile options shared by every room. Warnings travel by the interface target sy_options; what must
# reach every object of a link (sanitizers, coverage, hardening, Asio's settings) is set globally.
option(SY_WERROR "Treat warnings as errors" OFF)
option(SY_COVERAGE "Instrument for gcov" OFF)
option(SY_FUZZ "Build libFuzzer targets (clang only)" OFF)
set(SY_SANITIZE "" CACHE STRING "Value for -fsanitize=")

add_library(sy_options INTERFACE)
# -Wnull-dereference is left out: Asio's headers set it off at -O2 even as system headers. GCC 12 takes
# the operator delete of Asio's coroutine frames for a mismatch when it inlines only one of the pair.
target_compile_options(sy_options INTERFACE
    -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wsign-conversion -Wold-style-cast
    -Wnon-virtual-dtor -Woverloaded-virtual -Wformat=2 -Wimplicit-fallthrough -Wswitch-enum
    $<$<CXX_COMPILER_ID:GNU>:-Wduplicated-cond -Wlogical-op -Wuseless-cast
                              -Wno-mismatched-new-delete>
    $<$<BOOL:${SY_WERROR}>:-Werror>)

if(SY_SANITIZE)
    add_compile_options(-fsanitize=${SY_SANITIZE} -fno-omit-frame-pointer -fno-sanitize-recover=all)
    add_link_options(-fsanitize=${SY_SANITIZE})
    add_compile_definitions(BOOST_ASIO_DISABLE_AWAITABLE_FRAME_RECYCLING)  # really free coroutine frames
    if(SY_SANITIZE MATCHES thread AND CMAKE_CXX_COMPILER_ID STREQUAL GNU)
        add_compile_options(-Wno-tsan)  # Asio's fences; harmless, noisy
    endif()
endif()
if(SY_FUZZ)
    # clang 14 cannot emit the `function` check's prologue for a coroutine split into two sections.
    add_compile_options(-fsanitize=fuzzer-no-link -fno-sanitize=function)
endif()
if(SY_COVERAGE)
    add_compile_options(--coverage -O0)
    add_link_options(--coverage)
endif()

# In every build, so that what a user's program would abort on, a test meets first.
add_compile_definitions(_GLIBCXX_ASSERTIONS)
if(CMAKE_BUILD_TYPE STREQUAL RelWithDebInfo AND NOT SY_SANITIZE)
    set(CMAKE_POSITION_INDEPENDENT_CODE ON)
    add_compile_options(-fstack-protector-strong -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=2)
    add_link_options(-pie -Wl,-z,relro,-z,now)
endif()
