#include "emulator/app/invoke_command.h"

#include "emulator/app/emulator.h"
#include "emulator/app/generate_event_command.h"
#include "emulator/app/identifiers.h"
#include "emulator/app/latency_table.h"
#include "emulator/app/stop_signals.h"
#include "emulator/control_plane/invoke_api.h"
#include "emulator/invoke/error_body.h"
#include "emulator/invoke/json_syntax.h"
#include "fixtures/identifiers.h"

#include <CLI/CLI.hpp>
#include <spdlog/spdlog.h>

#include <unistd.h>

#include <atomic>
#include <cstdio>
#include <fstream>
#include <iostream>
#include <iterator>
#include <mutex>
#include <thread>

namespace emulator::app {
namespace {

tl::expected<std::string, AppError> read_event(const std::string& path) {
  const auto too_large = [&] {
    return tl::unexpected(
        AppError{kWrongUsage,
                 "the event in " + path +
                     " is larger than 6291456 bytes, which is Lambda's limit; make it "
                     "smaller, or put the data where the event only names it"});
  };
  std::string bytes;
  const auto read_all = [&](std::istream& in) {
    std::array<char, 65536> buffer{};
    while (in && bytes.size() <= control_plane::kMaxSyncRequestBytes) {
      in.read(buffer.data(), buffer.size());
      bytes.append(buffer.data(), static_cast<std::size_t>(in.gcount()));
    }
  };
  if (path == "-") {
    read_all(std::cin);
  } else {
    std::ifstream file(path, std::ios::binary);
    if (!file || std::filesystem::is_directory(path)) {
      return tl::unexpected(
          AppError{kWrongUsage, "cannot read the event file " + path + "; check --event"});
    }
    read_all(file);
  }
  if (bytes.size() > control_plane::kMaxSyncRequestBytes) return too_large();
  return bytes;
}

tl::expected<std::string, AppError> event_of(const InvokeOptions& options,
                                             const time::Clock& clock) {
  if (!options.event_file.empty()) return read_event(options.event_file);
  if (options.payload) return *options.payload;
  if (options.fixture.empty()) return std::string("{}");
  const auto now = std::chrono::floor<std::chrono::milliseconds>(clock.wall_now());
  auto event = fixture_event(options.fixture,
                             options.settings,
                             {.now = now, .random = fixtures::seeded_random(new_seed())});
  if (!event) return tl::unexpected(AppError{kWrongUsage, event.error().message});
  return *event;
}

// As Lambda's API takes an event: nothing stands for {}, and what is not JSON is refused.
tl::expected<std::string, AppError> checked(tl::expected<std::string, AppError> event) {
  if (!event) return event;
  if (event->empty()) return std::string("{}");
  if (const auto fault = invoke::find_json_fault(*event)) {
    return tl::unexpected(AppError{
        kWrongUsage,
        "the event is not JSON: " + describe(*fault, *event) + "; Lambda takes one JSON document"});
  }
  return event;
}

invoke::InvocationRequest request_for(const InvokeOptions& options,
                                      const std::string& function_name,
                                      std::string payload) {
  invoke::InvocationRequest request;
  request.function_name = function_name;
  request.request_id = new_uuid();
  request.payload = std::move(payload);
  if (!options.client_context.empty()) request.client_context = options.client_context;
  if (!options.tenant_id.empty()) request.tenant_id = options.tenant_id;
  request.release_at = invoke::ReleaseAt::report;
  return request;
}

std::string body_of(const environment::Outcome& outcome, const std::string& request_id) {
  if (const auto* responded = std::get_if<environment::Responded>(&outcome)) return responded->body;
  return invoke::error_body(outcome, request_id, invoke::Profile::aws);
}

// What the service says of tenants, in the words of this command line.
std::string advice_on(const invoke::Refusal& refusal) {
  using Kind = invoke::Refusal::Kind;
  if (refusal.kind == Kind::tenant_missing) {
    return "the function isolates its tenants; name one with --tenant-id ID";
  }
  if (refusal.kind == Kind::tenant_unexpected) {
    return "the function does not isolate tenants; leave --tenant-id out, or add "
           "--tenant-isolation";
  }
  return refusal.message;
}

// A streamed response at once, as it comes; nothing of it waits in a buffer of ours.
void print(std::string_view bytes) {
  std::fwrite(bytes.data(), 1, bytes.size(), stdout);
  std::fflush(stdout);
}

int invoke_once(const InvokeOptions& options,
                Emulator& emulator,
                const std::string& function_name,
                std::string payload) {
  auto request = request_for(options, function_name, std::move(payload));
  const auto request_id = request.request_id;
  auto started = invoke::StreamedInvocation::start(
      [&emulator](invoke::InvocationRequest run) {
        return emulator.invoker().invoke(std::move(run));
      },
      std::move(request),
      emulator.stream_pace());
  if (!started) return fail({kHostCannot, started.error().message});
  auto& invocation = **started;
  const bool streamed = invocation.await_begin().has_value();
  if (streamed) {
    while (const auto piece = invocation.next()) print(*piece);
  }
  const auto result = invocation.end();
  if (!result) {
    using Kind = invoke::Refusal::Kind;
    const auto kind = result.error().kind;
    const bool usage = kind == Kind::tenant_missing || kind == Kind::tenant_unexpected;
    return fail({usage ? kWrongUsage : kHostCannot, advice_on(result.error())});
  }
  // What follows a response that broke off is none of its bytes.
  const bool broken = streamed && !environment::succeeded(result->outcome);
  if (!broken) print(body_of(result->outcome, request_id));
  if (::isatty(STDOUT_FILENO) != 0) print("\n");
  if (broken)
    spdlog::error("the streamed response broke off: {}", body_of(result->outcome, request_id));
  return environment::succeeded(result->outcome) ? kSuccess : kFunctionFailed;
}

// Tells how far a long repetition is, on a terminal only.
class Progress {
 public:
  explicit Progress(int total) : total_(total), shown_(::isatty(STDERR_FILENO) != 0) {}
  ~Progress() {
    if (shown_) std::fputs("\r\033[K", stderr);
  }
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;
  void show(int done) const {
    if (shown_ && (done == total_ || done % std::max(1, total_ / 100) == 0)) {
      std::fprintf(stderr, "\r%d of %d invocations", done, total_);
    }
  }

