#include "emulator/app/command_words.h"

#include "emulator/template/closest_name.h"

#include <algorithm>
#include <array>
#include <string_view>
#include <utility>

namespace emulator::app {
namespace {

struct Elsewhere {
  std::string_view word;
  std::string_view ours;
};

// Commands that fingers know from sam, serverless and docker.
constexpr std::array<Elsewhere, 6> kElsewhere = {{
    {"local", "hearth invoke, hearth serve or hearth generate-event, without the word local"},
    {"start-lambda", "hearth serve"},
    {"start", "hearth serve"},
    {"run", "hearth invoke"},
    {"exec", "hearth invoke"},
    {"event", "hearth generate-event"},
}};

bool is_option(std::string_view word) { return word.starts_with('-'); }

}  // namespace

std::size_t command_position(const Words& words) {
  std::size_t at = 1;
  while (at < words.size() && words[at].starts_with("--log-level")) {
    at += words[at] == "--log-level" ? 2 : 1;
  }
  return std::min(at, words.size());
}

Words with_help_as_option(Words words) {
  const auto at = command_position(words);
  if (at == words.size() || words[at] != "help") return words;
  Words result = {words.front()};
  if (at + 1 < words.size()) result.push_back(words[at + 1]);
  result.emplace_back("--help");
  return result;
}

std::optional<std::string> unknown_command(const Words& words, const Words& commands) {
  const auto at = command_position(words);
  if (at == words.size() || is_option(words[at])) return std::nullopt;
  const auto& word = words[at];
  if (std::find(commands.begin(), commands.end(), word) != commands.end()) return std::nullopt;
  std::string sentence = "there is no command '" + word + "'";
  const auto* const known = std::find_if(
      kElsewhere.begin(), kElsewhere.end(), [&](const Elsewhere& e) { return e.word == word; });
  if (known != kElsewhere.end()) {
    return sentence.append("; use ").append(known->ours);
  }
  sentence += templates::did_you_mean(word, commands);
  return sentence + "; see hearth --help";
}

std::string unexpected_word(const std::string& command, const Words& extras, const Words& options) {
  const std::string help = "; see hearth " + command + (command.empty() ? "--help" : " --help");
  const auto found = std::find_if(extras.begin(), extras.end(), is_option);
  if (found == extras.end()) {
    return "'" + (extras.empty() ? std::string() : extras.front()) + "' is one word too many" +
           help;
  }
  const auto name = found->substr(0, found->find('='));
  return "there is no option '" + name + "'" + templates::did_you_mean(name, options) + help;
}

}  // namespace emulator::app
