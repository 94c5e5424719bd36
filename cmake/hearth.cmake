# The compile rules of every target and the one-line helpers that the folders' CMakeLists use.

find_program(CCACHE ccache)
if(CCACHE AND NOT CMAKE_CXX_COMPILER_LAUNCHER)
  set(CMAKE_CXX_COMPILER_LAUNCHER ${CMAKE_COMMAND} -E env CCACHE_SLOPPINESS=pch_defines,time_macros ${CCACHE})
endif()

find_package(PkgConfig REQUIRED)
find_package(Threads REQUIRED)
find_package(OpenMP REQUIRED COMPONENTS CXX)
find_package(fmt REQUIRED)
find_package(spdlog REQUIRED)
find_package(nlohmann_json REQUIRED)
find_package(yaml-cpp REQUIRED)

add_library(hearth_options INTERFACE)
target_include_directories(hearth_options INTERFACE ${PROJECT_SOURCE_DIR})
target_compile_options(hearth_options INTERFACE -Wall -Wextra -Wshadow -Wno-sign-compare -Wno-unknown-pragmas)
if(CMAKE_CXX_COMPILER_ID STREQUAL GNU)
  target_compile_options(hearth_options INTERFACE -Wno-restrict)  # false in std::string: GCC bug 105651
endif()
if(HEARTH_WERROR)
  target_compile_options(hearth_options INTERFACE -Werror)
endif()
if(HEARTH_SANITIZE)
  target_compile_options(hearth_options INTERFACE -fsanitize=${HEARTH_SANITIZE} -fno-omit-frame-pointer)
  if(NOT HEARTH_FUZZ)
    # They would more than double the time to compile. A null pointer ends in ASan's report all the same, and the readers of foreign bytes
    # are checked for alignment while they are fuzzed.
    target_compile_options(hearth_options INTERFACE -fno-sanitize=null,vptr,alignment)
  endif()
  target_link_options(hearth_options INTERFACE -fsanitize=${HEARTH_SANITIZE})
endif()

# precompile_headers(TARGET INCLUDE...): others take them with target_precompile_headers(... REUSE_FROM TARGET). They take longer to read than
# most files of ours; every file includes what it uses all the same (./dev tidy reads them without).
function(precompile_headers target)
  file(WRITE ${PROJECT_BINARY_DIR}/${target}.cpp "")
  add_library(${target} OBJECT ${PROJECT_BINARY_DIR}/${target}.cpp)
  target_precompile_headers(${target} PRIVATE ${ARGN})
  target_link_libraries(${target} PRIVATE hearth_options fmt::fmt OpenMP::OpenMP_CXX Threads::Threads)
endfunction()
set(common_headers <algorithm> <array> <atomic> <chrono> <cmath> <filesystem> <functional> <memory> <mutex> <optional> <span> <string> <string_view>
  <thread> <unordered_map> <vector> <fmt/format.h> <nlohmann/json.hpp>)
precompile_headers(hearth_headers ${common_headers})

# hearth_library(NAME [DEPS ...]): every .cpp beside this CMakeLists becomes the static library NAME.
function(hearth_library name)
  cmake_parse_arguments(ARG "" "" "DEPS" ${ARGN})
  file(GLOB sources CONFIGURE_DEPENDS *.cpp)
  if(NOT sources)
    add_library(${name} INTERFACE)
    target_link_libraries(${name} INTERFACE hearth_options ${ARG_DEPS})
    return()
  endif()
  add_library(${name} STATIC ${sources})
  target_link_libraries(${name} PUBLIC hearth_options ${ARG_DEPS})
  target_precompile_headers(${name} REUSE_FROM hearth_headers)
endfunction()

# hearth_test(NAME [LABEL unit|golden|e2e|slow] [DEPS ...]): every *_test.cpp beside this CMakeLists, as one GoogleTest program.
# The program runs from the source root, so fixtures are named "tests/...".
function(hearth_test name)
  cmake_parse_arguments(ARG "" "LABEL" "DEPS" ${ARGN})
  if(NOT ARG_LABEL)
    set(ARG_LABEL unit)
  endif()
  file(GLOB sources CONFIGURE_DEPENDS *_test.cpp)
  if(NOT sources)
    return()
  endif()
  add_executable(${name} ${sources})
  target_link_libraries(${name} PRIVATE hearth_options ${ARG_DEPS} GTest::gmock GTest::gtest_main)
  target_precompile_headers(${name} REUSE_FROM hearth_test_headers)
  add_dependencies(hearth_tests ${name})
  add_test(NAME ${name} COMMAND ${name} WORKING_DIRECTORY ${PROJECT_SOURCE_DIR})
  # ctest runs two programs side by side: threads that spin while they wait would take each other's cores.
  set_tests_properties(${name} PROPERTIES LABELS ${ARG_LABEL} ENVIRONMENT OMP_WAIT_POLICY=passive)
endfunction()
