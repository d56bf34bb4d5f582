#include "emulator/runtimes/catalog.h"

#include <catch2/catch_test_macros.hpp>

#include <algorithm>

using namespace emulator::runtimes;

TEST_CASE("a runtime id names its family and the version of its language", "[runtimes]") {
  CHECK(find_runtime("python3.11").value() == Runtime{"python3.11", Family::python, "3.11"});
  CHECK(find_runtime("nodejs20.x").value() == Runtime{"nodejs20.x", Family::nodejs, "20"});
  CHECK(find_runtime("provided.al2023").value() ==
        Runtime{"provided.al2023", Family::provided, ""});
  CHECK(find_runtime("go1.x").value().family == Family::go);
}

TEST_CASE("every supported runtime is found, and only languages need a client", "[runtimes]") {
  const auto ids = supported_runtimes();
  CHECK(std::count(ids.begin(), ids.end(), "python3.14") == 1);
  for (const auto id : ids) {
    INFO(id);
    const auto runtime = find_runtime(id);
    REQUIRE(runtime);
    CHECK(needs_client(*runtime) == (id != "go1.x" && !id.starts_with("provided")));
    CHECK(needs_client(*runtime) == !language(runtime->family).empty());
  }
}

TEST_CASE("a mistyped runtime is refused with the one that was meant", "[runtimes]") {
  const auto meant = [](std::string_view id) {
    const auto found = find_runtime(id);
    REQUIRE_FALSE(found);
    CHECK(found.error().kind == RuntimeError::Kind::unknown_runtime);
    const auto& message = found.error().message;
    const auto from = message.find("did you mean ") + 13;
    return message.substr(from, message.find('?') - from);
  };
  CHECK(meant("nodejs20") == "nodejs20.x");
  CHECK(meant("Python3.11") == "python3.11");
  CHECK(meant("python3.16") == "python3.15");
  CHECK(meant("provided.al2024") == "provided.al2023");
  CHECK(meant("go1") == "go1.x");
}

TEST_CASE("the ids of Java and Ruby carry their versions", "[runtimes]") {
  CHECK(find_runtime("java8.al2").value() == Runtime{"java8.al2", Family::java, "8"});
  CHECK(find_runtime("java25").value() == Runtime{"java25", Family::java, "25"});
  CHECK(find_runtime("java8.al2023").value() == Runtime{"java8.al2023", Family::java, "8"});
  CHECK(find_runtime("ruby3.4").value() == Runtime{"ruby3.4", Family::ruby, "3.4"});
}

TEST_CASE(".NET is refused as such, with the way to run it all the same", "[runtimes]") {
  const auto found = find_runtime("dotnet8");
  REQUIRE_FALSE(found);
  CHECK(found.error().kind == RuntimeError::Kind::unsupported_runtime);
  CHECK(found.error().message.find("provided.al2023") != std::string::npos);
}
