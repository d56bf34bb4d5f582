#include "emulator/app/service_options.h"

#include "emulator/app/identifiers.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <utility>

namespace emulator::app {
namespace {

constexpr std::size_t kUnreservedMinimum = 100;

tl::unexpected<AppError> usage(std::string sentence) {
  return tl::unexpected(AppError{kWrongUsage, std::move(sentence)});
}

// The digits at `at`, so many of them; nullopt when something else stands there.
std::optional<int> digits(std::string_view text, std::size_t at, std::size_t count) {
  if (text.size() < at + count) return std::nullopt;
  int value = 0;
  const auto* begin = text.data() + at;
  const auto [end, error] = std::from_chars(begin, begin + count, value);
  if (error != std::errc{} || end != begin + count || value < 0) return std::nullopt;
  return value;
}

std::optional<std::chrono::milliseconds> fraction(std::string_view text) {
  if (text == "Z") return std::chrono::milliseconds{0};
  if (text.size() < 3 || text.size() > 5 || text.front() != '.' || text.back() != 'Z') {
    return std::nullopt;
  }
  const auto count = text.size() - 2;
  const auto value = digits(text, 1, count);
  constexpr std::array kUnits = {0, 100, 10, 1};
  if (!value) return std::nullopt;
  return std::chrono::milliseconds{*value * kUnits[count]};
}

tl::expected<std::optional<std::chrono::system_clock::time_point>, AppError> virtual_start(
    const ServeOptions& options) {
  if (options.clock == "real") {
    if (options.clock_start.empty()) return std::nullopt;
    return usage("--clock-start sets a virtual clock; add --clock virtual");
  }
  if (options.clock_start.empty()) {
    return std::optional(std::chrono::time_point_cast<std::chrono::system_clock::duration>(
        std::chrono::floor<std::chrono::milliseconds>(time::SystemClock().wall_now())));
  }
  const auto moment = parse_moment(options.clock_start);
  if (moment) return std::optional(*moment);
  return usage("--clock-start '" + options.clock_start +
               "' is no moment; write it as 2026-01-13T08:00:00Z");
}

}  // namespace

std::size_t default_unreserved_minimum(std::size_t account_concurrency) {
  return std::min(kUnreservedMinimum, account_concurrency / 10);
}

std::optional<std::chrono::system_clock::time_point> parse_moment(std::string_view text) {
  namespace chrono = std::chrono;
  if (text.size() < 20 || text[4] != '-' || text[7] != '-' || text[10] != 'T' || text[13] != ':' ||
      text[16] != ':') {
    return std::nullopt;
  }
  const auto y = digits(text, 0, 4), m = digits(text, 5, 2), d = digits(text, 8, 2);
  const auto hour = digits(text, 11, 2), minute = digits(text, 14, 2), second = digits(text, 17, 2);
  const auto rest = fraction(text.substr(19));
  if (!y || !m || !d || !hour || !minute || !second || !rest) return std::nullopt;
  const chrono::year_month_day date{chrono::year{*y},
                                    chrono::month{static_cast<unsigned>(*m)},
                                    chrono::day{static_cast<unsigned>(*d)}};
  // The monotonic clock counts nanoseconds from here: it has room for these years.
  if (!date.ok() || *y < 1970 || *y > 2200 || *hour > 23 || *minute > 59 || *second > 59) {
    return std::nullopt;
  }
  return chrono::sys_days{date} + chrono::hours{*hour} + chrono::minutes{*minute} +
         chrono::seconds{*second} + *rest;
}

tl::expected<ServiceOptions, AppError> service_options(const ServeOptions& options,
                                                       EmulatorOptions emulator,
                                                       DeploymentWorld deployment) {
  const auto account = options.function.max_concurrency;
  auto& concurrency = emulator.limits.concurrency;
  concurrency.account = account;
  concurrency.scaling_burst = options.scaling_burst;
  concurrency.requests_per_unit = options.requests_per_concurrency;
  emulator.account = options.account;

  ServiceOptions result;
  result.account_limits.concurrent_executions = account;
  result.account_limits.unreserved_minimum =
      options.unreserved_minimum.value_or(default_unreserved_minimum(account));
  if (result.account_limits.unreserved_minimum > account) {
    return usage("--unreserved-minimum is more than --account-concurrency; lower it");
  }
  auto start = virtual_start(options);
  if (!start) return tl::unexpected(start.error());
  result.virtual_start = *start;
  for (const auto& text : options.endpoints) {
    auto endpoint = parse_endpoint(text);
    if (!endpoint) return tl::unexpected(endpoint.error());
    const auto service = endpoint->service;
    if (!result.endpoints.emplace(service, std::move(*endpoint)).second) {
      return usage("--endpoint names " + std::string(invoke::target_kind_name(service)) +
                   " twice; give each service one endpoint");
    }
  }
  result.hot_folders.push_back(deployment.working_folder);
  for (const auto& folder : options.hot_folders) result.hot_folders.emplace_back(folder);
  if (!options.state_dir.empty()) result.state_folder = options.state_dir;
  result.alias_seed = options.alias_seed.value_or(new_seed());
  result.emulator = std::move(emulator);
  result.deployment = std::move(deployment);
  return result;
}

}  // namespace emulator::app
