#include "tests/repository/documents.h"

#include <algorithm>
#include <cctype>
#include <filesystem>
#include <regex>

namespace repository {
namespace {

bool is_document(std::string_view path) {
  return path.ends_with(".md") && (path.starts_with("docs/") || path.find('/') == path.npos);
}

struct Line {
  size_t number;
  std::string text;
};

// The lines that are prose: neither in a fenced block nor one of its fences.
std::vector<Line> prose_of(std::string_view document) {
  std::vector<Line> prose;
  bool fenced = false;
  size_t number = 0;
  for (const std::string_view line : lines_of(document)) {
    ++number;
    if (line.starts_with("```")) {
      fenced = !fenced;
    } else if (!fenced) {
      prose.push_back({number, std::string(line)});
    }
  }
  return prose;
}

std::vector<std::string> matches_of(const std::string& text, const std::regex& pattern) {
  std::vector<std::string> matches;
  for (std::sregex_iterator it(text.begin(), text.end(), pattern), end; it != end; ++it) {
    matches.push_back((*it)[1].str());
  }
  return matches;
}

bool exists(const SourceTree& tree, const std::string& path) {
  if (tree.contains(path)) return true;
  const std::string folder = path.ends_with('/') ? path : path + "/";
  const auto inside = tree.lower_bound(folder);
  return inside != tree.end() && inside->first.starts_with(folder);
}

// "a/{b,c}.h" → "a/b.h", "a/c.h"
std::vector<std::string> alternatives_of(const std::string& path) {
  const size_t open = path.find('{');
  const size_t close = path.find('}', open);
  if (open == path.npos || close == path.npos) return {path};
  std::vector<std::string> all;
  for (size_t begin = open + 1; begin <= close;) {
    const size_t end = std::min(path.find(',', begin), close);
    const std::string chosen =
        path.substr(0, open) + path.substr(begin, end - begin) + path.substr(close + 1);
    for (std::string& alternative : alternatives_of(chosen)) all.push_back(std::move(alternative));
    begin = end + 1;
  }
  return all;
}

bool names_something(const SourceTree& tree, const std::string& path) {
  if (path.find('*') == path.npos) {
    return exists(tree, path) || exists(tree, path + ".h") || exists(tree, path + ".cc");
  }
  std::string pattern;
  for (const char c : path) {
    if (c == '*') {
      pattern += "[^/]*";
    } else {
      if (std::string_view(".+()[]^$|?\\").find(c) != std::string_view::npos) pattern += '\\';
      pattern += c;
    }
  }
  const std::regex form(pattern + "(/.*)?");
  return std::any_of(tree.begin(), tree.end(), [&form](const auto& file) {
    return std::regex_match(file.first, form);
  });
}

std::set<std::string> root_folders(const SourceTree& tree) {
  std::set<std::string> folders;
  for (const auto& [path, text] : tree) {
    if (const size_t slash = path.find('/'); slash != path.npos) {
      folders.insert(path.substr(0, slash));
    }
  }
  return folders;
}

std::string trimmed(std::string text) {
  text.erase(0, text.find_first_not_of(' '));
  text.erase(text.find_last_not_of(' ') + 1);
  return text;
}

// The cells of "| a | b |"; "\|" is a bar inside a cell.
std::vector<std::string> cells_of(std::string_view row) {
  std::vector<std::string> cells(1);
  for (size_t i = 0; i < row.size(); ++i) {
    if (row.substr(i, 2) == "\\|") {
      cells.back() += row[++i];
    } else if (row[i] == '|') {
      cells.emplace_back();
    } else {
      cells.back() += row[i];
    }
  }
  if (cells.size() < 3) return {};
  cells.erase(cells.begin());
  cells.pop_back();
  for (std::string& cell : cells) cell = trimmed(cell);
  return cells;
}

std::string unescaped(const std::string& literal) {
  std::string text;
  for (size_t i = 0; i < literal.size(); ++i) {
    if (literal[i] == '\\' && i + 1 < literal.size()) ++i;
    text += literal[i];
  }
  return text;
}

}  // namespace

std::set<std::string> anchors_of(std::string_view document) {
  std::set<std::string> anchors;
  for (const Line& line : prose_of(document)) {
    if (!line.text.starts_with("#")) continue;
    const std::string heading = trimmed(line.text.substr(line.text.find_first_not_of('#')));
    std::string anchor;
    for (const char c : heading) {
      const auto byte = static_cast<unsigned char>(c);
      if (std::isalnum(byte) || c == '_' || c == '-' || byte >= 0x80) {
        anchor += static_cast<char>(std::tolower(byte));
      } else if (c == ' ') {
        anchor += '-';
      }
    }
    anchors.insert(anchor);
  }
  return anchors;
}

Findings link_target_findings(const SourceTree& tree) {
  static const std::regex link("\\]\\(([^)\\s]+)\\)");
  Findings findings;
  for (const auto& [path, text] : tree) {
    if (!is_document(path)) continue;
    const std::filesystem::path folder = std::filesystem::path(path).parent_path();
    for (const Line& line : prose_of(text)) {
      for (const std::string& target : matches_of(line.text, link)) {
        if (target.find("://") != target.npos || target.starts_with("mailto:")) continue;
        const size_t hash = std::min(target.find('#'), target.size());
        const std::string file =
            hash == 0 ? path : (folder / target.substr(0, hash)).lexically_normal().string();
        if (!exists(tree, file)) {
          findings.push_back(at(path, line.number, "link to " + target + ": no such file"));
        } else if (hash < target.size() && file.ends_with(".md") &&
                   !anchors_of(tree.at(file)).contains(target.substr(hash + 1))) {
          findings.push_back(at(path, line.number, "link to " + target + ": no such heading"));
        }
      }
    }
  }
  return findings;
}

Findings path_findings(const SourceTree& tree) {
  static const std::regex word("`([^`]+)`");
  const std::set<std::string> roots = root_folders(tree);
  Findings findings;
  for (const auto& [path, text] : tree) {
    if (!is_document(path)) continue;
    for (const Line& line : prose_of(text)) {
      for (const std::string& name : matches_of(line.text, word)) {
        if (!roots.contains(name.substr(0, name.find('/'))) || name.find('/') == name.npos ||
            name.find_first_of("<> ") != name.npos || name.find("…") != name.npos) {
          continue;
        }
        const std::string place = name.substr(0, name.find(':'));
        for (const std::string& alternative : alternatives_of(place)) {
          if (!names_something(tree, alternative)) {
            findings.push_back(at(path, line.number, "`" + name + "` names nothing here"));
          }
        }
      }
    }
  }
  return findings;
}

std::optional<std::vector<Promise>> parse_promises(std::string_view document) {
  static const std::regex quoted("\"([^\"]+)\"");
  std::optional<std::vector<Promise>> promises;
  bool in_table = false;
  for (const Line& line : prose_of(document)) {
    const std::vector<std::string> cells = cells_of(line.text);
    if (cells == std::vector<std::string>{"promise", "source", "test"}) {
      in_table = true;
      if (!promises) promises.emplace();
    } else if (!line.text.starts_with("|")) {
      in_table = false;
    } else if (in_table && !line.text.starts_with("|-") && !line.text.starts_with("| -")) {
      const bool whole = cells.size() == 3;
      std::vector<std::string> tests;
      if (whole) tests = matches_of(cells[2], quoted);
      const bool says = whole && (!tests.empty() || cells[2].starts_with("unverified"));
      promises->push_back({line.number, cells.empty() ? line.text : cells[0], tests, says});
    }
  }
  return promises;
}

std::set<std::string> test_names(const SourceTree& tree) {
  static const std::regex opening(
      "\\b(?:TEST_CASE|SCENARIO|TEMPLATE_TEST_CASE)\\(\\s*((?:\"(?:[^\"\\\\]|\\\\.)*\"\\s*)+)");
  static const std::regex literal("\"((?:[^\"\\\\]|\\\\.)*)\"");
  static const std::regex python("\\bdef (test_[a-z0-9_]+)\\(");
  std::set<std::string> names;
  for (const auto& [path, text] : tree) {
    if (!path.starts_with("tests/")) continue;
    if (path.ends_with(".cc")) {
      for (const std::string& literals : matches_of(text, opening)) {
        std::string name;
        for (const std::string& piece : matches_of(literals, literal)) name += unescaped(piece);
        names.insert(name);
      }
    } else if (path.ends_with(".py")) {
      for (const std::string& name : matches_of(text, python)) names.insert(name);
    }
  }
  return names;
}

Findings promise_findings(const std::vector<Promise>& promises,
                          const std::set<std::string>& tests) {
  Findings findings;
  for (const Promise& promise : promises) {
    if (!promise.well_formed) {
      findings.push_back(at("docs/fidelity.md",
                            promise.line,
                            "neither a \"test name\" nor unverified: " + promise.text));
    }
    for (const std::string& test : promise.tests) {
      if (!tests.contains(test)) {
        findings.push_back(
            at("docs/fidelity.md", promise.line, "no test is called \"" + test + "\""));
      }
    }
  }
  return findings;
}

}  // namespace repository
