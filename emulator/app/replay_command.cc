#include "emulator/app/replay_command.h"

#include "emulator/app/emulator.h"
#include "emulator/app/identifiers.h"
#include "emulator/app/stop_signals.h"
#include "emulator/harness/input_file.h"
#include "emulator/harness/replay_ledger.h"
#include "emulator/harness/replay_run.h"

#include <CLI/CLI.hpp>
#include <spdlog/spdlog.h>

#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <utility>

namespace emulator::app {
namespace {

namespace fs = std::filesystem;

// Our choice: often enough to be seen moving.
constexpr std::chrono::milliseconds kProgressInterval{100};

tl::unexpected<AppError> app_error(const harness::HarnessError& error) {
  const bool host = error.kind == harness::HarnessError::Kind::host;
  return tl::unexpected(AppError{host ? kHostCannot : kWrongUsage, error.message});
}

tl::unexpected<AppError> usage(std::string sentence) {
  return tl::unexpected(AppError{kWrongUsage, std::move(sentence)});
}

void tell(std::string_view sentence) {
  const auto line = "hearth: " + std::string(sentence) + "\n";
  std::fwrite(line.data(), 1, line.size(), stderr);
}

// What the flags say, as values.
struct Plan {
  harness::ReplayTerms terms;
  std::vector<harness::JsonPointer> ignored;
};

tl::expected<Plan, AppError> plan_of(const ReplayOptions& options) {
  Plan plan;
  plan.terms.concurrency = options.concurrency;
  if (!options.tenant_id.empty()) plan.terms.tenant_id = options.tenant_id;
  plan.terms.keep_events = options.keep_events ? harness::KeepEvents::yes : harness::KeepEvents::no;
  const auto pace = harness::parse_pace(options.pace);
  if (!pace) return app_error(pace.error());
  plan.terms.pace = *pace;
  if (!options.order_key.empty()) {
    auto pointer = harness::JsonPointer::parse(options.order_key);
    if (!pointer) return app_error(pointer.error());
    plan.terms.order_key = std::move(*pointer);
  }
  for (const auto& text : options.ignored) {
    auto pointer = harness::JsonPointer::parse(text);
    if (!pointer) return app_error(pointer.error());
    plan.ignored.push_back(std::move(*pointer));
  }
  return plan;
}

bool same_file(const std::string& a, const std::string& b) {
  std::error_code ignored;
  return a == b || fs::equivalent(a, b, ignored);
}

// Before anything is run or written: every file can be read, and none is written over.
tl::expected<void, AppError> check_files(const ReplayOptions& options) {
  if (options.resume && options.output.empty()) {
    return usage("--resume goes on behind the results of --output FILE; name that file");
  }
  if (!options.ignored.empty() && options.compare.empty()) {
    return usage("--ignore leaves something out of --compare FILE; name that file");
  }
  if (std::count(options.files.begin(), options.files.end(), harness::kStandardInput) > 1) {
    return usage("standard input can be read once; name - once");
  }
  std::vector<std::string> read = options.files;
  if (!options.compare.empty()) read.push_back(options.compare);
  const harness::InputFiles inputs;
  for (const auto& name : read) {
    if (const auto opened = inputs.open(name); !opened) {
      return usage(name + ": " + opened.error().message + "; name files of events");
    }
    for (const auto& written : {options.output, options.save}) {
      if (!written.empty() && same_file(written, name)) {
        return usage(written +
                     " is read by this replay and would be written over; write results "
                     "to another file");
      }
    }
  }
  if (!options.output.empty() && same_file(options.output, options.save)) {
    return usage("--output and --save name the same file; name two");
  }
  return {};
}

// Tells how far a run is, on a terminal that shows nothing else of it.
class Progress {
 public:
  Progress(const ReplayOptions& options, const time::Clock& clock)
      : clock_(clock),
        shown_(::isatty(STDERR_FILENO) != 0 &&
               (!options.output.empty() || ::isatty(STDOUT_FILENO) == 0)) {}
  ~Progress() { hide(); }
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

  void hide() {
    if (std::exchange(drawn_, false)) std::fputs("\r\033[K", stderr);
  }

