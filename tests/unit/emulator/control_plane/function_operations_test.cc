#include "tests/support/service_world.h"

#include <catch2/catch_test_macros.hpp>

using namespace emulator::control_plane;
using tests::ServiceParts;

namespace {

constexpr const char* kArn = "arn:aws:lambda:us-east-1:123456789012:function:f";

Answer run(ServiceParts& parts, std::string_view name, const Document& input) {
  return parts.run(function_operations(), name, input);
}

ServiceError refusal(ServiceParts& parts, std::string_view name, const Document& input) {
  const auto answer = run(parts, name, input);
  REQUIRE_FALSE(answer);
  return answer.error();
}

std::string current_revision(ServiceParts& parts) {
  return run(parts, "GetFunctionConfiguration", {{"FunctionName", "f"}}).value()["RevisionId"];
}

}  // namespace

TEST_CASE("a new function is pending in the answer and active the moment after", "[functions]") {
  ServiceParts parts;
  const auto created = parts.create("f");
  CHECK(created["State"] == "Pending");
  CHECK(created["StateReasonCode"] == "Creating");
  CHECK(created["FunctionArn"] == kArn);
  CHECK(created["Version"] == "$LATEST");
  CHECK(created["MemorySize"] == 128);
  CHECK(created["Timeout"] == 3);
  CHECK(created["CodeSize"] > 0);
  CHECK(created["LastModified"] == "2026-01-13T00:00:00.000+0000");
  const auto read = run(parts, "GetFunction", {{"FunctionName", "f"}}).value();
  CHECK(read["Configuration"]["State"] == "Active");
  CHECK(read["Configuration"]["LastUpdateStatus"] == "Successful");
  CHECK(read["Code"]["RepositoryType"] == "S3");
  CHECK_FALSE(read.contains("Concurrency"));
}

TEST_CASE("a function of the same name is refused", "[functions]") {
  ServiceParts parts;
  parts.create("f");
  const auto refused = refusal(parts,
                               "CreateFunction",
                               {{"FunctionName", "f"},
                                {"Runtime", "provided.al2023"},
                                {"Handler", "h"},
                                {"Role", "r"},
                                {"Code", {{"ZipFile", ""}}}});
  CHECK(refused.exception == "ResourceConflictException");
  CHECK(refused.status == 409);
  CHECK(refused.message == "Function already exist: f");
}

TEST_CASE("code that is no package, too large or missing is refused and leaves no function",
          "[functions]") {
  ServiceParts parts;
  Document input = {{"FunctionName", "f"},
                    {"Runtime", "provided.al2023"},
                    {"Handler", "h"},
                    {"Role", "r"},
                    {"Code", {{"ZipFile", "bm8gemlw"}}}};
  CHECK(refusal(parts, "CreateFunction", input).message ==
        "Could not unzip uploaded file. Please check your file, then try to upload again.");
  input["Code"] = Document::object();
  CHECK(refusal(parts, "CreateFunction", input).exception == "InvalidParameterValueException");
  parts.world.limits.unzipped_code_bytes = 10;
  input["Code"] = {{"ZipFile", tests::zip_base64({{"a", std::string(11, 'x')}})}};
  CHECK(refusal(parts, "CreateFunction", input).message ==
        "Unzipped size must be smaller than 10 bytes");
  parts.world.limits.zipped_code_bytes = 5;
  CHECK(refusal(parts, "CreateFunction", input).status == 413);
  input["Code"] = {{"S3Bucket", "mine"}, {"S3Key", "k"}};
  CHECK(refusal(parts, "CreateFunction", input).message.find("ZipFile") != std::string::npos);
  CHECK(parts.world.registry.size() == 0);
}

