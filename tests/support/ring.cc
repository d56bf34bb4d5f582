// Every ring needs one source of its own; its tests are added by the folders below.
#include <limits>
#include <locale>
#include <stdlib.h>

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

#ifdef __SANITIZE_THREAD__
// Without TZ the C library reads its zone anew whenever a thread asks for the local time, as
// libarchive does for each entry, and frees the old one: under a lock that the sanitizer does not
// see.
[[maybe_unused]] const bool kZoneIsSet = ::setenv("TZ", "UTC", 0) == 0;
#endif

}  // namespace
