#include "tests/repository/manners.h"

#include <catch2/catch_test_macros.hpp>

using namespace repository;

TEST_CASE("a heavy header is refused in our headers and accepted in sources", "[manners]") {
  const auto findings = [](const char* path, const char* header) {
    return heavy_include_findings({{path, std::string("#include <") + header + ">\n"}}).size();
  };
  CHECK(findings("emulator/invoke/a.h", "nlohmann/json.hpp") == 1);
  CHECK(findings("emulator/invoke/a.h", "nlohmann/json_fwd.hpp") == 0);
  CHECK(findings("emulator/invoke/a.h", "spdlog/spdlog.h") == 1);
  CHECK(findings("emulator/invoke/a.cc", "nlohmann/json.hpp") == 0);
  CHECK(findings("emulator/state/a.h", "sqlite3.h") == 1);
  CHECK(findings("emulator/front_doors/a.h", "httplib.h") == 1);
  CHECK(findings("emulator/front_doors/a.cc", "httplib.h") == 0);
}

TEST_CASE("httplib is refused outside the folders that speak HTTP", "[manners]") {
  const SourceTree tree{{"emulator/invoke/a.cc", "\n#include <httplib.h>\n"}};
  CHECK(heavy_include_findings(tree) ==
        Findings{"emulator/invoke/a.cc:2: this folder does not speak HTTP"});
}

TEST_CASE("asking the system for time is refused in code and ignored in comments and literals",
          "[manners]") {
  const auto findings = [](const char* path, const char* text) {
    return clock_findings({{path, text}}).size();
  };
  CHECK(findings("emulator/time/a.cc", "auto t = std::chrono::steady_clock::now();") == 1);
  CHECK(findings("emulator/app/a.cc", "auto t = std::chrono::steady_clock::now();") == 0);
  CHECK(findings("fixtures/a.cc", "std::random_device seed;") == 1);
  CHECK(findings("fixtures/a.cc", "// not from random_device\n/* system_clock::now */") == 0);
  CHECK(findings("fixtures/a.cc", "say(\"random_device\"); say(R\"x(random_device)x\");") == 0);
  CHECK(findings("fixtures/a.cc", "say('\"'); std::random_device seed; say('\"');") == 1);
}

TEST_CASE("a machine's folder and a registry's host are noticed, look-alikes are not",
          "[manners]") {
  const auto findings = [](const std::string& line) {
    return place_findings({{"docs/a.md", line + "\n"}}).size();
  };
  CHECK(findings(std::string("see /wo") + "rk/somebody") == 1);
  CHECK(findings(std::string("HOME=/ro") + "ot") == 1);
  CHECK(findings(std::string("build/wo") + "rk/x ./ro" + "ot/x /worker /rootfs ${dir}/ro" + "ot") ==
        0);
  CHECK(findings(std::string("from https://pypi") + ".org/simple") == 1);
  CHECK(findings("from PyPI") == 0);
}

TEST_CASE("blanks at line ends, tabs, long lines and a missing last line break are noticed",
          "[manners]") {
  const auto findings = [](const char* path, const std::string& text) {
    return layout_findings({{path, text}}).size();
  };
  CHECK(findings("docs/a.md", "one \n") == 1);
  CHECK(findings("docs/a.md", "one\r\n") == 1);
  CHECK(findings("emulator/app/a.cc", "\tint x;\n") == 1);
  CHECK(findings("Makefile", "all:\n\ttrue\n") == 0);
  CHECK(findings("handlers/a/main.go", "func main() {\n\treturn\n}\n") == 0);
  CHECK(findings("emulator/app/a.cc", std::string(101, 'x') + "\n") == 1);
  CHECK(findings("emulator/app/a.cc", std::string(100, 'x') + "\n") == 0);
  CHECK(findings("emulator/app/a.cc", "// https://" + std::string(101, 'x') + "\n") == 0);
  CHECK(findings("docs/a.md", "one") == 1);
  CHECK(findings("fixtures/a.bin", std::string("\0\t ", 3)) == 0);
}

TEST_CASE("a file or folder named for being left over is noticed", "[manners]") {
  CHECK(name_findings({{"emulator/util/a.h", ""}}).size() == 1);
  CHECK(name_findings({{"emulator/time/time_helpers.cc", ""}}).size() == 1);
  CHECK(name_findings({{"emulator/pool_manager.h", ""}}).size() == 1);
  CHECK(name_findings({{"emulator/commonplace.h", ""}}).empty());
}

TEST_CASE("heavy headers stay in sources, httplib in the folders that speak HTTP", "[manners]") {
  const Findings findings = heavy_include_findings(checkout());
  INFO(listed(findings));
  CHECK(findings.empty());
}

TEST_CASE("only the program asks the system for time and randomness", "[manners]") {
  const Findings findings = clock_findings(checkout());
  INFO(listed(findings));
  CHECK(findings.empty());
}

TEST_CASE("no file names a place on one machine or a registry's host", "[manners]") {
  const Findings findings = place_findings(checkout());
  INFO(listed(findings));
  CHECK(findings.empty());
}

TEST_CASE("every file is laid out as agreed", "[manners]") {
  const Findings findings = layout_findings(checkout());
  INFO(listed(findings));
  CHECK(findings.empty());
}

TEST_CASE("no file is named for being left over", "[manners]") {
  const Findings findings = name_findings(checkout());
  INFO(listed(findings));
  CHECK(findings.empty());
}
