#include "emulator/app/function_options.h"

#include <CLI/CLI.hpp>
#include <catch2/catch_test_macros.hpp>

#include <algorithm>

using namespace emulator;
using namespace emulator::app;

namespace {

FunctionOptions parsed(std::vector<std::string> words) {
  FunctionOptions options;
  CLI::App program;
  add_function_flags(program, options);
  std::reverse(words.begin(), words.end());
  program.parse(words);
  return options;
}

}  // namespace

TEST_CASE("without flags the machine freezes, boosts Init and leaves the CPU's scale",
          "[function-options]") {
  CHECK(machine_options(parsed({})) ==
        MachineOptions{MachineOptions::Freeze::on, MachineOptions::InitBoost::on, 1.0});
}

TEST_CASE("the machine's flags are taken over", "[function-options]") {
  const auto options = parsed({"--freeze", "off", "--init-boost", "off", "--cpu-scale", "0.25"});
  CHECK(machine_options(options) ==
        MachineOptions{MachineOptions::Freeze::off, MachineOptions::InitBoost::off, 0.25});
}

TEST_CASE("the log's format is a function's, and a flag wins over what describes it",
          "[function-options]") {
  const std::vector<std::string> code = {"--code", "somewhere", "--handler", "a.b"};
  const auto format = [&code](std::vector<std::string> flags) {
    flags.insert(flags.end(), code.begin(), code.end());
    return describe_functions(parsed(flags), {}, "/tmp").value().functions.front().logging.format;
  };
  CHECK(format({}) == functions::LogFormat::text);
  CHECK(format({"--log-format", "JSON"}) == functions::LogFormat::json);
  CHECK(format({"--log-format", "Text"}) == functions::LogFormat::text);
}

TEST_CASE("values that the machine's flags do not have are refused", "[function-options]") {
  const std::vector<std::vector<std::string>> wrong = {{"--freeze", "maybe"},
                                                       {"--init-boost", "2"},
                                                       {"--cpu-scale", "0"},
                                                       {"--cpu-scale", "-1"},
                                                       {"--cpu-scale", "101"},
                                                       {"--cpu-scale", "nan"},
                                                       {"--cpu-scale", "fast"},
                                                       {"--sandbox", "half"},
                                                       {"--network", "bridge"},
                                                       {"--log-format", "xml"}};
  for (const auto& words : wrong) {
    CAPTURE(words[0], words[1]);
    CHECK_THROWS_AS(parsed(words), CLI::ParseError);
  }
}

TEST_CASE("the isolation flags become a wish", "[function-options]") {
  using sandbox::Network;
  using sandbox::Strictness;
  const auto wish = isolation_wish(parsed({}));
  CHECK(wish.strictness == Strictness::degraded);
  CHECK(wish.network == Network::host);
  CHECK_FALSE(wish.root_image);
  CHECK(isolation_wish(parsed({"--sandbox", "full"})).strictness == Strictness::full);
  CHECK(isolation_wish(parsed({"--sandbox", "none"})).strictness == Strictness::none);
  CHECK(isolation_wish(parsed({"--network", "none"})).network == Network::none);
  CHECK(isolation_wish(parsed({"--network", "private"})).network == Network::own_outward);
  CHECK(isolation_wish(parsed({"--rootfs", "/image"})).root_image);
}

TEST_CASE("flags that contradict each other are wrong usage", "[function-options]") {
  for (const auto* network : {"none", "private"}) {
    const auto machine = machine_for(parsed({"--sandbox", "none", "--network", network}));
    REQUIRE_FALSE(machine);
    CHECK(machine.error().exit_status == kWrongUsage);
  }
}

TEST_CASE("a root image that is no folder is wrong usage", "[function-options]") {
  const auto machine = machine_for(parsed({"--rootfs", "/no/such/folder"}));
  REQUIRE_FALSE(machine);
  CHECK(machine.error().exit_status == kWrongUsage);
  CHECK(machine.error().message.find("/no/such/folder") != std::string::npos);
}

TEST_CASE("no sandbox is planned without a look at the host", "[function-options]") {
  const auto machine = machine_for(parsed({"--sandbox", "none"}));
  REQUIRE(machine);
  CHECK(machine->plan.strictness == sandbox::Strictness::none);
  CHECK(machine->plan.given_up.empty());
}

TEST_CASE("tenants are isolated where the flag says so", "[function-options]") {
  const auto described = [](std::vector<std::string> words) {
    words.insert(words.end(), {"--code", "/code", "--runtime", "provided.al2023"});
    auto functions = describe_functions(parsed(words), {}, "/tmp");
    REQUIRE(functions);
    return functions->functions.front().tenant_isolation;
  };
  CHECK(described({}) == functions::TenantIsolation::none);
  CHECK(described({"--tenant-isolation"}) == functions::TenantIsolation::per_tenant);
}

TEST_CASE("a tenant is named with the characters that the service takes", "[function-options]") {
  const auto named = [](const std::string& text) {
    std::string tenant;
    CLI::App program;
    add_tenant_flag(program, tenant);
    program.parse(std::vector<std::string>{text, "--tenant-id"});
    return tenant;
  };
  CHECK(named("team/blue:1") == "team/blue:1");
  CHECK_THROWS_AS(named("a#b"), CLI::ParseError);
  CHECK_THROWS_AS(named(std::string(257, 'a')), CLI::ParseError);
}
