#include "emulator/runtimes/catalog.h"

#include <algorithm>
#include <array>
#include <numeric>

namespace emulator::runtimes {
namespace {

struct Entry {
  std::string_view id;
  Family family;
  std::string_view version;
};

constexpr std::array kCatalog = {
    Entry{"provided", Family::provided, ""},
    Entry{"provided.al2", Family::provided, ""},
    Entry{"provided.al2023", Family::provided, ""},
    Entry{"go1.x", Family::go, ""},
    Entry{"python3.8", Family::python, "3.8"},
    Entry{"python3.9", Family::python, "3.9"},
    Entry{"python3.10", Family::python, "3.10"},
    Entry{"python3.11", Family::python, "3.11"},
    Entry{"python3.12", Family::python, "3.12"},
    Entry{"python3.13", Family::python, "3.13"},
    Entry{"python3.14", Family::python, "3.14"},
    Entry{"python3.15", Family::python, "3.15"},
    Entry{"nodejs18.x", Family::nodejs, "18"},
    Entry{"nodejs20.x", Family::nodejs, "20"},
    Entry{"nodejs22.x", Family::nodejs, "22"},
    Entry{"nodejs24.x", Family::nodejs, "24"},
    Entry{"nodejs26.x", Family::nodejs, "26"},
    Entry{"java8.al2", Family::java, "8"},
    Entry{"java8.al2023", Family::java, "8"},
    Entry{"java11", Family::java, "11"},
    Entry{"java11.al2023", Family::java, "11"},
    Entry{"java17", Family::java, "17"},
    Entry{"java17.al2023", Family::java, "17"},
    Entry{"java21", Family::java, "21"},
    Entry{"java25", Family::java, "25"},
    Entry{"ruby3.2", Family::ruby, "3.2"},
    Entry{"ruby3.3", Family::ruby, "3.3"},
    Entry{"ruby3.4", Family::ruby, "3.4"},
    Entry{"ruby4.0", Family::ruby, "4.0"},
};

// Levenshtein's: insertions, deletions and replacements between two short words.
std::size_t edit_distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), std::size_t{0});
  for (std::size_t i = 1; i <= a.size(); ++i) {
    auto diagonal = row[0];
    row[0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const auto replaced = diagonal + (a[i - 1] == b[j - 1] ? 0 : 1);
      diagonal = row[j];
      row[j] = std::min({row[j] + 1, row[j - 1] + 1, replaced});
    }
  }
  return row.back();
}

std::size_t common_prefix(std::string_view a, std::string_view b) {
  const auto shorter = std::min(a.size(), b.size());
  return static_cast<std::size_t>(std::mismatch(a.begin(), a.begin() + shorter, b.begin()).first -
                                  a.begin());
}

// The fewest edits; of equals the one that begins alike, then the newest.
std::string_view nearest(std::string_view id) {
  auto best = kCatalog.front();
  for (const auto& entry : kCatalog) {
    const auto edits = edit_distance(id, entry.id);
    const auto fewest = edit_distance(id, best.id);
    if (edits < fewest ||
        (edits == fewest && common_prefix(id, entry.id) >= common_prefix(id, best.id))) {
      best = entry;
    }
  }
  return best.id;
}

std::string join(const std::vector<std::string_view>& words) {
  std::string joined;
  for (const auto word : words) joined.append(joined.empty() ? "" : ", ").append(word);
  return joined;
}

}  // namespace

Expected<Runtime> find_runtime(std::string_view id) {
  for (const auto& entry : kCatalog) {
    if (entry.id == id) return Runtime{std::string(id), entry.family, std::string(entry.version)};
  }
  if (id.starts_with("dotnet")) {
    return refuse(RuntimeError::Kind::unsupported_runtime,
                  "runtime '" + std::string(id) +
                      "' is not supported: Hearth does not install the client of .NET; publish the "
                      "function self-contained with the package Amazon.Lambda.RuntimeSupport, its "
                      "executable named bootstrap, and run it as provided.al2023");
  }
  return refuse(RuntimeError::Kind::unknown_runtime,
                "there is no runtime '" + std::string(id) + "'; did you mean " +
                    std::string(nearest(id)) + "? Hearth runs " + join(supported_runtimes()));
}

std::vector<std::string_view> supported_runtimes() {
  std::vector<std::string_view> ids;
  ids.reserve(kCatalog.size());
  for (const auto& entry : kCatalog) ids.push_back(entry.id);
  return ids;
}

std::string_view language(Family family) {
  switch (family) {
    case Family::python:
      return "Python";
    case Family::nodejs:
      return "Node.js";
    case Family::java:
      return "Java";
    case Family::ruby:
      return "Ruby";
    case Family::provided:
    case Family::go:
      break;
  }
  return "";
}

bool needs_client(const Runtime& runtime) { return !language(runtime.family).empty(); }

}  // namespace emulator::runtimes
