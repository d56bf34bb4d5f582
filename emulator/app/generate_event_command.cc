#include "emulator/app/generate_event_command.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <iomanip>
#include <istream>
#include <iterator>
#include <locale>
#include <optional>
#include <ostream>
#include <sstream>
#include <utility>
#include <vector>

namespace emulator::app {
namespace {

using fixtures::FixtureError;
using fixtures::Kind;

constexpr int kSuccess = 0;
constexpr int kWrongUsage = 2;
constexpr int kIndent = 2;  // as sam local generate-event prints

template <typename T>
using Expected = tl::expected<T, FixtureError>;

tl::unexpected<FixtureError> refuse(std::string message) {
  return tl::unexpected(FixtureError{std::move(message)});
}

// What the command line asks for, before any of it is looked up.
struct Request {
  std::vector<std::string> words;  // SERVICE and EVENT, as far as given
  std::vector<fixtures::Override> overrides;
  std::optional<std::string> from;
  std::optional<std::string> output;
  std::optional<std::string> batch_size;
  std::optional<std::string> buffer_mb;
  bool list = false;
  bool help = false;
  bool compact = false;
};

bool is_flag(std::string_view name) {
  return name == "list" || name == "help" || name == "compact";
}

void set_flag(Request& request, std::string_view name) {
  if (name == "list") request.list = true;
  if (name == "help") request.help = true;
  if (name == "compact") request.compact = true;
}

void set_option(Request& request, const std::string& name, std::string value) {
  if (name == "from") {
    request.from = std::move(value);
  } else if (name == "output") {
    request.output = std::move(value);
  } else if (name == "batch-size") {
    request.batch_size = std::move(value);
  } else if (name == "buffer-mb") {
    request.buffer_mb = std::move(value);
  } else {
    request.overrides.push_back({name, std::move(value)});
  }
}

// Whether a word in a value's place is the next option rather than a value: an option of the
// command or a tag of some event. A value that looks so is written --tag=VALUE.
bool looks_like_option(std::string_view word) {
  if (!word.starts_with("--")) return false;
  const std::string_view name = word.substr(2, word.find('=') - 2);
  if (is_flag(name) || name == "from" || name == "output" || name == "batch-size" ||
      name == "buffer-mb") {
    return true;
  }
  const auto kinds = fixtures::kinds();
  return std::any_of(kinds.begin(), kinds.end(), [&](const Kind& kind) {
    return std::any_of(kind.tags.begin(), kind.tags.end(), [&](const fixtures::Tag& tag) {
      return tag.name == name;
    });
  });
}

Expected<Request> parse(std::span<const std::string> arguments) {
  Request request;
  for (std::size_t i = 0; i < arguments.size(); ++i) {
    const std::string& word = arguments[i];
    if (word == "-h") {
      request.help = true;
    } else if (!word.starts_with("--")) {
      if (request.words.size() == 2) {
        std::string message = "'" + word + "' follows ";
        message.append(request.words[0]).append(" ").append(request.words[1]);
        return refuse(message.append(" without an option's name; write --TAG VALUE"));
      }
      request.words.push_back(word);
    } else if (is_flag(std::string_view(word).substr(2))) {
      set_flag(request, std::string_view(word).substr(2));
    } else if (const auto equals = word.find('='); equals != std::string::npos) {
      set_option(request, word.substr(2, equals - 2), word.substr(equals + 1));
    } else if (i + 1 == arguments.size() || looks_like_option(arguments[i + 1])) {
      return refuse(word +
                    " has no value; write it after a space, or after = if it begins with --");
    } else {
      set_option(request, word.substr(2), arguments[++i]);
    }
  }
  return request;
}

void print_usage(std::ostream& out) {
  out << "usage: hearth generate-event SERVICE EVENT [--TAG VALUE ...] [options]\n"
         "       hearth generate-event --list\n"
         "\n"
         "Prints the event a function receives, as JSON. Digests, encodings, ARNs and times\n"
         "follow the tags.\n"
         "\n"
         "  --list             every service and event, with tags and defaults\n"
         "  --compact          one line instead of an indented document\n"
         "  --output json      the default, as sam local generate-event has it\n"
         "  --from FILE        one record of each line (- is standard input): SQS, Kinesis and\n"
         "                     Firehose events; prints one event a line, cut at AWS's limits\n"
         "  --batch-size N     with --from: records in an event (SQS 10, Kinesis 100)\n"
         "  --buffer-mb N      with --from: bytes in a Firehose event (1; from 0.2 to 3)\n"
         "  --help             this, or the events of SERVICE, or the tags of SERVICE EVENT\n";
}

void print_tags(std::ostream& out, const Kind& kind) {
  std::size_t width = 0;
  for (const auto& tag : kind.tags) width = std::max(width, tag.name.size());
  for (const auto& tag : kind.tags) {
    out << "    --" << std::left << std::setw(static_cast<int>(width) + 2) << tag.name << tag.about;
    if (!tag.default_value.empty()) out << " [" << tag.default_value << "]";
    out << '\n';
  }
}

// Kinds of `service`, or of every service when it is empty.
void print_list(std::ostream& out, std::string_view service) {
  std::string_view previous;
  for (const auto& kind : fixtures::kinds()) {
    if (!service.empty() && kind.service != service) continue;
    if (kind.service != previous) out << (previous.empty() ? "" : "\n") << kind.service << '\n';
    previous = kind.service;
    out << "  " << kind.event << ": " << kind.about << (kind.takes_lines ? " (takes --from)" : "")
        << '\n';
    print_tags(out, kind);
  }
}

void print_kind_help(std::ostream& out, const Kind& kind) {
  out << "usage: hearth generate-event " << kind.service << ' ' << kind.event
      << " [--TAG VALUE ...]" << (kind.takes_lines ? " [--from FILE]" : "") << "\n\n"
      << "Event: " << kind.about << ".\n\nTags, with their defaults:\n";
  print_tags(out, kind);
}

bool is_service(std::string_view name) {
  const auto kinds = fixtures::kinds();
  return std::any_of(
      kinds.begin(), kinds.end(), [&](const Kind& kind) { return kind.service == name; });
}

Expected<void> print_help(const Request& request, std::ostream& out) {
  if (request.words.empty()) {
    print_usage(out);
    return {};
  }
  if (request.words.size() == 1 && is_service(request.words[0])) {
    out << "usage: hearth generate-event " << request.words[0] << " EVENT [--TAG VALUE ...]\n\n";
    print_list(out, request.words[0]);
    return {};
  }
  const auto event = request.words.size() == 1 ? std::string() : request.words[1];
  const auto kind = fixtures::find_kind(request.words[0], event);
  if (!kind) return tl::unexpected(kind.error());
  print_kind_help(out, **kind);
  return {};
}

Expected<fixtures::LineBatching> read_batching(const Request& request, const Kind& kind) {
  fixtures::LineBatching batching;
  const bool delivery = kind.takes_lines && kind.service != "sqs" && kind.event != "get-records";
  if (request.batch_size) {
    if (delivery) {
      return refuse("--batch-size does not fit " + kind.service + " " + kind.event +
                    ", whose batches are cut by size; use --buffer-mb");
    }
    const std::string& text = *request.batch_size;
    const char* end = text.data() + text.size();
    const auto read = std::from_chars(text.data(), end, batching.records);
    if (read.ec != std::errc{} || read.ptr != end || batching.records == 0) {
      return refuse("--batch-size cannot be '" + text + "'; give a whole number from 1");
    }
  }
  if (request.buffer_mb) {
    if (!delivery) {
      return refuse("--buffer-mb does not fit " + kind.service + " " + kind.event +
                    ", whose batches are cut by count; use --batch-size");
    }
    std::istringstream text(*request.buffer_mb);
    text.imbue(std::locale::classic());
    double megabytes = 0;
    if (!(text >> megabytes) || !text.eof() || !(megabytes >= 0.2 && megabytes <= 3)) {
      return refuse("--buffer-mb cannot be '" + *request.buffer_mb + "'; give 0.2 to 3");
    }
    batching.buffer_bytes = static_cast<std::size_t>(std::llround(megabytes * 1024 * 1024));
  }
  return batching;
}

Expected<std::string> read_lines(const std::string& name, std::istream& standard_input) {
  std::ifstream file;
  if (name != "-") {
    file.open(name, std::ios::binary);
    if (!file || std::filesystem::is_directory(name)) {
      return refuse("--from cannot read '" + name + "'; name a file that you may read");
    }
  }
  std::istream& in = name == "-" ? standard_input : file;
  try {
    return std::string{std::istreambuf_iterator<char>(in), {}};
  } catch (const std::ios_base::failure&) {
    return refuse("--from could not read '" + name + "' to its end; try again or copy the file");
  }
}

std::string counted(std::size_t count, const std::string& noun) {
  return std::to_string(count) + " " + noun + (count == 1 ? "" : "s");
}

// What became of the lines, on one line of its own.
void tell(const fixtures::LineEvents& made, std::ostream& err) {
  err << "hearth: " << counted(made.records, "record") << " in "
      << counted(made.events.size(), "event");
  if (!made.empty_lines.empty()) {
    err << "; " << counted(made.empty_lines.size(), "empty line")
        << " passed over, the first is line " << made.empty_lines.front();
  }
  err << '\n';
}

Expected<void> print_line_events(const Request& request,
                                 const Kind& kind,
                                 const fixtures::GeneratorWorld& source,
                                 const GenerateEventWorld& world) {
  const auto batching = read_batching(request, kind);
  if (!batching) return tl::unexpected(batching.error());
  const auto text = read_lines(*request.from, world.in);
  if (!text) return tl::unexpected(text.error());
  const auto made = fixtures::events_from_lines(kind, request.overrides, *text, *batching, source);
  if (!made) return refuse("--from " + *request.from + ": " + made.error().message);
  for (const auto& event : made->events) world.out << event << '\n';
  tell(*made, world.err);
  return {};
}

Expected<void> check_options(const Request& request) {
  if (request.output && *request.output != "json") {
    return refuse("--output cannot be '" + *request.output + "'; json is the only form");
  }
  if (!request.from && (request.batch_size || request.buffer_mb)) {
    return refuse(std::string(request.batch_size ? "--batch-size" : "--buffer-mb") +
                  " cuts the records of --from FILE; add it");
  }
  return {};
}

Expected<void> run(const Request& request, const GenerateEventWorld& world) {
  if (request.help) return print_help(request, world.out);
  if (request.list) {
    if (!request.words.empty() && !is_service(request.words[0])) {
      return tl::unexpected(fixtures::find_kind(request.words[0], "").error());
    }
    print_list(world.out, request.words.empty() ? "" : request.words[0]);
    return {};
  }
  if (request.words.empty()) {
    return refuse("SERVICE and EVENT are missing; see hearth generate-event --list");
  }
  const auto kind =
      fixtures::find_kind(request.words[0], request.words.size() < 2 ? "" : request.words[1]);
  if (!kind) return tl::unexpected(kind.error());
  if (auto checked = check_options(request); !checked) return checked;
  const fixtures::GeneratorWorld source{world.now, fixtures::seeded_random(world.seed)};
  if (request.from) return print_line_events(request, **kind, source, world);
  const auto event = fixtures::generate(**kind, request.overrides, source);
  if (!event) return tl::unexpected(event.error());
  world.out << (request.compact ? *event : fixtures::indented(*event, kIndent)) << '\n';
  return {};
}

}  // namespace

int run_generate_event(std::span<const std::string> arguments, const GenerateEventWorld& world) {
  const auto done =
      parse(arguments).and_then([&](const Request& request) { return run(request, world); });
  if (done) return kSuccess;
  world.err << "hearth generate-event: " << done.error().message << '\n';
  return kWrongUsage;
}

Expected<std::string> fixture_event(std::string_view fixture,
                                    std::span<const std::string> settings,
                                    const fixtures::GeneratorWorld& world) {
  const auto slash = fixture.find('/');
  if (slash == std::string_view::npos) {
    return refuse("--fixture cannot be '" + std::string(fixture) +
                  "'; write SERVICE/EVENT as hearth generate-event --list shows them");
  }
  const auto kind = fixtures::find_kind(fixture.substr(0, slash), fixture.substr(slash + 1));
  if (!kind) return refuse("--fixture " + std::string(fixture) + ": " + kind.error().message);
  std::vector<fixtures::Override> overrides;
  for (const auto& setting : settings) {
    const auto equals = setting.find('=');
    if (equals == std::string::npos || equals == 0) {
      return refuse("--set cannot be '" + setting + "'; write TAG=VALUE");
    }
    overrides.push_back({setting.substr(0, equals), setting.substr(equals + 1)});
  }
  return fixtures::generate(**kind, overrides, world);
}

}  // namespace emulator::app
