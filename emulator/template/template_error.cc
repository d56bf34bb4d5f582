#include "emulator/template/template_error.h"

namespace emulator::templates {

std::string TemplateError::sentence() const {
  std::string text = file;
  if (position.line > 0) {
    text += (text.empty() ? "line " : ":") + std::to_string(position.line) + ":" +
            std::to_string(position.column);
  }
  if (!text.empty()) text += ": ";
  if (!path.empty()) text += path + ": ";
  return text + message;
}

}  // namespace emulator::templates
