// Everything a template declares that Hearth can run, as values.
//
// Values only; any thread.
#pragma once

#include "emulator/functions/function.h"

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

namespace emulator::templates {

struct SourceLocation {
  std::filesystem::path file;
  int line = 0;  // from 1
  int column = 0;
  bool operator==(const SourceLocation&) const = default;
};

enum class Architecture { x86_64, arm64 };

// Code written into the template (InlineCode, ZipFile). AWS puts it into one file named index.
struct InlineCode {
  std::string file_name;  // index.py, index.js
  std::string text;
  bool operator==(const InlineCode&) const = default;
};

struct FunctionDeclaration {
  std::string logical_id;
  // Within every quota that functions::validate checks. The name is FunctionName, else the logical
  // id. Paths are resolved against the template's folder; whether they exist is not looked at.
  functions::FunctionConfiguration configuration;
  // When set, configuration.code is empty until the caller has written the file somewhere.
  std::optional<InlineCode> inline_code;
  Architecture architecture = Architecture::x86_64;
  SourceLocation location;
  bool operator==(const FunctionDeclaration&) const = default;
};

struct Project {
  std::vector<FunctionDeclaration> functions;  // in the template's order; never empty
  std::vector<std::string> warnings;           // sentences, each with its file and line
};

}  // namespace emulator::templates
