#include "emulator/harness/result_line.h"

#include "emulator/harness/json_pointer.h"
#include "emulator/harness/record.h"
#include "emulator/invoke/error_body.h"
#include "emulator/invoke/json_syntax.h"
#include "fixtures/encoding.h"

#include <array>
#include <charconv>
#include <cmath>
#include <cstdio>
#include <utility>

namespace emulator::harness {
namespace {

using std::chrono::nanoseconds;

template <class... Ts>
struct Overloaded : Ts... {
  using Ts::operator()...;
};
template <class... Ts>
Overloaded(Ts...) -> Overloaded<Ts...>;

std::string_view outcome_name(const environment::Outcome& outcome) {
  return std::visit(
      Overloaded{
          [](const environment::Responded&) { return std::string_view{"responded"}; },
          [](const environment::FunctionError&) { return std::string_view{"function_error"}; },
          [](const environment::TimedOut&) { return std::string_view{"timed_out"}; },
          [](const environment::RuntimeExited&) { return std::string_view{"runtime_exited"}; },
          [](const environment::OutOfMemory&) { return std::string_view{"out_of_memory"}; },
          [](const environment::ResponseTooLarge&) {
            return std::string_view{"response_too_large"};
          },
          [](const environment::ResponseTruncated&) {
            return std::string_view{"response_truncated"};
          },
          [](const environment::NeverStarted&) { return std::string_view{"never_started"}; },
          [](const environment::ExtensionFailed&) { return std::string_view{"extension_failed"}; },
          [](const environment::RestoreFailed&) { return std::string_view{"restore_failed"}; },
      },
      outcome);
}

// The function's own word where it has one: the platform's list of types holds no others' names.
std::string error_kind(const environment::Outcome& outcome) {
  if (const auto* error = std::get_if<environment::FunctionError>(&outcome)) {
    if (const auto type = find_value(error->body, {"errorType"})) {
      if (auto text = unquoted(*type); text && !text->empty()) return std::move(*text);
    }
  }
  return std::string(environment::error_type(outcome));
}

std::string_view exception_name(invoke::Refusal::Kind kind) {
  switch (kind) {
    case invoke::Refusal::Kind::function_not_found:
    case invoke::Refusal::Kind::qualifier_not_found:
      return "ResourceNotFoundException";
    case invoke::Refusal::Kind::not_runnable:
      return "InvalidRuntimeException";
    case invoke::Refusal::Kind::tenant_missing:
    case invoke::Refusal::Kind::tenant_unexpected:
    case invoke::Refusal::Kind::not_invocable:
      return "InvalidParameterValueException";
    case invoke::Refusal::Kind::snapshot_not_ready:
      return "SnapStartNotReadyException";
    case invoke::Refusal::Kind::snapshot_failed:
      return "ResourceConflictException";
    case invoke::Refusal::Kind::not_kept:
      return "ServiceException";
    case invoke::Refusal::Kind::concurrency_exceeded:
    case invoke::Refusal::Kind::shutting_down:
      break;
  }
  return "TooManyRequestsException";
}

void append_number(std::string& text, std::uint64_t number) {
  std::array<char, 24> digits{};
  const auto end = std::to_chars(digits.data(), digits.data() + digits.size(), number).ptr;
  text.append(digits.data(), end);
}

void append_member(std::string& line, std::string_view name) {
  line.append(",\"").append(name).append("\":");
}

void append_ms(std::string& line, std::string_view name, std::optional<nanoseconds> duration) {
  append_member(line, name);
  if (!duration) {
    line += "null";
    return;
  }
  std::array<char, 40> text{};
  const auto ms = std::chrono::duration<double, std::milli>(*duration).count();
  line.append(
      text.data(),
      std::to_chars(text.data(), text.data() + text.size(), ms, std::chars_format::fixed, 3).ptr);
}

void append_response(std::string& line, const Response& response) {
  switch (response.form) {
    case Response::Form::none:
      return;
    case Response::Form::json:
      append_member(line, "response");
      append_on_one_line(line, response.bytes);
      return;
    case Response::Form::text:
      append_member(line, "response_text");
      line += json_string(response.bytes);
      return;
    case Response::Form::binary:
      append_member(line, "response_base64");
      line.append("\"").append(fixtures::base64_encode(response.bytes)).append("\"");
  }
}

void append_outcome(std::string& line, const ReplayResult& result) {
  append_member(line, "outcome");
  line.append("\"").append(result.outcome).append("\"");
  if (!result.error_type.empty()) {
    append_member(line, "error_type");
    line += json_string(result.error_type);
  }
}

template <class Number>
bool read_number(std::string_view text, Number& number) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  return error == std::errc{} && end == text.data() + text.size();
}

std::optional<nanoseconds> read_ms(std::string_view text) {
  double ms = 0;
  // Ours: a thousand times the longest timeout.
  constexpr double kMost = 900e6;
  if (!read_number(text, ms) || !(ms >= 0 && ms <= kMost)) return std::nullopt;
  return nanoseconds{static_cast<std::int64_t>(std::round(ms * 1e6))};
}

void read_member(ReplayResult& result, std::string_view name, std::string_view value) {
  const auto text = [&] { return unquoted(value).value_or(""); };
  if (name == "position") read_number(value, result.position);
  if (name == "file") result.file = text();
  if (name == "line") read_number(value, result.line);
  if (name == "time") result.started = parse_iso_time(text());
  if (name == "function") result.function_name = text();
  if (name == "request_id") result.request_id = text();
  if (name == "input_sha256") result.input_sha256 = text();
  if (name == "outcome") result.outcome = text();
  if (name == "error_type") result.error_type = text();
  if (name == "response") result.response = {Response::Form::json, std::string(value)};
  if (name == "response_text") result.response = {Response::Form::text, text()};
  if (name == "response_base64") {
    result.response = {Response::Form::binary, fixtures::base64_decode(text()).value_or("")};
  }
  if (name == "duration_ms") result.duration = read_ms(value);
  if (name == "init_ms") result.init_duration = read_ms(value);
  if (name == "restore_ms") result.restore_duration = read_ms(value);
  if (name == "billed_ms") read_number(value, result.billed_ms);
  if (name == "max_memory_used_mb") read_number(value, result.max_memory_used_mb);
}

}  // namespace

