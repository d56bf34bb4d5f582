#pragma once
#include "tests/repository/source_tree.h"

#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace repository {

// Relative links of README.md and docs/*.md that lead to no file, or to no heading in it.
Findings link_target_findings(const SourceTree& tree);

// `path`-like words in README.md and docs/*.md that name nothing in the tree. A word is a path when
// it begins with a folder of the root; it may be a folder, a file, a unit (a header or source
// without its ending), or hold * and {a,b}. Words with <, … or blanks are patterns for the reader.
Findings path_findings(const SourceTree& tree);

// What the headings of a document are called in links to it.
std::set<std::string> anchors_of(std::string_view document);

// One row of the table | promise | source | test | in docs/fidelity.md.
struct Promise {
  size_t line;
  std::string text;
  std::vector<std::string> tests;  // empty: the cell says unverified
  bool well_formed;
};
// nullopt when the document has no such table.
std::optional<std::vector<Promise>> parse_promises(std::string_view document);

// The names of all Catch2 tests, and of Python test functions, in the tree.
std::set<std::string> test_names(const SourceTree& tree);

// Promises whose test does not exist, or that name neither a test nor "unverified".
Findings promise_findings(const std::vector<Promise>& promises, const std::set<std::string>& tests);

}  // namespace repository