TEST_CASE("a folder of this machine is used in place", "[functions]") {
  ServiceParts parts;
  tests::ScratchFolder code;
  const auto path = code.path().string();
  const Document hot = {{"Code", {{"S3Bucket", "hot-reload"}, {"S3Key", path}}}};
  parts.create("f", hot);
  CHECK(parts.world.registry.find("f")->latest->code.folder == path);
  CHECK(run(parts, "GetFunction", {{"FunctionName", "f"}}).value()["Code"]["Location"] ==
        "file://" + path);
  Document input = {{"FunctionName", "f"}, {"S3Bucket", "hot-reload"}, {"S3Key", "relative"}};
  CHECK(refusal(parts, "UpdateFunctionCode", input).message.find("absolute path") !=
        std::string::npos);
  tests::ScratchFolder elsewhere;
  parts.world.hot_folders = {elsewhere.path()};
  input["S3Key"] = path;
  CHECK(refusal(parts, "UpdateFunctionCode", input).message.find("--hot-reload") !=
        std::string::npos);
  input["S3Key"] = path + "/missing";
  CHECK(refusal(parts, "UpdateFunctionCode", input).message.find("no folder") != std::string::npos);
}

TEST_CASE("an update changes what it names and nothing else", "[functions]") {
  ServiceParts parts;
  const auto created = parts.create("f", {{"Description", "first"}});
  parts.clock.advance(std::chrono::seconds{1});
  const auto updated = run(parts,
                           "UpdateFunctionConfiguration",
                           {{"FunctionName", "f"},
                            {"MemorySize", 512},
                            {"Environment", {{"Variables", {{"A", "1"}}}}}})
                           .value();
  CHECK(updated["LastUpdateStatus"] == "InProgress");
  CHECK(updated["MemorySize"] == 512);
  CHECK(updated["Description"] == "first");
  CHECK(updated["RevisionId"] != created["RevisionId"]);
  CHECK(updated["LastModified"] == "2026-01-13T00:00:01.000+0000");
  const auto cleared = run(parts,
                           "UpdateFunctionConfiguration",
                           {{"FunctionName", "f"}, {"Environment", Document::object()}})
                           .value();
  CHECK(cleared["Environment"] == Document{{"Variables", Document::object()}});
  CHECK(cleared["MemorySize"] == 512);
}

TEST_CASE("an update for another revision is refused", "[functions]") {
  ServiceParts parts;
  const auto created = parts.create("f");
  const auto refused = refusal(parts,
                               "UpdateFunctionConfiguration",
                               {{"FunctionName", "f"}, {"RevisionId", created["RevisionId"]}});
  CHECK(refused.exception == "PreconditionFailedException");
  CHECK(refused.status == 412);
  CHECK(run(parts,
            "UpdateFunctionConfiguration",
            {{"FunctionName", "f"}, {"RevisionId", current_revision(parts)}}));
}

TEST_CASE("reserved and oversized variables are refused in the service's words", "[functions]") {
  ServiceParts parts;
  parts.create("f");
  Document input = {{"FunctionName", "f"},
                    {"Environment", {{"Variables", {{"AWS_REGION", "x"}, {"OWN", "y"}}}}}};
  CHECK(refusal(parts, "UpdateFunctionConfiguration", input)
            .message.ends_with("Reserved keys used in this request: AWS_REGION"));
  input["Environment"]["Variables"] = {{"BIG", std::string(4096, 'x')}};
  CHECK(
      refusal(parts, "UpdateFunctionConfiguration", input).message.find("exceeded the 4KB limit") !=
      std::string::npos);
}

TEST_CASE("new code changes its digest, and a dry run changes nothing", "[functions]") {
  ServiceParts parts;
  const auto created = parts.create("f");
  Document input = {{"FunctionName", "f"},
                    {"ZipFile", tests::zip_base64({{"bootstrap", "new"}})},
                    {"DryRun", true}};
  const auto tried = run(parts, "UpdateFunctionCode", input).value();
  CHECK(tried["CodeSha256"] != created["CodeSha256"]);
  const auto read = [&] {
    return run(parts, "GetFunctionConfiguration", {{"FunctionName", "f"}}).value()["CodeSha256"];
  };
  CHECK(read() == created["CodeSha256"]);
  const auto stored = [&] {
    return std::distance(std::filesystem::directory_iterator(parts.folder.path() / "code"), {});
  };
  CHECK(stored() == 1);
  input.erase("DryRun");
  CHECK(run(parts, "UpdateFunctionCode", input).value()["LastUpdateStatus"] == "InProgress");
  CHECK(read() == tried["CodeSha256"]);
}

