#pragma once
#include <filesystem>
#include <map>
#include <string>
#include <string_view>
#include <vector>

// The repository as its own tests see it: every file that git tracks or would track, by its path
// from the root. Rules take a tree, so that a test can hand them a small one that breaks them.
namespace repository {

using SourceTree = std::map<std::string, std::string>;

// What one rule found wrong, one sentence each, beginning with the path and line.
using Findings = std::vector<std::string>;

// The checkout these tests were built from. Files git ignores are left out; so is what was deleted.
const SourceTree& checkout();

// Lines without their ends.
std::vector<std::string_view> lines_of(std::string_view text);

// C++ text with comments and the insides of literals blanked, line breaks kept.
std::string without_comments_and_literals(std::string_view text);

bool ends_with_any(std::string_view path, std::initializer_list<std::string_view> endings);
bool is_cpp(std::string_view path);

// "path:line: what"
std::string at(std::string_view path, size_t line, std::string_view what);

// All findings on lines of their own, for a failure message.
std::string listed(const Findings& findings);

}  // namespace repository
