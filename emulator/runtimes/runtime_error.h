// What can go wrong on the way from a runtime's id to a program that runs it.
#pragma once

#include <tl/expected.hpp>

#include <string>

namespace emulator::runtimes {

struct RuntimeError {
  enum class Kind {
    unknown_runtime,      // no such id on AWS
    unsupported_runtime,  // exists on AWS; Hearth cannot run it
    invalid_function,     // the configuration lacks what this runtime needs
    interpreter_missing,  // this host has no such language
    client_missing,       // `hearth runtime install` has not been run
    tools_missing,        // this host lacks what the installation needs
    installation_failed,
    cache_unusable,
  };
  Kind kind;
  std::string message;  // a sentence: what, where, how to mend
};

template <typename T>
using Expected = tl::expected<T, RuntimeError>;

inline tl::unexpected<RuntimeError> refuse(RuntimeError::Kind kind, std::string message) {
  return tl::unexpected(RuntimeError{kind, std::move(message)});
}

}  // namespace emulator::runtimes
