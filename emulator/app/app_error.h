// Why a command could not do what it was asked, and the exit status that tells it.
#pragma once

#include <string>

namespace emulator::app {

inline constexpr int kSuccess = 0;
inline constexpr int kFunctionFailed = 1;
inline constexpr int kWrongUsage = 2;
inline constexpr int kHostCannot = 3;
inline constexpr int kDefect = 70;

struct AppError {
  int exit_status = kWrongUsage;
  std::string message;  // a sentence: what, where, how to mend
};

// Tells it on standard error and gives its exit status.
int fail(const AppError& error);

}  // namespace emulator::app
