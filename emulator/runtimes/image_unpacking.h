// Container images as roots: unpacked once by umoci, without an engine and without a daemon, and
// kept for the next time below $XDG_CACHE_HOME/hearth/images or ~/.cache/hearth/images.
//
// Threads: any; processes: those that unpack wait for one another.
#pragma once

#include "emulator/runtimes/child_command.h"
#include "emulator/runtimes/host_packages.h"
#include "emulator/runtimes/image_layout.h"
#include "emulator/runtimes/runtime_error.h"

#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

namespace emulator::runtimes {

// Images that are kept; one more, and that which was used longest ago goes, unless it is in use.
// Our choice: some gigabytes at most.
inline constexpr std::size_t kImagesKept = 8;

// The host, as far as unpacking uses it.
struct ImageHost {
  std::filesystem::path cache_root;
  // Whether PATH has a program of this name.
  std::function<bool(std::string_view program)> has_program;
  // Runs a command, its output appended to the log; answers its exit status.
  std::function<Expected<int>(const ChildCommand& command, const std::filesystem::path& log)> run;
  std::function<void(std::string_view line)> progress;  // told before what takes time
  bool superuser = false;                               // else files belong to whoever unpacks
  Distribution distribution = Distribution::unknown;  // for what to install where tools are missing
};

struct UnpackedImage {
  std::filesystem::path root;
  ImageConfig config;
  std::shared_ptr<const void> in_use;  // keeps the root from being removed by other processes
};

// `text` as find_image() takes it. The tools and packages that are missing are named.
Expected<UnpackedImage> unpack_image(const std::string& text, const ImageHost& host);

}  // namespace emulator::runtimes
