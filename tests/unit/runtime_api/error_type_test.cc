#include "runtime_api/error_type.h"

#include <catch2/catch_test_macros.hpp>

using runtime_api::safe_error_type;
using runtime_api::safe_extension_error_type;

TEST_CASE("an error type that names a runtime or function error is kept") {
  for (const auto* type : {"Runtime.ExitError",
                           "Function.Some",
                           "Runtime.UnhandledPromiseRejection",
                           "prefix Runtime.Error suffix"}) {
    CHECK(safe_error_type(type) == type);
  }
}

TEST_CASE("a foreign error type becomes unknown") {
  for (const auto* type : {"",
                           "MyCustomError",
                           "MyCustomError.Error",
                           "Runtime.",
                           "Runtime.x",
                           "Runtime.A",
                           "unhandled"}) {
    INFO(type);
    CHECK(safe_error_type(type) == "Runtime.Unknown");
  }
  CHECK(safe_error_type("Function.") == "Function.Unknown");
  CHECK(safe_error_type("Function.lower") == "Function.Unknown");
}

TEST_CASE("an extension's error type names an extension's error, or is replaced") {
  const auto safe = [](const char* type) {
    return safe_extension_error_type(type, "Extension.ExitError");
  };
  CHECK(safe("Extension.NotAble") == "Extension.NotAble");
  for (const auto* type : {"",
                           "MyCustomError",
                           "Runtime.MyCustomErrorTypeHere",
                           "Function.Some",
                           "Extension.",
                           "Extension.A",
                           "Extension.az"}) {
    INFO(type);
    CHECK(safe(type) == "Extension.ExitError");
  }
}
