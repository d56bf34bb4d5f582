#include "tests/repository/manners.h"

#include "tests/repository/floor_plan.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <regex>

namespace repository {
namespace {

constexpr size_t kColumns = 100;

bool lies_in_any(std::string_view path, std::initializer_list<std::string_view> folders) {
  return std::any_of(folders.begin(), folders.end(), [path](std::string_view folder) {
    return path.starts_with(folder);
  });
}

bool is_text(std::string_view content) { return content.find('\0') == content.npos; }

// UTF-8 code points, which is what an editor shows as columns.
size_t columns_of(std::string_view line) {
  return static_cast<size_t>(std::count_if(line.begin(), line.end(), [](char c) {
    return (static_cast<unsigned char>(c) & 0xC0) != 0x80;
  }));
}

// Written in pieces, so that this file does not break its own rule.
const std::array<std::string, 9> kRegistryHosts = {std::string("deb.") + "debian.org",
                                                   std::string("security.") + "debian.org",
                                                   std::string("snapshot.") + "debian.org",
                                                   std::string("archive.") + "ubuntu.com",
                                                   std::string("pypi") + ".org",
                                                   std::string("files.python") + "hosted.org",
                                                   std::string("registry.npm") + "js.org",
                                                   std::string("proxy.go") + "lang.org",
                                                   std::string("crates") + ".io"};
const std::array<std::string, 2> kPlaces = {std::string("/wo") + "rk", std::string("/ro") + "ot"};

// Is the path at this position of the line an absolute one, and this very folder?
bool stands_alone(std::string_view line, size_t begin, size_t length) {
  const auto continues = [](char c) {
    return std::isalnum(static_cast<unsigned char>(c)) || c == '_' || c == '-';
  };
  const size_t end = begin + length;
  if (end < line.size() && continues(line[end])) return false;
  constexpr std::string_view kInsideAPath = "./})$%>";
  return begin == 0 ||
         (!continues(line[begin - 1]) && kInsideAPath.find(line[begin - 1]) == kInsideAPath.npos);
}

bool mentions_place(std::string_view line, std::string_view place) {
  for (size_t at = line.find(place); at != line.npos; at = line.find(place, at + 1)) {
    if (stands_alone(line, at, place.size())) return true;
  }
  return false;
}

}  // namespace

Findings heavy_include_findings(const SourceTree& tree) {
  static const std::regex heavy(
      "nlohmann/json\\.hpp|spdlog/(?!fwd).*|httplib\\.h|yaml-cpp/.*|CLI/.*|sqlite3\\.h|pcre2\\.h");
  Findings findings;
  for (const auto& [path, text] : tree) {
    if (!is_cpp(path)) continue;
    const bool ours = lies_in_any(path, {"emulator/", "runtime_api/", "fixtures/"});
    const bool speaks_http = lies_in_any(path,
                                         {"runtime_api/",
                                          "emulator/front_doors/",
                                          "emulator/control_plane/",
                                          "emulator/app/",
                                          "handlers/",
                                          "tests/"});
    for (const Include& include : includes_of(text)) {
      if (ours && path.ends_with(".h") && std::regex_match(include.target, heavy)) {
        findings.push_back(at(path, include.line, include.target + " belongs in a source"));
      } else if (include.target == "httplib.h" && !speaks_http) {
        findings.push_back(at(path, include.line, "this folder does not speak HTTP"));
      }
    }
  }
  return findings;
}

Findings clock_findings(const SourceTree& tree) {
  static const std::regex ask(
      "\\b(steady_clock|system_clock|high_resolution_clock)::now\\b|\\brandom_device\\b|"
      "\\bclock_gettime\\b|\\bgettimeofday\\b");
  Findings findings;
  for (const auto& [path, text] : tree) {
    // The sandbox keeps CPU periods as a kernel would: with the kernel's clocks, in one place.
    const bool may_ask = lies_in_any(path,
                                     {"emulator/app/",
                                      "emulator/sandbox/kernel_clock.",
                                      "emulator/time/clock.",
                                      "handlers/",
                                      "tests/"});
    if (!is_cpp(path) || may_ask) continue;
    const std::string code = without_comments_and_literals(text);
    size_t number = 0;
    for (const std::string_view line : lines_of(code)) {
      ++number;
      std::match_results<std::string_view::const_iterator> match;
      if (std::regex_search(line.begin(), line.end(), match, ask)) {
        findings.push_back(at(path, number, match.str() + ": only emulator/app asks the system"));
      }
    }
  }
  return findings;
}

Findings place_findings(const SourceTree& tree) {
  Findings findings;
  for (const auto& [path, text] : tree) {
    if (!is_text(text)) continue;
    size_t number = 0;
    for (const std::string_view line : lines_of(text)) {
      ++number;
      for (const std::string& host : kRegistryHosts) {
        if (line.find(host) != line.npos) findings.push_back(at(path, number, "names " + host));
      }
      for (const std::string& place : kPlaces) {
        if (mentions_place(line, place)) {
          findings.push_back(at(path, number, "names " + place + ", a place on one machine"));
        }
      }
    }
  }
  return findings;
}

Findings layout_findings(const SourceTree& tree) {
  Findings findings;
  for (const auto& [path, text] : tree) {
    if (!is_text(text) || text.empty()) continue;
    const bool tabs_are_syntax =
        path.ends_with("Makefile") || path.ends_with(".mk") || path.ends_with(".go");
    size_t number = 0;
    for (const std::string_view line : lines_of(text)) {
      ++number;
      if (line.ends_with(' ') || line.ends_with('\t') || line.ends_with('\r')) {
        findings.push_back(at(path, number, "ends in a blank"));
      }
      if (!tabs_are_syntax && line.find('\t') != line.npos) {
        findings.push_back(at(path, number, "holds a tab"));
      }
      const bool holds_a_link = line.find("://") != line.npos;
      if (is_cpp(path) && !holds_a_link && columns_of(line) > kColumns) {
        findings.push_back(at(path, number, "is longer than 100 columns"));
      }
    }
    if (!text.ends_with('\n') && !path.ends_with(".json")) {
      findings.push_back(at(path, number, "the last line has no end"));
    }
  }
  return findings;
}

Findings name_findings(const SourceTree& tree) {
  static const std::regex left_over(
      "(^|[/_.-])(util|utils|common|helper|helpers|misc|manager|managers)([/_.-]|$)");
  Findings findings;
  for (const auto& [path, text] : tree) {
    if (std::regex_search(path, left_over)) {
      findings.push_back(path + ": is named for being left over, not for what it is");
    }
  }
  return findings;
}

}  // namespace repository
