#pragma once
#include "tests/repository/source_tree.h"

#include <string_view>

namespace repository {

// Headers that cost seconds to compile are included by sources only, and httplib only in the
// folders that speak HTTP.
Findings heavy_include_findings(const SourceTree& tree);

// Time and randomness are handed in; only the program itself asks the system for them.
Findings clock_findings(const SourceTree& tree);

// Nothing names a place on somebody's machine or the host of a package registry.
Findings place_findings(const SourceTree& tree);

// No trailing blanks, no tabs where they are not syntax, no long lines, a line break at the end.
Findings layout_findings(const SourceTree& tree);

// No file or folder is named for being left over.
Findings name_findings(const SourceTree& tree);

}  // namespace repository
