// Any text as a template, in memory: it must be read or refused, and every refusal must be a
// sentence.
#include "emulator/template/sam_template.h"

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto project =
      emulator::templates::read_project_text(text, "/app", "template.yaml", {{"Stage", "prod"}});
  const auto plain = emulator::templates::read_project_text(text, "/app", "template.yaml", {});
  if (!project && project.error().message.empty()) std::abort();
  if (!plain && plain.error().message.empty()) std::abort();
  if (plain && plain->functions.empty()) std::abort();
  if (plain && !emulator::templates::find_function(*plain, plain->functions.front().logical_id)) {
    std::abort();
  }
  return 0;
}
