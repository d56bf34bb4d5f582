// What is wrong with a template, and where.
//
// Values only; any thread.
#pragma once

#include <string>

namespace emulator::templates {

// A place in a file; both count from 1, and 0 means that no place is known.
struct Position {
  int line = 0;
  int column = 0;
  bool operator==(const Position&) const = default;
};

struct TemplateError {
  std::string message;  // what is wrong and how to mend it
  Position position;
  std::string path;  // of the offending node, e.g. Resources.F.Properties.CodeUri; may be empty
  std::string file;  // as the user named it

  // All of it in one line: "template.yaml:12:16: Resources.F.Properties.CodeUri: ...".
  std::string sentence() const;
};

}  // namespace emulator::templates