TEST_CASE("functions are listed page after page, with their versions if asked", "[functions]") {
  ServiceParts parts;
  for (const auto* name : {"a", "b", "c"}) parts.create(name);
  CHECK(parts.run(version_operations(), "PublishVersion", {{"FunctionName", "b"}}));
  auto page = run(parts, "ListFunctions", {{"MaxItems", 2}}).value();
  CHECK(page["Functions"].size() == 2);
  CHECK_FALSE(page["Functions"][0].contains("State"));
  page = run(parts, "ListFunctions", {{"MaxItems", 2}, {"Marker", page["NextMarker"]}}).value();
  CHECK(page["Functions"].size() == 1);
  CHECK(page["Functions"][0]["FunctionName"] == "c");
  CHECK_FALSE(page.contains("NextMarker"));
  const auto all = run(parts, "ListFunctions", {{"FunctionVersion", "ALL"}}).value();
  CHECK(all["Functions"].size() == 4);
  CHECK(all["Functions"][2]["Version"] == "1");
  CHECK(refusal(parts, "ListFunctions", {{"Marker", "!"}}).status == 400);
}

TEST_CASE("a function is deleted whole or one version at a time", "[functions]") {
  ServiceParts parts;
  parts.create("f");
  CHECK(parts.run(version_operations(), "PublishVersion", {{"FunctionName", "f"}}));
  CHECK(parts.run(version_operations(),
                  "CreateAlias",
                  {{"FunctionName", "f"}, {"Name", "live"}, {"FunctionVersion", "1"}}));
  const auto with = [](const char* qualifier) {
    return Document{{"FunctionName", "f"}, {"Qualifier", qualifier}};
  };
  CHECK(refusal(parts, "DeleteFunction", with("$LATEST")).message ==
        "$LATEST version cannot be deleted without deleting the function.");
  CHECK(refusal(parts, "DeleteFunction", with("1")).message ==
        "Unable to delete version because the following aliases reference it: [live]");
  CHECK(parts.run(version_operations(), "DeleteAlias", {{"FunctionName", "f"}, {"Name", "live"}}));
  CHECK(run(parts, "DeleteFunction", with("1")));
  CHECK(parts.world.registry.find("f")->published.empty());
  CHECK(run(parts, "DeleteFunction", {{"FunctionName", "f"}}));
  const auto gone = refusal(parts, "GetFunction", {{"FunctionName", "f"}});
  CHECK(gone.exception == "ResourceNotFoundException");
  CHECK(gone.message.starts_with(std::string("Function not found: ") + kArn));
}

TEST_CASE("what this host cannot run is made as a function that failed, with the reason",
          "[functions]") {
  ServiceParts parts;
  parts.world.unrunnable = [](const emulator::registry::FunctionVersion&) {
    return std::optional<std::string>("there is no python3.99 here");
  };
  parts.create("f");
  const auto read = run(parts, "GetFunctionConfiguration", {{"FunctionName", "f"}}).value();
  CHECK(read["State"] == "Failed");
  CHECK(read["StateReason"] == "there is no python3.99 here");
  CHECK(read["StateReasonCode"] == "InvalidRuntime");
}

TEST_CASE("a function has the memory and time of functions on demand, not of managed instances",
          "[functions]") {
  ServiceParts parts;
  parts.create("f");
  CHECK(
      refusal(parts, "UpdateFunctionConfiguration", {{"FunctionName", "f"}, {"MemorySize", 10241}})
          .message ==
      "1 validation error detected: Value '10241' at 'memorySize' failed to satisfy constraint: "
      "Member must have value less than or equal to 10240");
  CHECK(refusal(parts, "UpdateFunctionConfiguration", {{"FunctionName", "f"}, {"Timeout", 901}})
            .status == 400);
}

TEST_CASE("what was configured for an alias goes with it", "[aliases]") {
  ServiceParts parts;
  parts.create("f");
  REQUIRE(parts.run(version_operations(), "PublishVersion", {{"FunctionName", "f"}}));
  REQUIRE(parts.run(version_operations(),
                    "CreateAlias",
                    {{"FunctionName", "f"}, {"Name", "live"}, {"FunctionVersion", "1"}}));
  const Document named = {{"FunctionName", "f"}, {"Qualifier", "live"}};
  auto with = [&](Document more) {
    auto input = named;
    input.update(more);
    return input;
  };
  REQUIRE(parts.run(url_operations(), "CreateFunctionUrlConfig", with({{"AuthType", "NONE"}})));
  REQUIRE(parts.run(event_invoke_operations(),
                    "PutFunctionEventInvokeConfig",
                    with({{"MaximumRetryAttempts", 0}})));
  REQUIRE(
      parts.run(version_operations(), "DeleteAlias", {{"FunctionName", "f"}, {"Name", "live"}}));
  const auto record = parts.world.registry.find("f");
  CHECK(record->event_invoke.empty());
  for (const auto& [setting, _] : record->settings) CHECK_FALSE(setting.ends_with("/live"));
}

