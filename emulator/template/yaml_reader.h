// YAML text → tree. Used by parse_document only.
#pragma once

#include "emulator/template/document.h"

#include <tl/expected.hpp>

#include <string_view>

namespace emulator::templates {

tl::expected<Node, TemplateError> read_yaml(std::string_view text);

}  // namespace emulator::templates
