// The flags that describe functions and the environments they run in.
#include "emulator/app/cpu_scale.h"
#include "emulator/app/function_options.h"
#include "emulator/control_plane/invoke_api.h"

#include <CLI/CLI.hpp>

#include <charconv>

namespace emulator::app {
namespace {

void add_description_flags(CLI::App& command, FunctionOptions& o) {
  const auto* what = "Function";
  command
      .add_option("--template",
                  o.template_file,
                  "SAM or CloudFormation template (default: "
                  "template.yaml, template.yml or template.json here)")
      ->type_name("FILE")
      ->group(what);
  command.add_option("--parameter", o.parameters, "value of a template parameter, repeatable")
      ->type_name("KEY=VALUE")
      ->allow_extra_args(false)
      ->group(what);
  command.add_option("--code", o.code, "folder or zip with the function's code")
      ->type_name("DIR|ZIP")
      ->group(what);
  command.add_option("--runtime", o.runtime, "provided.al2023, python3.12, nodejs20.x …")
      ->type_name("ID")
      ->group(what);
  command.add_option("--handler", o.handler, "the handler's name")->type_name("NAME")->group(what);
  command.add_option("--name", o.name, "the function's name")->type_name("NAME")->group(what);
  command.add_option("--memory", o.memory_mb, "memory size in MB (default 128)")
      ->type_name("MB")
      ->group(what);
  command.add_option("--timeout", o.timeout_seconds, "function timeout (default 3)")
      ->type_name("SECONDS")
      ->group(what);
  command.add_option("--env", o.variables, "environment variable, repeatable")
      ->type_name("KEY=VALUE")
      ->allow_extra_args(false)
      ->group(what);
  command.add_option("--env-file", o.variables_file, "file of KEY=VALUE lines")
      ->type_name("FILE")
      ->group(what);
  command.add_option("--layer", o.layers, "layer, in merge order, repeatable")
      ->type_name("DIR|ZIP")
      ->allow_extra_args(false)
      ->group(what);
  command.add_option("--ephemeral-storage", o.ephemeral_storage_mb, "size of /tmp (default 512)")
      ->type_name("MB")
      ->group(what);
}

void add_mode_flags(CLI::App& command, FunctionOptions& o) {
  const auto* what = "Function";
  command.add_option("--tracing", o.tracing, "Active or PassThrough")
      ->check(CLI::IsMember({"Active", "PassThrough"}))
      ->group(what);
  command
      .add_flag("--tenant-isolation",
                o.tenant_isolation,
                "environments of its own for each tenant; every invocation names one")
      ->group(what);
  command
      .add_flag("--snap-start",
                o.snap_start,
                "published versions are initialised ahead, and restored for their first "
                "invocation; invoke and replay run the function as one")
      ->group(what);
  command
      .add_option("--managed-instances",
                  o.managed_concurrency,
                  "as on Lambda Managed Instances: N invocations at a time in an environment, "
                  "which is made ahead and never frozen")
      ->check(CLI::Range(1, functions::kMaxManagedConcurrency).description(""))
      ->type_name("N")
      ->group(what);
  command
      .add_option("--log-format",
                  o.log_format,
                  "Text (default) or JSON: an object a line, the platform's lines as events")
      ->check(CLI::IsMember({"Text", "JSON"}))
      ->group(what);
  command.add_option("--region", o.region, "region in ARNs and variables")
      ->check([](const std::string& text) {
        const bool good = !text.empty() && text.find_first_not_of(
                                               "abcdefghijklmnopqrstuvwxyz-"
                                               "0123456789") == text.npos;
        return good ? "" : "'" + text + "' is no region; it looks like us-east-1";
      })
      ->group(what)
      ->capture_default_str();
  command
      .add_option("--credentials",
                  o.credentials,
                  "placeholder: none that work; inherited: "
                  "Hearth's own AWS_ACCESS_KEY_ID and company")
      ->check(CLI::IsMember({"placeholder", "inherited"}))
      ->group(what)
      ->capture_default_str();
}

// A range of CLI11's takes what is no number at all for one of its own.
std::string cpu_scale_complaint(const std::string& text) {
  double factor = 0;
  const auto* end = text.data() + text.size();
  const auto parsed = std::from_chars(text.data(), end, factor);
  const bool within = parsed.ec == std::errc{} && parsed.ptr == end &&
                      factor >= kSmallestCpuScale && factor <= kLargestCpuScale;
  return within ? "" : "'" + text + "' is no factor from 0.01 to 100";
}

void add_machine_flags(CLI::App& command, FunctionOptions& o) {
  const auto* where = "Execution environments";
  command.add_option("--freeze", o.freeze, "stop all processes between invocations")
      ->check(CLI::IsMember({"on", "off"}))
      ->group(where)
      ->capture_default_str();
  command
      .add_option("--init-boost", o.init_boost, "more CPU in the Init phase than the memory gives")
      ->check(CLI::IsMember({"on", "off"}))
      ->group(where)
      ->capture_default_str();
  command
      .add_option("--cpu-scale",
                  o.cpu_scale,
                  "multiplies the CPU share; hearth doctor --calibrate proposes a factor")
      ->check(cpu_scale_complaint)
      ->type_name("FACTOR")
      ->group(where)
      ->capture_default_str();
}

void add_environment_flags(CLI::App& command, FunctionOptions& o) {
  const auto* where = "Execution environments";
  command
      .add_option("--account-concurrency,--max-concurrency",
                  o.max_concurrency,
                  "invocations at the same time, over all functions")
      ->check(CLI::Range(1, 100'000).description(""))
      ->type_name("N")
      ->group(where)
      ->capture_default_str();
  command
      .add_option("--idle-timeout",
                  o.idle_timeout_seconds,
                  "an idle environment is retired "
                  "after this many seconds")
      ->check(CLI::Range(0, 86'400).description(""))
      ->type_name("SECONDS")
      ->group(where)
      ->capture_default_str();
  command
      .add_option("--sandbox",
                  o.sandbox,
                  "full refuses to start when something cannot be enforced, degraded does what the "
                  "host allows, none only starts processes")
      ->check(CLI::IsMember({"full", "degraded", "none"}))
      ->group(where)
      ->capture_default_str();
  command
      .add_option("--network",
                  o.network,
                  "host: the host's; none: a loopback; private: one of their "
                  "own, with traffic outwards (package passt)")
      ->check(CLI::IsMember({"host", "none", "private"}))
      ->group(where)
      ->capture_default_str();
  command.add_option("--rootfs", o.rootfs, "unpacked image as the functions' root")
      ->type_name("DIR")
      ->group(where);
  command
      .add_option(
          "--image",
          o.image,
          "container image as root and command: a folder with an OCI layout, or an archive, "
          "as docker save writes it; words after -- replace its CMD")
      ->type_name("DIR[:TAG]|TAR")
      ->group(where);
  add_machine_flags(command, o);
}

}  // namespace

void add_tenant_flag(CLI::App& command, std::string& tenant_id) {
  command
      .add_option("--tenant-id",
                  tenant_id,
                  "whose invocation it is; for functions that isolate their tenants")
      ->check([](const std::string& text) {
        return control_plane::is_tenant_id(text)
                   ? std::string()
                   : "'" + text +
                         "' is no tenant id: it has 1 to 256 of A-Z a-z 0-9 ._:/=+-@ "
                         "and blanks";
      })
      ->type_name("ID");
}

void add_function_flags(CLI::App& command, FunctionOptions& options) {
  add_description_flags(command, options);
  add_mode_flags(command, options);
  add_environment_flags(command, options);
  add_trace_flags(command, options.traces);
}

void add_stream_flag(CLI::App& command, FunctionOptions& options) {
  command
      .add_option("--stream-bandwidth",
                  options.stream_bandwidth,
                  "rate of a streamed response after its first 6 MB, a second, such as 512KB; "
                  "unlimited or 0 lifts it")
      ->check([](const std::string& text) {
        const auto bandwidth = invoke::parse_stream_bandwidth(text);
        return bandwidth ? "" : bandwidth.error();
      })
      ->type_name("RATE")
      ->group("Execution environments")
      ->capture_default_str();
}

}  // namespace emulator::app
