#include "handlers/testees/variables.h"

#include <charconv>
#include <cstdlib>
#include <cstring>
#include <utility>

namespace testees {

std::string variable(const char* name, std::string otherwise) {
  const char* value = std::getenv(name);  // NOLINT(concurrency-mt-unsafe): one thread
  return value != nullptr ? value : std::move(otherwise);
}

long number(const char* name, long otherwise) {
  const auto text = variable(name);
  long value = otherwise;
  std::from_chars(text.data(), text.data() + text.size(), value);
  return value;
}

std::string error_name(int error_number) {
  if (error_number == 0) return {};
  const char* name = ::strerrorname_np(error_number);
  return name != nullptr ? name : std::to_string(error_number);
}

}  // namespace testees