  void show(const harness::Tally& tally) {
    if (!shown_) return;
    const auto now = clock_.monotonic_now();
    if (now < next_) return;
    next_ = now + kProgressInterval;
    drawn_ = true;
    std::fprintf(stderr,
                 "\r%llu events, %llu errors",
                 static_cast<unsigned long long>(tally.events),
                 static_cast<unsigned long long>(tally.failed()));
  }

 private:
  const time::Clock& clock_;
  const bool shown_;
  bool drawn_ = false;
  std::chrono::steady_clock::time_point next_;
};

// Where an interrupted run's results end; nothing for a run that begins.
tl::expected<harness::WrittenResults, AppError> done_before(
    const ReplayOptions& options, const std::function<void(const harness::ReplayResult&)>& visit) {
  std::error_code ignored;
  if (!options.resume || !fs::exists(options.output, ignored)) return harness::WrittenResults{};
  const harness::InputFiles inputs;
  const auto source = inputs.open(options.output);
  if (!source) return usage("--output " + options.output + ": " + source.error().message);
  auto done = harness::read_results(*source, visit);
  if (!done) {
    return usage("--resume: " + options.output + ": " + done.error().message +
                 "; name the file that the earlier run wrote");
  }
  return *done;
}

tl::expected<harness::ReplayLedger::Parts, AppError> open_results(
    const ReplayOptions& options,
    const Plan& plan,
    std::uint64_t done_bytes,
    const harness::InputFiles& files) {
  harness::ReplayLedger::Parts parts{.output = harness::ResultFile::standard_output(),
                                     .saved = {},
                                     .comparison = {},
                                     .progress = {}};
  if (!options.output.empty()) {
    auto output = harness::ResultFile::take_up(options.output, done_bytes);
    if (!output) return app_error(output.error());
    parts.output = std::move(*output);
  }
  if (!options.save.empty()) {
    auto saved = harness::ResultFile::create(options.save);
    if (!saved) return app_error(saved.error());
    parts.saved = std::move(*saved);
  }
  if (!options.compare.empty()) {
    auto source = files.open(options.compare);
    if (!source) return usage(options.compare + ": " + source.error().message);
    parts.comparison = std::make_unique<harness::Comparison>(
        options.compare, std::move(*source), plan.ignored, tell);
  }
  return parts;
}

int exit_status(const harness::ReplaySummary& summary, const harness::ReplayRun& run) {
  const bool differs = summary.comparison && !summary.comparison->holds();
  if (run.stopped() || summary.tally.failed() > 0 || differs) return kFunctionFailed;
  return summary.tally.broken > 0 ? kWrongUsage : kSuccess;
}

void tell_end(const ReplayOptions& options, const harness::ReplaySummary& summary, bool stopped) {
  if (stopped) {
    tell(options.output.empty()
             ? "stopped before the last event; with --output FILE a run can be taken up again"
             : "stopped before the last event; the same command with --resume goes on from here");
  }
  const auto text =
      options.summary == "json" ? harness::summary_json(summary) : harness::summary_table(summary);
  std::fwrite(text.data(), 1, text.size(), stderr);
}

// Everything is described and deployed: the run itself.
int replay(const ReplayOptions& options, Plan plan, Emulator& emulator, std::int64_t memory_mb) {
  const auto& clock = emulator.clock();
  const harness::InputFiles inputs;
  harness::EventReader events(options.files,
                              [&](const std::string& name) { return inputs.open(name); });
  harness::BrokenEvents broken(tell);
  const auto note_broken = [&](const harness::BrokenEvent& event) { broken.add(event); };
  const auto done = done_before(options, [](const harness::ReplayResult&) {});
  if (!done) return fail(done.error());
  if (const auto skipped = harness::skip_done(events, *done, note_broken); !skipped) {
    return fail({kWrongUsage, skipped.error().message});
  }
  // What is compared with is read on when the events are stopped.
  const harness::InputFiles compared;
  auto parts = open_results(options, plan, done->bytes, compared);
  if (!parts) return fail(parts.error());
  Progress progress(options, clock);
  parts->progress = [&](const harness::Tally& tally) { progress.show(tally); };
  harness::ReplayLedger ledger(std::move(*parts));
  const auto counted = done_before(
      options, [&](const harness::ReplayResult& result) { ledger.take_earlier(result); });
  if (!counted) return fail(counted.error());

  time::TimerQueue timers(clock, time::TimerDrive::own_thread);
  harness::ReplayRun run(
      std::move(plan.terms),
      {.clock = clock,
       .timers = timers,
       .invoke = [&](auto request) { return emulator.invoker().invoke(std::move(request)); },
       .new_request_id = new_uuid,
       .broken = note_broken,
       .results = [&](const auto& results) { return ledger.take(results); }},
      events);
  const auto started = clock.monotonic_now();
  {
    const StopSignals signals([&] {
      run.stop();
      inputs.stop();
      emulator.stop();
    });
    run.run();
  }
  if (!run.stopped()) ledger.finish();
  progress.hide();
  auto summary = ledger.summary();
  summary.tally.broken = broken.count();
  summary.prices = options.prices;
  summary.memory_mb = memory_mb;
  summary.elapsed = clock.monotonic_now() - started;
  if (ledger.failure()) return fail(app_error(*ledger.failure()).value());
  tell_end(options, summary, run.stopped());
  return exit_status(summary, run);
}

}  // namespace

namespace {

// A range of CLI11's takes "nan" for one of its own.
std::string price_complaint(const std::string& text) {
  double price = 0;
  const auto* end = text.data() + text.size();
  const auto parsed = std::from_chars(text.data(), end, price);
  const bool good =
      parsed.ec == std::errc{} && parsed.ptr == end && std::isfinite(price) && price >= 0;
  return good ? "" : "'" + text + "' is no price: a number of dollars, 0 or more";
}

}  // namespace

void add_replay_command(CLI::App& program, ReplayOptions& options) {
  auto* command = program.add_subcommand(
      "replay", "Send recorded events through a function; results as JSON lines, and a table");
  command
      ->add_option("FILE",
                   options.files,
                   "events, one a line or a file, or Hearth's records; - is standard input")
      ->required();
  command->add_option("--function", options.name, "logical id or name in the template")
      ->type_name("NAME");
  add_tenant_flag(*command, options.tenant_id);
  command->add_option("--pace", options.pace, "asap, recorded, or a factor of it such as 2x")
      ->type_name("PACE");
  command->add_option("--concurrency,-c", options.concurrency, "events at the same time")
      ->check(CLI::Range(1, 10'000).description(""))
      ->type_name("N");
  command
      ->add_option("--order-key",
                   options.order_key,
                   "JSON pointer; events with the same value there run one after another")
      ->type_name("POINTER");
  command->add_option("--output", options.output, "where results go, in place of standard output")
      ->type_name("FILE");
  command->add_flag("--resume", options.resume, "go on behind the results that --output has");
  command->add_flag("--keep-events", options.keep_events, "results hold their events too");
  command->add_option("--save", options.save, "keep responses, to compare with later")
      ->type_name("FILE");
  command->add_option("--compare", options.compare, "tell what differs from a saved run")
      ->type_name("FILE");
  command
      ->add_option("--ignore",
                   options.ignored,
                   "JSON pointer into responses that is not compared, * for any name; repeatable")
      ->type_name("POINTER")
      ->allow_extra_args(false);
  command->add_option("--summary", options.summary, "how the table at the end is printed")
      ->check(CLI::IsMember({"text", "json"}));
  command->add_option("--price-gb-second", options.prices.gb_second, "US dollars a GB-second")
      ->check(price_complaint)
      ->type_name("USD");
  command->add_option("--price-request", options.prices.request, "US dollars a request")
      ->check(price_complaint)
      ->type_name("USD");
  add_function_flags(*command, options.function);
}

int run_replay(const ReplayOptions& options) {
  auto plan = plan_of(options);
  if (!plan) return fail(plan.error());
  if (const auto checked = check_files(options); !checked) return fail(checked.error());
  const auto chosen =
      choose_function(options.function, options.name, "name one with --function, of");
  if (!chosen) return fail(chosen.error());
  auto deployed = deploy_all(chosen->described.functions, chosen->world);
  if (!deployed) return fail(deployed.error());
  plan->terms.function_name = chosen->function().name;
  auto targets = trace_targets(options.function.traces);
  if (!targets) return fail(targets.error());
  auto built_with = emulator_options(options.function, chosen->described, chosen->world.machine);
  built_with.trace_targets = std::move(*targets);
  Emulator emulator(built_with, fixed_targets(std::move(*deployed), built_with));
  return replay(options, std::move(*plan), emulator, chosen->function().memory.mebibytes);
}

}  // namespace emulator::app
