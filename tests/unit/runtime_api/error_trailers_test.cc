#include "runtime_api/error_trailers.h"

#include <catch2/catch_test_macros.hpp>

using runtime_api::read_error_trailers;
using runtime_api::TrailedError;

TEST_CASE("an error behind a response has its type and its decoded body", "[stream]") {
  CHECK(read_error_trailers("Runtime.Broken", "eyJlcnJvck1lc3NhZ2UiOiJubyJ9") ==
        TrailedError{"Runtime.Broken", R"({"errorMessage":"no"})"});
  CHECK(read_error_trailers("Function.Late", "YQ==") == TrailedError{"Function.Late", "a"});
  CHECK(read_error_trailers("Function.Late", "YQ") == TrailedError{"Function.Late", "a"});
}

TEST_CASE("without a type there is no error, whatever its body", "[stream]") {
  CHECK_FALSE(read_error_trailers("", ""));
  CHECK_FALSE(read_error_trailers("", "YQ=="));
}

TEST_CASE("an absent or unreadable error body leaves the type, which is made safe", "[stream]") {
  const TrailedError unknown{"Runtime.Unknown", R"({"errorType":"Runtime.Unknown"})"};
  for (const auto* body : {"", "!", "YQ==YQ==", "A", "====", "a b c d"}) {
    INFO(body);
    CHECK(read_error_trailers("TypeError", body) == unknown);
  }
  CHECK(read_error_trailers("Runtime.No\"quote", "")->body ==
        R"({"errorType":"Runtime.No\"quote"})");
}
