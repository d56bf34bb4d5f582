// Every ring needs one source of its own; its tests are added by the folders below.
#include <limits>
#include <locale>

namespace {

// libstdc++ fills the narrowing table of its character facet when a character is first asked for,
// by whichever thread asks, and without a lock. Regular expressions ask; so it is filled before
// there are threads.
[[maybe_unused]] const bool kNarrowingTableFilled = [] {
  const auto& facet = std::use_facet<std::ctype<char>>(std::locale::classic());
  for (int c = std::numeric_limits<char>::min(); c <= std::numeric_limits<char>::max(); ++c) {
    facet.narrow(static_cast<char>(c), '\0');
  }
  return true;
}();

}  // namespace
