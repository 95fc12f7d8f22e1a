# sy_room(<name> [PURE] SOURCES ... [DEPS ...] [TESTS ...] [FUZZ ...] [LABEL <label>])
# One directory = one room = one static library sy_<name>, alias steelyard::<name>, beside it its test
# binary sy_<name>_test and one libFuzzer binary per FUZZ file. PURE rooms may only depend on PURE
# targets (and on header-only libraries that do no I/O); the rule is checked here, at configure time.
find_package(GTest REQUIRED)
include(GoogleTest)

set(SY_PURE_THIRD_PARTY nlohmann_json::nlohmann_json yaml-cpp)

function(sy_room name)
    cmake_parse_arguments(ARG "PURE" "LABEL" "SOURCES;DEPS;TESTS;TEST_DEPS;FUZZ" ${ARGN})
    if(NOT ARG_LABEL)
        set(ARG_LABEL unit)
    endif()
    add_library(sy_${name} STATIC ${ARG_SOURCES})
    add_library(steelyard::${name} ALIAS sy_${name})
    target_include_directories(sy_${name} PUBLIC ${CMAKE_SOURCE_DIR})
    target_link_libraries(sy_${name} PUBLIC ${ARG_DEPS} PRIVATE sy_options)
    set_property(TARGET sy_${name} PROPERTY SY_PURE ${ARG_PURE})
    if(ARG_PURE)
        foreach(dep IN LISTS ARG_DEPS)
            get_target_property(pure ${dep} SY_PURE)
            if(NOT pure AND NOT dep IN_LIST SY_PURE_THIRD_PARTY)
                message(FATAL_ERROR "pure room ${name} may not depend on ${dep}")
            endif()
        endforeach()
    endif()
    if(BUILD_TESTING AND ARG_TESTS AND NOT SY_FUZZ)
        add_executable(sy_${name}_test ${ARG_TESTS})
        target_link_libraries(sy_${name}_test
            PRIVATE steelyard::${name} sy_options GTest::gmock_main ${ARG_TEST_DEPS})
        gtest_discover_tests(sy_${name}_test
            TEST_PREFIX "${name}." DISCOVERY_MODE PRE_TEST PROPERTIES LABELS ${ARG_LABEL})
    endif()
    if(SY_FUZZ)
        foreach(src IN LISTS ARG_FUZZ)
            cmake_path(GET src STEM stem)
            add_executable(sy_${name}_${stem} ${src})
            target_link_libraries(sy_${name}_${stem} PRIVATE steelyard::${name} sy_options -fsanitize=fuzzer)
            cmake_path(GET src PARENT_PATH folder)
            add_test(NAME fuzz.${name}.${stem}
                     COMMAND sy_${name}_${stem} -max_total_time=10 -timeout=5
                             ${CMAKE_CURRENT_BINARY_DIR}/corpus-${stem}
                             ${CMAKE_CURRENT_SOURCE_DIR}/${folder}/corpus)
            file(MAKE_DIRECTORY ${CMAKE_CURRENT_BINARY_DIR}/corpus-${stem})
            set_tests_properties(fuzz.${name}.${stem} PROPERTIES LABELS fuzz)
            set_property(GLOBAL APPEND PROPERTY SY_FUZZERS sy_${name}_${stem})
        endforeach()
    endif()
endfunction()

# sy_product(<target>...): programs that `make build` builds.
function(sy_product)
    set_property(GLOBAL APPEND PROPERTY SY_PRODUCTS ${ARGN})
endfunction()

# sy_guest_test(<target>...): GoogleTest programs that need IPVS and so run in the lab's kernel. They
# are no ctest tests, since the build machine's own kernel may have none of it.
function(sy_guest_test)
    set_property(GLOBAL APPEND PROPERTY SY_GUEST_TESTS ${ARGN})
endfunction()
