#include "tests/repository/source_tree.h"

#include <algorithm>
#include <cstdio>
#include <fstream>
#include <iterator>
#include <memory>
#include <stdexcept>

namespace repository {
namespace {

std::string output_of(const std::string& command) {
  std::unique_ptr<FILE, int (*)(FILE*)> pipe(popen(command.c_str(), "re"), pclose);
  if (!pipe) throw std::runtime_error("cannot run: " + command);
  std::string output;
  char buffer[65536];
  while (const size_t got = fread(buffer, 1, sizeof buffer, pipe.get())) output.append(buffer, got);
  return output;
}

SourceTree read_checkout() {
  const std::filesystem::path root = HEARTH_SOURCE_DIR;
  // The checkout may belong to somebody else, as in a container that mounts it.
  const std::string names = output_of("git -C '" + root.string() +
                                      "' -c safe.directory='*' ls-files -z --cached --others "
                                      "--exclude-standard");
  SourceTree tree;
  for (size_t begin = 0; begin < names.size();) {
    const size_t end = names.find('\0', begin);
    const std::string name = names.substr(begin, end - begin);
    begin = end + 1;
    if (!std::filesystem::is_regular_file(std::filesystem::symlink_status(root / name))) continue;
    std::ifstream file(root / name, std::ios::binary);
    tree[name].assign(std::istreambuf_iterator<char>(file), {});
  }
  if (tree.empty()) throw std::runtime_error("git lists no file of " + root.string());
  return tree;
}

}  // namespace

const SourceTree& checkout() {
  static const SourceTree tree = read_checkout();
  return tree;
}

std::vector<std::string_view> lines_of(std::string_view text) {
  std::vector<std::string_view> lines;
  while (!text.empty()) {
    const size_t end = std::min(text.find('\n'), text.size());
    lines.push_back(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return lines;
}

std::string without_comments_and_literals(std::string_view text) {
  std::string kept(text);
  const auto blank = [&kept](size_t begin, size_t end) {
    for (size_t i = begin; i < std::min(end, kept.size()); ++i) {
      if (kept[i] != '\n') kept[i] = ' ';
    }
  };
  const auto past = [&text](std::string_view mark, size_t from) {
    const size_t found = text.find(mark, from);
    return found == text.npos ? text.size() : found + mark.size();
  };
  for (size_t i = 0; i < text.size();) {
    size_t end = i + 1;
    if (text.substr(i, 2) == "//") {
      end = std::min(text.find('\n', i), text.size());
      blank(i, end);
    } else if (text.substr(i, 2) == "/*") {
      end = past("*/", i + 2);
      blank(i, end);
    } else if (text.substr(i, 2) == "R\"") {
      const size_t open = std::min(text.find('(', i), text.size());
      end = past(")" + std::string(text.substr(i + 2, open - i - 2)) + "\"", open);
      blank(i, end);
    } else if (text[i] == '"') {
      while (end < text.size() && text[end] != '"' && text[end] != '\n') {
        end += text[end] == '\\' ? 2 : 1;
      }
      end = std::min(end + 1, text.size());
      blank(i + 1, end - 1);
    } else if (text.substr(i, 3) == "'\"'" || text.substr(i, 4) == "'\\\"'") {
      end = i + (text[i + 1] == '\\' ? 4 : 3);
      blank(i, end);
    }
    i = end;
  }
  return kept;
}

bool ends_with_any(std::string_view path, std::initializer_list<std::string_view> endings) {
  return std::any_of(endings.begin(), endings.end(), [path](std::string_view ending) {
    return path.ends_with(ending);
  });
}

bool is_cpp(std::string_view path) { return ends_with_any(path, {".h", ".cc"}); }

std::string at(std::string_view path, size_t line, std::string_view what) {
  return std::string(path) + ":" + std::to_string(line) + ": " + std::string(what);
}

std::string listed(const Findings& findings) {
  std::string text;
  for (const std::string& finding : findings) text += "\n  " + finding;
  return text;
}

}  // namespace repository
