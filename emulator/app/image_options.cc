#include "emulator/app/image_options.h"

#include "emulator/runtimes/client_installation.h"
#include "emulator/runtimes/image_unpacking.h"
#include "emulator/runtimes/runtime_client_cache.h"

#include <spdlog/spdlog.h>

#include <unistd.h>

#include <cstdlib>
#include <memory>
#include <string>
#include <utility>

namespace emulator::app {
namespace {

std::string variable(const char* name) {
  const char* value = std::getenv(name);  // NOLINT(concurrency-mt-unsafe): never written here
  return value != nullptr ? value : "";
}

tl::unexpected<AppError> wrong(const char* sentence) {
  return tl::unexpected(AppError{kWrongUsage, sentence});
}

}  // namespace

tl::expected<FunctionOptions, AppError> with_image(FunctionOptions options) {
  if (options.image.empty()) return options;
  if (!options.rootfs.empty()) return wrong("--image is a root already; leave --rootfs away");
  if (!options.template_file.empty()) {
    return wrong("--image already says what the code is; leave --template away");
  }
  const auto distribution = runtimes::read_distribution("/etc/os-release");
  const runtimes::ImageHost host{
      .cache_root =
          runtimes::default_cache_root(variable("XDG_CACHE_HOME"), variable("HOME")).parent_path() /
          "images",
      .has_program = runtimes::host_with_path(variable("PATH"), distribution).has_program,
      .run =
          [](const runtimes::ChildCommand& command, const std::filesystem::path& log) {
            return runtimes::run_to_log(command, log, [](std::string_view) {});
          },
      .progress = [](std::string_view line) { spdlog::warn("{}", line); },
      .superuser = ::geteuid() == 0,
      .distribution = distribution};
  auto unpacked = runtimes::unpack_image(options.image, host);
  if (!unpacked) {
    const bool wrong = unpacked.error().kind == runtimes::RuntimeError::Kind::invalid_function;
    return tl::unexpected(AppError{wrong ? kWrongUsage : kHostCannot, unpacked.error().message});
  }
  const auto& config = unpacked->config;
  const auto words = options.command.empty() ? config.command : options.command;
  options.command = config.entrypoint;
  options.command.insert(options.command.end(), words.begin(), words.end());
  if (options.command.empty()) {
    return wrong("the image says neither ENTRYPOINT nor CMD; give a command after --");
  }
  options.rootfs = unpacked->root;
  options.unpacked = std::make_shared<const runtimes::UnpackedImage>(std::move(*unpacked));
  return options;
}

}  // namespace emulator::app