Response response_of(std::string bytes) {
  if (bytes.starts_with("\xEF\xBB\xBF")) return {Response::Form::binary, std::move(bytes)};
  if (!invoke::find_json_fault(bytes)) return {Response::Form::json, std::move(bytes)};
  const auto form =
      fixtures::find_invalid_utf8(bytes) ? Response::Form::binary : Response::Form::text;
  return {form, std::move(bytes)};
}

ReplayResult result_of(SentEvent sent,
                       tl::expected<invoke::InvocationResult, invoke::Refusal> answer,
                       environment::Profile profile) {
  ReplayResult result{.position = sent.position,
                      .file = std::move(sent.file),
                      .line = sent.line,
                      .started = {},
                      .function_name = std::move(sent.function_name),
                      .request_id = std::move(sent.request_id),
                      .input_sha256 = std::move(sent.input_sha256),
                      .outcome = "throttled",
                      .error_type = {},
                      .response = {},
                      .duration = {},
                      .init_duration = {},
                      .event = {}};
  if (!answer) {
    result.error_type = exception_name(answer.error().kind);
    return result;
  }
  result.outcome = outcome_name(answer->outcome);
  result.error_type = error_kind(answer->outcome);
  auto* responded = std::get_if<environment::Responded>(&answer->outcome);
  result.response = response_of(
      responded != nullptr ? std::move(responded->body)
                           : invoke::error_body(answer->outcome, result.request_id, profile));
  if (const auto& report = answer->report) {
    result.started = std::chrono::floor<std::chrono::milliseconds>(report->started);
    result.duration = report->duration;
    result.init_duration = report->init_duration;
    result.restore_duration = report->restore_duration;
    result.billed_ms =
        static_cast<std::uint64_t>(environment::billed_duration_ms(*report, profile));
    result.max_memory_used_mb = report->max_memory_used_mb;
  }
  return result;
}

void append_result_line(std::string& lines, const ReplayResult& result) {
  lines.append("{").append(kRecordMark);
  append_member(lines, "position");
  append_number(lines, result.position);
  append_member(lines, "file");
  lines += json_string(result.file);
  append_member(lines, "line");
  append_number(lines, result.line);
  if (result.started) {
    append_member(lines, "time");
    lines.append("\"").append(iso_time(*result.started)).append("\"");
  }
  append_member(lines, "function");
  lines += json_string(result.function_name);
  append_member(lines, "request_id");
  lines += json_string(result.request_id);
  append_member(lines, "input_sha256");
  lines.append("\"").append(result.input_sha256).append("\"");
  append_outcome(lines, result);
  append_ms(lines, "duration_ms", result.duration);
  append_member(lines, "billed_ms");
  append_number(lines, result.billed_ms);
  append_ms(lines, "init_ms", result.init_duration);
  if (result.restore_duration) append_ms(lines, "restore_ms", result.restore_duration);
  append_member(lines, "cold");
  lines += result.cold() ? "true" : "false";
  append_member(lines, "max_memory_used_mb");
  append_number(lines, static_cast<std::uint64_t>(result.max_memory_used_mb));
  if (!result.event.empty()) {
    append_member(lines, "event");
    append_on_one_line(lines, result.event);
  }
  append_response(lines, result.response);
  lines += "}\n";
}

void append_saved_line(std::string& lines, const ReplayResult& result) {
  lines += "{\"position\":";
  append_number(lines, result.position);
  append_member(lines, "input_sha256");
  lines.append("\"").append(result.input_sha256).append("\"");
  append_outcome(lines, result);
  append_response(lines, result.response);
  lines += "}\n";
}

tl::expected<ReplayResult, HarnessError> parse_result_line(std::string_view line) {
  ReplayResult result;
  const bool whole = for_each_member(line, [&](std::string_view name, std::string_view value) {
    // Ours are written without escapes.
    read_member(result, name.substr(1, name.size() - 2), value);
    return true;
  });
  if (!whole || result.position == 0 || result.outcome.empty()) {
    return tl::unexpected(HarnessError{
        "no result of a replay: it needs a position and an outcome; give a file that --save or "
        "--output wrote"});
  }
  return result;
}

}  // namespace emulator::harness