 private:
  const int total_;
  const bool shown_;
};

int invoke_many(const InvokeOptions& options,
                Emulator& emulator,
                const std::string& function_name,
                const std::string& payload,
                const std::atomic<bool>& stopping) {
  const auto& clock = emulator.clock();
  std::mutex mutex;
  Repetition repetition;
  std::atomic<int> begun = 0;
  std::atomic<int> done = 0;
  const Progress progress(options.count);
  const auto started = clock.monotonic_now();
  const auto work = [&] {
    while (!stopping && begun.fetch_add(1) < options.count) {
      auto request = request_for(options, function_name, payload);
      const auto sent = clock.monotonic_now();
      const auto result = emulator.invoker().invoke(std::move(request));
      const auto latency = clock.monotonic_now() - sent;
      const std::lock_guard lock(mutex);
      repetition.latencies.push_back(latency);
      if (!result) {
        ++repetition.errors["throttled"];
      } else if (!environment::succeeded(result->outcome)) {
        ++repetition.errors[std::string(environment::error_type(result->outcome))];
      }
      progress.show(++done);
    }
  };
  std::vector<std::thread> threads;
  const int callers = std::min(options.concurrency, options.count);
  threads.reserve(static_cast<std::size_t>(callers));
  for (int i = 0; i < callers; ++i) threads.emplace_back(work);
  for (auto& thread : threads) thread.join();
  repetition.elapsed = clock.monotonic_now() - started;
  repetition.cold_starts = emulator.history().totals()[function_name].cold_starts;
  const bool failed = !repetition.errors.empty();
  std::cout << (options.output == "json" ? as_json(std::move(repetition))
                                         : as_table(std::move(repetition)))
            << std::flush;
  return failed ? kFunctionFailed : kSuccess;
}

}  // namespace

void add_invoke_command(CLI::App& program, InvokeOptions& options) {
  auto* command = program.add_subcommand(
      "invoke",
      "Run a function once and print its response; -- COMMAND runs a program as the runtime");
  command->add_option("FUNCTION", options.name, "logical id or name of a function in the template");
  command->add_option("--event,-e", options.event_file, "file with the event; - is standard input")
      ->type_name("FILE");
  command->add_option("--payload,-p", options.payload, "the event itself")->type_name("JSON");
  command->add_option("--fixture", options.fixture, "an event that Hearth makes, such as s3/put")
      ->type_name("SERVICE/EVENT");
  command->add_option("--set", options.settings, "tag of the fixture, repeatable")
      ->type_name("TAG=VALUE")
      ->allow_extra_args(false);
  command->add_option("--client-context", options.client_context, "client context as JSON text")
      ->type_name("JSON");
  add_tenant_flag(*command, options.tenant_id);
  command->add_option("--count,-n", options.count, "repeat, and print a table of latencies")
      ->check(CLI::Range(1, 100'000'000).description(""))
      ->type_name("N");
  command->add_option("--concurrency,-c", options.concurrency, "callers at the same time")
      ->check(CLI::Range(1, 10'000).description(""))
      ->type_name("N");
  command->add_option("--output", options.output, "how the table is printed")
      ->check(CLI::IsMember({"text", "json"}));
  add_function_flags(*command, options.function);
  add_stream_flag(*command, options.function);
}

int run_invoke(const InvokeOptions& options) {
  const int sources = static_cast<int>(!options.event_file.empty()) +
                      static_cast<int>(options.payload.has_value()) +
                      static_cast<int>(!options.fixture.empty());
  if (sources > 1) {
    return fail({kWrongUsage, "give one of --event, --payload and --fixture, not several"});
  }
  const auto chosen = choose_function(options.function, options.name, "name one of");
  if (!chosen) return fail(chosen.error());
  const auto payload = checked(event_of(options, time::SystemClock()));
  if (!payload) return fail(payload.error());
  auto deployed = deploy_all(chosen->described.functions, chosen->world);
  if (!deployed) return fail(deployed.error());

  const auto& function_name = chosen->function().name;
  auto targets = trace_targets(options.function.traces);
  if (!targets) return fail(targets.error());
  auto built_with = emulator_options(options.function, chosen->described, chosen->world.machine);
  built_with.trace_targets = std::move(*targets);
  Emulator emulator(built_with, fixed_targets(std::move(*deployed), built_with));
  std::atomic<bool> stopping = false;
  const StopSignals signals([&] {
    stopping = true;
    emulator.stop();
  });
  if (options.count > 1) {
    return invoke_many(options, emulator, function_name, *payload, stopping);
  }
  return invoke_once(options, emulator, function_name, *payload);
}

}  // namespace emulator::app
