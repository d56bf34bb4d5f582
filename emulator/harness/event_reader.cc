#include "emulator/harness/event_reader.h"

#include "emulator/harness/record.h"
#include "emulator/invoke/json_syntax.h"

#include <utility>

namespace emulator::harness {
namespace {

std::string_view trimmed(std::string_view text) {
  constexpr std::string_view kBlanks = " \t\r\n";
  const auto first = text.find_first_not_of(kBlanks);
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(kBlanks) - first + 1);
}

}  // namespace

EventReader::EventReader(std::vector<std::string> files, OpenFile open)
    : files_(std::move(files)), open_(std::move(open)) {}

ReadEvent EventReader::next() {
  while (file_ < files_.size()) {
    if (!lines_) {
      auto source = open_(files_[file_]);
      if (!source) {
        auto told = broken_file(source.error().message);
        ++file_;
        return told;
      }
      lines_.emplace(std::move(*source), kMaxLineBytes);
      form_ = Form::unknown;
    }
    if (auto event = next_of_file()) return std::move(*event);
    lines_.reset();
    ++file_;
  }
  return EndOfEvents{};
}

// nullopt: the file has no more.
std::optional<ReadEvent> EventReader::next_of_file() {
  while (true) {
    const auto line = lines_->next();
    if (!line) {
      auto told = broken_file(line.error().message);
      lines_.reset();
      ++file_;
      return told;
    }
    if (!*line) return std::nullopt;
    if ((*line)->too_long) {
      form_ = Form::lines;
      return broken((*line)->number,
                    "the line is longer than " + std::to_string(kMaxLineBytes) +
                        " bytes, which no event or record is; it was skipped");
    }
    const auto text = trimmed((*line)->text);
    if (text.empty()) continue;
    if (std::exchange(form_, Form::lines) == Form::unknown) {
      if (auto whole = whole_document(**line)) return whole;
      // Looking further may have moved the bytes.
      const auto again = lines_->next();
      if (again && *again) return event_of(trimmed((*again)->text), (*again)->number);
    }
    return event_of(text, (*line)->number);
  }
}

// The file's one event, if its first line only begins it. In any case the line is given back.
std::optional<ReadEvent> EventReader::whole_document(const Line& first) {
  const auto number = first.number;
  const auto text = trimmed(first.text);
  const auto fault = invoke::find_json_fault(text);
  lines_->back();
  if (!fault || fault->offset < text.size()) return std::nullopt;
  const auto rest = lines_->rest(kMaxEventBytes + 1);
  if (!rest || !*rest) return std::nullopt;
  const auto document = trimmed(**rest);
  if (document.size() == text.size() || invoke::find_json_fault(document)) return std::nullopt;
  auto event = event_of(document, number);
  while (true) {
    const auto line = lines_->next();
    if (!line || !*line) return event;
  }
}

ReadEvent EventReader::event_of(std::string_view text, std::uint64_t line) {
  const auto record = read_record(text);
  if (!record) return broken(line, record.error().message);
  if (*record) text = (*record)->event;
  if (text.size() > kMaxEventBytes) {
    return broken(line,
                  "the event has " + std::to_string(text.size()) + " bytes, and Lambda takes " +
                      std::to_string(kMaxEventBytes) + "; put the data where the event names it");
  }
  if (const auto fault = invoke::find_json_fault(text)) {
    return broken(line,
                  "not JSON at byte " + std::to_string(fault->offset + 1) + ": " + fault->what +
                      "; an event is one JSON document on a line, or a file that is one");
  }
  Event event{.position = ++position_,
              .file = file_,
              .line = line,
              .payload = std::string(text),
              .recorded = {}};
  if (*record) event.recorded = (*record)->time;
  return event;
}

BrokenEvent EventReader::broken(std::uint64_t line, const std::string& what) {
  return {.position = ++position_,
          .message = files_[file_] + ":" + std::to_string(line) + ": " + what};
}

BrokenEvent EventReader::broken_file(const std::string& what) {
  return {.position = 0, .message = files_[file_] + ": " + what};
}

}  // namespace emulator::harness
