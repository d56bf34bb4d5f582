#include "emulator/harness/comparison.h"

#include "emulator/harness/event_reader.h"

#include <utility>

namespace emulator::harness {
namespace {

std::vector<JsonPointer> with_request_id(std::vector<JsonPointer> ignored) {
  if (auto pointer = JsonPointer::parse("/requestId")) ignored.push_back(std::move(*pointer));
  return ignored;
}

bool function_made(const std::string& outcome) {
  return outcome == "responded" || outcome == "function_error";
}

std::string told_outcome(const ReplayResult& result) {
  return result.outcome + (result.error_type.empty() ? "" : " " + result.error_type);
}

std::string place(const ReplayResult& result) {
  std::string text = "event " + std::to_string(result.position);
  if (!result.file.empty()) text += " (" + result.file + ":" + std::to_string(result.line) + ")";
  return text;
}

}  // namespace

Comparison::Comparison(std::string name,
                       ByteSource saved,
                       std::vector<JsonPointer> ignored,
                       Tell tell)
    : name_(std::move(name)),
      lines_(std::move(saved), kMaxLineBytes),
      ignored_(std::move(ignored)),
      ignored_of_errors_(with_request_id(ignored_)),
      tell_(std::move(tell)) {}

tl::expected<void, HarnessError> Comparison::read_saved() {
  started_ = true;
  saved_.reset();
  while (true) {
    const auto line = lines_.next();
    if (!line) return tl::unexpected(line.error());
    if (!*line) return {};
    if ((*line)->text.empty() && !(*line)->too_long) continue;
    auto parsed = parse_result_line((*line)->text);
    if (!parsed) {
      return tl::unexpected(HarnessError{name_ + ":" + std::to_string((*line)->number) + ": " +
                                         parsed.error().message});
    }
    saved_ = std::move(*parsed);
    return {};
  }
}

tl::expected<void, HarnessError> Comparison::take(const ReplayResult& result) {
  if (!started_) {
    if (auto read = read_saved(); !read) return read;
  }
  while (saved_ && saved_->position < result.position) {
    ++counts_.missing;
    tell("event " + std::to_string(saved_->position) + " is missing: it was saved as " +
         told_outcome(*saved_));
    if (auto read = read_saved(); !read) return read;
  }
  if (!saved_ || saved_->position > result.position) {
    ++counts_.added;
    tell(place(result) + " is new: nothing was saved of it");
    return {};
  }
  ++(compare(result) == 0 ? counts_.same : counts_.different);
  return read_saved();
}

// How many differences there are.
std::uint64_t Comparison::compare(const ReplayResult& result) {
  if (saved_->input_sha256 != result.input_sha256) {
    tell(place(result) +
         " is another event than the one that was saved; its result is not compared");
    return 1;
  }
  if (told_outcome(*saved_) != told_outcome(result)) {
    tell(place(result) + ": outcome was " + told_outcome(*saved_) + ", is " + told_outcome(result));
    return 1;
  }
  return function_made(result.outcome) ? compare_responses(result) : 0;
}

std::uint64_t Comparison::compare_responses(const ReplayResult& result) {
  const auto& before = saved_->response;
  const auto& after = result.response;
  if (before.form != Response::Form::json || after.form != Response::Form::json) {
    if (before.form == after.form && before.bytes == after.bytes) return 0;
    tell(place(result) + ": response was " + shortened(json_string(before.bytes)) + ", is " +
         shortened(json_string(after.bytes)));
    return 1;
  }
  const auto differences =
      json_differences(before.bytes,
                       after.bytes,
                       result.outcome == "responded" ? ignored_ : ignored_of_errors_,
                       kMaxDifferencesToldOfEvent);
  for (const auto& difference : differences.first) {
    const auto where = difference.pointer.empty() ? "response" : difference.pointer;
    tell(place(result) + ": " + where + " was " + difference.before + ", is " + difference.after);
  }
  if (differences.count > differences.first.size()) {
    tell(place(result) + ": and " + std::to_string(differences.count - differences.first.size()) +
         " more differences");
  }
  return differences.count;
}

void Comparison::tell(const std::string& sentence) {
  if (told_ == kMaxDifferencesTold) {
    tell_("further differences are counted and not told");
  }
  if (told_++ < kMaxDifferencesTold) tell_(sentence);
}

tl::expected<void, HarnessError> Comparison::finish() {
  if (!started_) {
    if (auto read = read_saved(); !read) return read;
  }
  while (saved_) {
    ++counts_.missing;
    tell("event " + std::to_string(saved_->position) + " is missing: it was saved as " +
         told_outcome(*saved_));
    if (auto read = read_saved(); !read) return read;
  }
  return {};
}

}  // namespace emulator::harness
