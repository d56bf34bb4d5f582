# Third-party libraries as imported targets deps::NAME. Debian's packages where they are new
# enough; otherwise the pinned sources: from .deps/ when cmake/install-dependencies put them
# there, else by FetchContent. The hashes below are those that other projects record for the same
# release archives (Catch2 3.7.1 and cpp-httplib 0.41.0, two independent recipes each).
find_package(Threads REQUIRED)
find_package(OpenSSL REQUIRED COMPONENTS Crypto)
find_package(nlohmann_json 3.11 REQUIRED)
find_package(spdlog 1.10 REQUIRED)
find_package(CLI11 2.1 REQUIRED)
find_package(yaml-cpp 0.7 REQUIRED)
find_package(tl-expected REQUIRED)
find_package(LibArchive 3.6 REQUIRED)
find_package(SQLite3 3.31 REQUIRED)
find_package(PkgConfig REQUIRED)
pkg_check_modules(libseccomp REQUIRED IMPORTED_TARGET libseccomp>=2.5.2)
pkg_check_modules(libpcre2 REQUIRED IMPORTED_TARGET libpcre2-8>=10.34)

set(HEARTH_DEPS_DIR ${CMAKE_SOURCE_DIR}/.deps CACHE PATH "Where install-dependencies puts sources")

add_library(deps_json INTERFACE)
target_link_libraries(deps_json INTERFACE nlohmann_json::nlohmann_json)
add_library(deps::json ALIAS deps_json)
add_library(deps_spdlog INTERFACE)
target_link_libraries(deps_spdlog INTERFACE spdlog::spdlog)
add_library(deps::spdlog ALIAS deps_spdlog)
add_library(deps_cli11 INTERFACE)
target_link_libraries(deps_cli11 INTERFACE CLI11::CLI11)
add_library(deps::cli11 ALIAS deps_cli11)
add_library(deps_yaml INTERFACE)
target_link_libraries(deps_yaml INTERFACE yaml-cpp)
add_library(deps::yaml ALIAS deps_yaml)
add_library(deps_expected INTERFACE)
target_link_libraries(deps_expected INTERFACE tl::expected)
add_library(deps::expected ALIAS deps_expected)
add_library(deps_crypto INTERFACE)
target_link_libraries(deps_crypto INTERFACE OpenSSL::Crypto)
add_library(deps::crypto ALIAS deps_crypto)
add_library(deps_archive INTERFACE)
target_link_libraries(deps_archive INTERFACE LibArchive::LibArchive)
add_library(deps::archive ALIAS deps_archive)
add_library(deps_sqlite INTERFACE)
target_link_libraries(deps_sqlite INTERFACE SQLite::SQLite3)
add_library(deps::sqlite ALIAS deps_sqlite)
add_library(deps_seccomp INTERFACE)
target_link_libraries(deps_seccomp INTERFACE PkgConfig::libseccomp)
add_library(deps::seccomp ALIAS deps_seccomp)
add_library(deps_pcre2 INTERFACE)
target_link_libraries(deps_pcre2 INTERFACE PkgConfig::libpcre2)
add_library(deps::pcre2 ALIAS deps_pcre2)

# cpp-httplib, split into a header and a source so that its 20,000 lines compile once.
set(httplib_dir ${HEARTH_DEPS_DIR}/httplib)
if(NOT EXISTS ${httplib_dir}/httplib.h)
  include(FetchContent)
  FetchContent_Declare(httplib_source
    URL https://github.com/yhirose/cpp-httplib/archive/refs/tags/v0.41.0.tar.gz
    URL_HASH SHA256=6d38a6b74ea33ac3133b8352f2b55b557c1d42f36e1ed0c01f852e3218329d39
    DOWNLOAD_EXTRACT_TIMESTAMP ON
    SOURCE_SUBDIR fetched-for-its-files-only)
  FetchContent_MakeAvailable(httplib_source)
  set(httplib_dir ${httplib_source_SOURCE_DIR})
endif()
find_package(Python3 REQUIRED COMPONENTS Interpreter)
set(httplib_split ${CMAKE_BINARY_DIR}/httplib)
add_custom_command(
  OUTPUT ${httplib_split}/httplib.cc ${httplib_split}/httplib.h
  COMMAND ${CMAKE_COMMAND} -E make_directory ${httplib_split}
  COMMAND Python3::Interpreter ${httplib_dir}/split.py -o ${httplib_split}
  DEPENDS ${httplib_dir}/httplib.h ${httplib_dir}/split.py
  WORKING_DIRECTORY ${httplib_dir}
  VERBATIM)
set(httplib_kept ${CMAKE_BINARY_DIR}/httplib_kept.cc)
add_custom_command(
  OUTPUT ${httplib_kept}
  COMMAND ${CMAKE_COMMAND} -DFROM=${httplib_split}/httplib.cc -DTO=${httplib_kept}
          -P ${CMAKE_CURRENT_LIST_DIR}/keep_field_values.cmake
  DEPENDS ${httplib_split}/httplib.cc ${CMAKE_CURRENT_LIST_DIR}/keep_field_values.cmake
  VERBATIM)
add_library(deps_httplib STATIC ${httplib_kept} ${httplib_split}/httplib.h)
add_library(deps::httplib ALIAS deps_httplib)
target_include_directories(deps_httplib SYSTEM PUBLIC ${httplib_split})
# Runtimes may send an error cause of 1 MiB in one header; a whole block may be a little larger.
# The accept queue must hold a burst of as many clients as may wait for an environment.
target_compile_definitions(deps_httplib PUBLIC
  CPPHTTPLIB_HEADER_MAX_LENGTH=1114112
  CPPHTTPLIB_MAX_LINE_LENGTH=1114112
  CPPHTTPLIB_LISTEN_BACKLOG=1024)
target_link_libraries(deps_httplib PUBLIC Threads::Threads
  PRIVATE hearth_sanitizers)

if(HEARTH_BUILD_TESTS)
  find_package(Catch2 3.3 QUIET HINTS ${HEARTH_DEPS_DIR}/catch2/usr)
  if(NOT Catch2_FOUND)
    include(FetchContent)
    FetchContent_Declare(Catch2
      URL https://github.com/catchorg/Catch2/archive/refs/tags/v3.7.1.tar.gz
      URL_HASH SHA256=c991b247a1a0d7bb9c39aa35faf0fe9e19764213f28ffba3109388e62ee0269c
      DOWNLOAD_EXTRACT_TIMESTAMP ON)
    FetchContent_MakeAvailable(Catch2)
    list(APPEND CMAKE_MODULE_PATH ${catch2_SOURCE_DIR}/extras)
  endif()
endif()
