// The command line and the environment variables of aws-lambda-rie, read as that program reads
// them.
//
// Sources: RIE observed as a black box, its published flags, and its own tests where a comment says
// so. Pure; any thread.
#pragma once

#include "emulator/functions/function.h"

#include <tl/expected.hpp>

#include <array>
#include <chrono>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace emulator::app {

// RIE's levels; `panic` and `fatal` come to the same for us as `error`.
enum class RieLogLevel { error, warning, info, debug, trace };

// Whether the functions' runtimes are told of SnapStart (--enable-init-caching).
enum class InitCaching { disabled, enabled };

struct HostAndPort {
  std::string host;
  int port = 0;
  bool operator==(const HostAndPort&) const = default;
};

struct RieOptions {
  RieLogLevel log_level = RieLogLevel::info;
  InitCaching init_caching = InitCaching::disabled;
  HostAndPort runtime_api{"127.0.0.1", 9001};
  HostAndPort front_door{"0.0.0.0", 8080};

  std::vector<std::string> command;  // empty: find_bootstrap() says what to start
  std::string handler;               // empty: none is known, and _HANDLER is not set

  std::string function_name = "test_function";
  std::string function_version = "$LATEST";
  std::chrono::seconds timeout{300};  // 0: every invocation times out at once, as with RIE
  functions::MemorySize memory{3008};
  // AWS_LAMBDA_MAX_CONCURRENCY as it is, if it is there at all: the mode for Managed Instances.
  std::optional<std::string> max_concurrency;
  std::string access_key_id;
  std::string secret_access_key;
  std::string session_token;
};

// Arguments or variables that cannot be served. RIE's own text where it has one. The program prints
// it and ends with `exit_status`.
struct RieOptionsError {
  std::string message;
  int exit_status = 1;
};

using Variables = std::map<std::string, std::string>;

// `arguments` without the program's name. Known flags are taken out wherever they stand, also
// behind the command; every other word belongs to the command.
tl::expected<RieOptions, RieOptionsError> parse_rie_options(
    const std::vector<std::string>& arguments, const Variables& environment);

// Where RIE looks for a runtime when it is given no command, in this order.
inline constexpr std::array<std::string_view, 3> kBootstrapPaths = {
    "/var/task/bootstrap", "/opt/bootstrap", "/var/runtime/bootstrap"};

// The folder a bootstrap is started in; a command is started where Hearth was.
inline constexpr std::string_view kRieTaskRoot = "/var/task";

// Whose subfolder `extensions` is looked into.
inline constexpr std::string_view kRieLayersRoot = "/opt";

// The first of kBootstrapPaths that is a file; the first of all when none is, so that the failure
// to start it names a path.
std::string find_bootstrap(const std::function<bool(std::string_view path)>& is_file);

// The variables of the runtime's process: all that were inherited, with Lambda's own over them.
// `runtime_api` is the address that the runtime finds its API at.
Variables rie_runtime_environment(const RieOptions& options,
                                  const Variables& inherited,
                                  std::string_view runtime_api);

}  // namespace emulator::app