TEST_CASE("dead letters go to a standard queue or topic", "[functions]") {
  ServiceParts parts;
  parts.create("f");
  const auto with = [&](const char* target) {
    return run(parts,
               "UpdateFunctionConfiguration",
               {{"FunctionName", "f"}, {"DeadLetterConfig", {{"TargetArn", target}}}});
  };
  CHECK(with("arn:aws:sqs:us-east-1:123456789012:q"));
  CHECK(with("arn:aws:sns:us-east-1:123456789012:t"));
  CHECK(with("arn:aws:sqs:us-east-1:123456789012:q.fifo").error().status == 400);
  CHECK(with("arn:aws:kinesis:us-east-1:123456789012:stream/s").error().status == 400);
  CHECK_FALSE(with("").value().contains("DeadLetterConfig"));
}

TEST_CASE("a function is made and its first version published together or not at all",
          "[functions]") {
  ServiceParts parts;
  const int before = parts.store.commits;
  const auto created = parts.create("f", {{"Publish", true}});
  CHECK(parts.store.commits == before + 1);
  CHECK(created["Version"] == "1");
  CHECK(created["FunctionArn"] == kArn);
  CHECK(parts.world.registry.find("f")->published.size() == 1);
  const auto updated = run(parts,
                           "UpdateFunctionCode",
                           {{"FunctionName", "f"},
                            {"ZipFile", tests::zip_base64({{"bootstrap", "new"}})},
                            {"Publish", true}})
                           .value();
  CHECK(parts.store.commits == before + 2);
  CHECK(updated["Version"] == "2");
  CHECK(updated["State"] == "Pending");
}

TEST_CASE("a function of another account, region or with a long name is not made here",
          "[functions]") {
  ServiceParts parts;
  Document input = {
      {"Runtime", "provided.al2023"}, {"Handler", "h"}, {"Role", "r"}, {"Code", {{"ZipFile", ""}}}};
  const auto named = [&](const std::string& name) {
    input["FunctionName"] = name;
    return refusal(parts, "CreateFunction", input);
  };
  CHECK(named("arn:aws:lambda:eu-west-1:123456789012:function:f").status == 404);
  CHECK(named("arn:aws:lambda:us-east-1:999999999999:function:f").status == 403);
  CHECK(named(std::string(65, 'a')).message.ends_with("length less than or equal to 64"));
}

TEST_CASE("versions are listed page after page over the functions", "[functions]") {
  ServiceParts parts;
  for (const auto* name : {"a", "b"}) {
    parts.create(name);
    for (int memory : {129, 130}) {
      REQUIRE(parts.run(version_operations(), "PublishVersion", {{"FunctionName", name}}));
      REQUIRE(run(
          parts, "UpdateFunctionConfiguration", {{"FunctionName", name}, {"MemorySize", memory}}));
    }
  }
  for (int size : {1, 2, 3, 5, 6, 50}) {
    std::vector<std::string> seen;
    Document input = {{"FunctionVersion", "ALL"}, {"MaxItems", size}};
    for (;;) {
      const auto page = run(parts, "ListFunctions", input).value();
      CHECK(page["Functions"].size() <= static_cast<std::size_t>(size));
      for (const auto& version : page["Functions"]) {
        seen.push_back(version["FunctionName"].get<std::string>() + ":" +
                       version["Version"].get<std::string>());
      }
      if (!page.contains("NextMarker")) break;
      input["Marker"] = page["NextMarker"];
    }
    INFO(size);
    CHECK(seen == std::vector<std::string>{"a:$LATEST", "a:1", "a:2", "b:$LATEST", "b:1", "b:2"});
  }
}
