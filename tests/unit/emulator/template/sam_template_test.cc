#include "emulator/template/sam_template.h"

#include <catch2/catch_test_macros.hpp>

#include <filesystem>
#include <fstream>
#include <map>
#include <string>

using namespace emulator::templates;
using emulator::functions::MemorySize;
using emulator::functions::Tracing;

namespace {

using Overrides = std::map<std::string, std::string>;

std::filesystem::path sample(const std::string& name) {
  return std::filesystem::path(HEARTH_SOURCE_DIR) / "tests/unit/emulator/template/templates" / name;
}

Project read_sample(const std::string& name, const Overrides& overrides = {}) {
  auto project = read_project(sample(name), overrides);
  INFO((project ? std::string() : project.error().sentence()));
  REQUIRE(project);
  return *project;
}

tl::expected<Project, TemplateError> read(const std::string& text, const Overrides& given = {}) {
  return read_project_text(text, "/app", "template.yaml", given);
}

// A template with one Serverless function, to whose properties lines are added.
std::string with_properties(const std::string& lines) {
  return "Transform: AWS::Serverless-2016-10-31\n"
         "Resources:\n"
         "  F:\n"
         "    Type: AWS::Serverless::Function\n"
         "    Properties:\n"
         "      Runtime: python3.12\n"
         "      Handler: app.handler\n" +
         lines;
}

std::string complaint(const std::string& text, const Overrides& overrides = {}) {
  const auto project = read(text, overrides);
  REQUIRE_FALSE(project);
  return project.error().sentence();
}

bool contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

}  // namespace

TEST_CASE("a Python project reads as one function, and what is only in Outputs is left alone",
          "[template]") {
  const auto project = read_sample("python_hello.yaml");
  REQUIRE(project.functions.size() == 1);
  CHECK(project.warnings.empty());
  const auto& function = project.functions.front();
  CHECK(function.logical_id == "GreetFunction");
  CHECK(function.configuration.name == "GreetFunction");
  CHECK(function.configuration.runtime == "python3.12");
  CHECK(function.configuration.handler == "app.lambda_handler");
  CHECK(function.configuration.timeout == std::chrono::seconds{3});
  CHECK(function.configuration.code == sample("greet"));
  CHECK(function.architecture == Architecture::x86_64);
  CHECK(function.location.line == 16);
}

TEST_CASE("Globals give scalars, merge maps and put lists in front", "[template]") {
  const auto project = read_sample("node_orders.yaml");
  REQUIRE(project.functions.size() == 2);
  const auto& list = project.functions[0].configuration;
  const auto& put = project.functions[1].configuration;
  CHECK(list.name == "hearth-list-orders");
  CHECK(list.memory == MemorySize{256});
  CHECK(list.tracing == Tracing::active);
  CHECK(list.layers == std::vector{sample("layers/shared")});
  CHECK(put.memory == MemorySize{512});
  CHECK(put.layers == std::vector{sample("layers/shared"), sample("layers/put.zip")});
  CHECK(put.variables.at("LOG_LEVEL") == "debug");
  CHECK(put.variables.at("TABLE") == "OrdersTable");
  CHECK(put.variables.at("QUEUE_URL") ==
        "https://sqs.us-east-1.amazonaws.com/123456789012/OrderQueue");
  CHECK(put.variables.at("QUEUE_ARN") == "arn:aws:sqs:us-east-1:123456789012:OrderQueue");
  CHECK(put.variables.at("LIST_FUNCTION") == "hearth-list-orders");
  CHECK(put.variables.at("LIST_FUNCTION_ARN") ==
        "arn:aws:lambda:us-east-1:123456789012:function:hearth-list-orders");
}

TEST_CASE("mappings and conditions follow the stage given on the command line", "[template]") {
  const auto dev = read_sample("provided_rust.yaml");
  REQUIRE(dev.functions.size() == 1);
  const auto& small = dev.functions.front();
  CHECK(small.configuration.memory == MemorySize{128});
  CHECK(small.configuration.timeout == std::chrono::seconds{10});
  CHECK(small.configuration.ephemeral_storage == MemorySize{512});
  CHECK(small.configuration.tracing == Tracing::pass_through);
  CHECK(small.architecture == Architecture::arm64);
  CHECK(small.configuration.variables.at("RUST_LOG") == "info");
  CHECK(small.configuration.variables.at("BUCKET") == "hearth-pictures-123456789012");
  CHECK_FALSE(small.configuration.variables.contains("AUDIT"));

  const auto prod = read_sample("provided_rust.yaml", {{"Stage", "prod"}});
  REQUIRE(prod.functions.size() == 2);
  const auto& large = prod.functions.front();
  CHECK(large.configuration.memory == MemorySize{1024});
  CHECK(large.configuration.ephemeral_storage == MemorySize{2048});
  CHECK(large.configuration.tracing == Tracing::active);
  CHECK(large.configuration.variables.at("RUST_LOG") == "warn");
  CHECK(large.configuration.variables.at("AUDIT") == "yes");
  CHECK(prod.functions[1].logical_id == "Audit");
}

TEST_CASE("anchors and merge keys are expanded, and a written key wins over a merged one",
          "[template]") {
  const auto project = read_sample("go_worker.yaml");
  REQUIRE(project.functions.size() == 2);
  CHECK(project.warnings.empty());
  CHECK(project.functions[0].configuration.timeout == std::chrono::seconds{30});
  CHECK(project.functions[1].configuration.timeout == std::chrono::seconds{20});
  CHECK(project.functions[1].configuration.code == sample("build/sweeper.zip"));
}

TEST_CASE("a synthesised CDK application runs from its local assets", "[template]") {
  const auto project = read_sample("cdk_synth.json");
  REQUIRE(project.functions.size() == 1);
  CHECK(project.warnings.empty());
  const auto& function = project.functions.front().configuration;
  CHECK(function.code == sample("asset.0f1e2d3c"));
  CHECK(function.layers == std::vector{sample("asset.4b5a6978.zip")});
  CHECK(function.variables.at("TABLE_NAME") == "Items7F7D4C2A");
  CHECK(function.variables.at("TABLE_ARN") ==
        "arn:aws:dynamodb:us-east-1:123456789012:table/Items7F7D4C2A");
  CHECK(function.variables.at("CALLBACK") == "https://us-east-1.example.com/\xC3\xBC");
  CHECK(function.variables.at("RETRIES") == "3");
  CHECK(function.variables.at("VERBOSE") == "true");
  CHECK(function.tracing == Tracing::active);
  CHECK(project.functions.front().location.line == 21);
}

TEST_CASE("code written into a plain template becomes an index file", "[template]") {
  const auto project = read_sample("inline_plain.yaml");
  REQUIRE(project.functions.size() == 2);
  REQUIRE(project.functions[0].inline_code);
  CHECK(project.functions[0].inline_code->file_name == "index.py");
  CHECK(project.functions[0].inline_code->text ==
        "def handler(event, context):\n    return event\n");
  CHECK(project.functions[0].configuration.code.empty());
  REQUIRE(project.functions[1].inline_code);
  CHECK(project.functions[1].inline_code->file_name == "index.js");
  CHECK(contains(project.functions[1].inline_code->text, "\"us-east-1\", shown: `${event.name}`"));
}

TEST_CASE("every intrinsic function works in its short and its long form", "[template]") {
  const auto project = read_sample("intrinsics.yaml");
  const std::map<std::string, std::string> expected = {
      {"REF_SHORT", "a.example.com"},
      {"REF_LONG", "a.example.com"},
      {"SUB_SHORT", "a.example.com:123456789012"},
      {"SUB_LONG", "a.example.com:123456789012"},
      {"SUB_MAP", "green at a.example.com"},
      {"SUB_LITERAL", "${Domain} is a.example.com, $Domain"},
      {"SUB_ATTRIBUTE",
       "arn:aws:sqs:us-east-1:123456789012:hearth-q|"
       "https://sqs.us-east-1.amazonaws.com/123456789012/hearth-q"},
      {"GETATT_SHORT", "hearth-q"},
      {"GETATT_LIST", "hearth-q"},
      {"GETATT_LONG", "hearth-q"},
      {"GETATT_TEXT", "hearth-q"},
      {"JOIN_SHORT", "a-a.example.com-c"},
      {"JOIN_LONG", "red,green,blue"},
      {"JOIN_NOVALUE", "a-c"},
      {"SELECT_SPLIT", "example"},
      {"SELECT_LONG", "a"},
      {"PORT", "443"},
      {"FIND_SHORT", "use1"},
      {"FIND_LONG", "use1"},
      {"FIND_LIST", "abc"},
      {"FIND_DEFAULT", "none"},
      {"IF_SHORT", "1"},
      {"IF_LONG", "2"},
      {"BASE64_0", ""},
      {"BASE64_1", "Zg=="},
      {"BASE64_2", "Zm8="},
      {"BASE64_LONG", "YS5leGFtcGxlLmNvbQ=="},
      {"PSEUDO", "aws us-east-1 hearth amazonaws.com"},
      {"STACK_ID",
       "arn:aws:cloudformation:us-east-1:123456789012:stack/hearth/"
       "00000000-0000-0000-0000-000000000000"},
      {"TOPIC", "arn:aws:sns:us-east-1:123456789012:Topic"},
      {"ROLE", "arn:aws:iam::123456789012:role/Role"},
      {"STREAM", "arn:aws:kinesis:us-east-1:123456789012:stream/clicks"},
      {"DATABASE", "Database.Endpoint.Address"},
      {"MACHINE", "arn:aws:states:us-east-1:123456789012:stateMachine:Machine"},
  };
  CHECK(project.functions.front().configuration.variables == expected);
}

TEST_CASE("pseudo parameters follow the deployment that is imitated", "[template]") {
  const auto text = with_properties(
      "      CodeUri: src\n"
      "      Environment: {Variables: {WHERE: !Sub '${AWS::Partition}/${AWS::URLSuffix}',"
      " ARN: !GetAtt Topic.TopicArn}}\n"
      "  Topic: {Type: AWS::SNS::Topic}\n");
  const Deployment china{.region = "cn-north-1", .account = "111122223333", .stack_name = "shop"};
  const auto project = read_project_text(text, "/app", "t.yaml", {}, china);
  REQUIRE(project);
  const auto& variables = project->functions.front().configuration.variables;
  CHECK(variables.at("WHERE") == "aws-cn/amazonaws.com.cn");
  CHECK(variables.at("ARN") == "arn:aws-cn:sns:cn-north-1:111122223333:Topic");
}

TEST_CASE("an intrinsic that cannot be worked out is an error at its file, line and path",
          "[template]") {
  const auto project = read(with_properties("      CodeUri: !Ref Nowhere\n"));
  REQUIRE_FALSE(project);
  CHECK(project.error().file == "template.yaml");
  CHECK(project.error().position.line == 8);
  CHECK(project.error().path == "Resources.F.Properties.CodeUri");
  CHECK(contains(project.error().message, "'Nowhere'"));
  CHECK(contains(complaint(with_properties("      CodeUri: !ImportValue code\n")), "--parameter"));
  CHECK(contains(complaint(with_properties("      CodeUri: src\n      Layers: [!Sub '${Lib}']\n"
                                           "  Libs: {Type: AWS::Serverless::LayerVersion}\n")),
                 "did you mean 'Libs'?"));
}

TEST_CASE("a wrongly written intrinsic is told how it is written", "[template]") {
  const std::map<std::string, std::string> wrong = {
      {"!Sub '${Unclosed'", "without '}'"},
      {"!Sub [a]", "!Sub [TEXT, {NAME: VALUE}]"},
      {"!Join [a]", "!Join [DELIMITER, [A, B]]"},
      {"!Join ['-', text]", "list of texts"},
      {"!Select [3, [a, b]]", "a list of 2"},
      {"!Select [x, [a, b]]", "whole number"},
      {"!Split ['', abc]", "delimiter of Split is empty"},
      {"!FindInMap [M, a, b]", "'M' is missing"},
      {"!If [Missing, a, b]", "no condition named 'Missing'"},
      {"!If [a, b]", "!If [CONDITION, THEN, ELSE]"},
      {"!GetAtt Queue", "names no attribute"},
      {"!Equals [a, b]", "belongs into the Conditions section"},
      {"!GetAZs us-east-1", "not worked out"},
      {"{Ref: [a]}", "written out"},
  };
  for (const auto& [value, part] : wrong) {
    INFO(value);
    const auto sentence = complaint(with_properties("      CodeUri: " + value + "\n"));
    INFO(sentence);
    CHECK(contains(sentence, part));
    CHECK(contains(sentence, "template.yaml:8:"));
  }
}

TEST_CASE("what refers to itself in a circle is refused with the circle", "[template]") {
  CHECK(contains(complaint(with_properties("      CodeUri: src\n"
                                           "      FunctionName: !Sub '${G}-x'\n"
                                           "  G:\n"
                                           "    Type: AWS::Serverless::Function\n"
                                           "    Properties: {FunctionName: !Ref F}\n")),
                 "F -> G -> F"));
  CHECK(contains(complaint("Conditions:\n"
                           "  A: !Not [!Condition B]\n"
                           "  B: {Condition: A}\n" +
                           with_properties("      CodeUri: !If [A, x, y]\n")),
                 "A -> B -> A"));
  CHECK(
      contains(complaint(with_properties("      CodeUri: src\n"
                                         "      Environment: {Variables: {OTHER: !Ref G}}\n"
                                         "  G:\n"
                                         "    Type: AWS::Serverless::Function\n"
                                         "    Properties:\n"
                                         "      CodeUri: src\n"
                                         "      Runtime: python3.12\n"
                                         "      Handler: a.b\n"
                                         "      Environment: {Variables: {ME: !GetAtt F.Arn}}\n")),
               "F -> G -> F"));
  CHECK(contains(complaint(with_properties("      CodeUri: src\n"
                                           "      Environment: {Variables: {SELF: !Ref F}}\n")),
                 "F -> F"));
}

TEST_CASE("a chain of names too long to follow ends in an error, not in a crash", "[template]") {
  std::string text = with_properties("      CodeUri: src\n      FunctionName: !Ref N0\n");
  for (int i = 0; i < 400; ++i) {
    text += "  N" + std::to_string(i) + ": {Type: AWS::SNS::Topic, Properties: {TopicName: !Ref N" +
            std::to_string(i + 1) + "}}\n";
  }
  CHECK(contains(complaint(text), "200 deep"));
}

TEST_CASE("names that double each other's length stop at the limit", "[template]") {
  std::string text = with_properties("      CodeUri: src\n      FunctionName: !Ref N0\n");
  for (int i = 0; i < 60; ++i) {
    const auto next = "N" + std::to_string(i + 1);
    text += "  N" + std::to_string(i) +
            ": {Type: AWS::S3::Bucket, Properties: {BucketName: !Sub '${" + next + "}${" + next +
            "}'}}\n";
  }
  text += "  N60: {Type: AWS::S3::Bucket, Properties: {BucketName: abcdefgh}}\n";
  CHECK(contains(complaint(text), "more than 32 MiB"));
}

TEST_CASE("an unknown property is one warning that names it and its line", "[template]") {
  const auto project =
      read(with_properties("      CodeUri: src\n"
                           "      MemorySise: 256\n"
                           "      Policies: [AWSLambdaExecute]\n"
                           "      Role: !ImportValue role\n"
                           "      VpcConfig: {SubnetIds: !ImportValue subnets}\n"
                           "      Events: {A: {Type: Api}}\n"));
  REQUIRE(project);
  REQUIRE(project->warnings.size() == 1);
  CHECK(contains(project->warnings.front(), "template.yaml:9: function F"));
  CHECK(contains(project->warnings.front(), "MemorySise (did you mean 'MemorySize'?)"));
}

TEST_CASE("an unknown property in Globals is warned of once, however many functions there are",
          "[template]") {
  const auto project = read(
      "Globals: {Function: {Color: red, Runtime: python3.12, Handler: a.b}}\n"
      "Transform: AWS::Serverless-2016-10-31\n"
      "Resources:\n"
      "  A: {Type: AWS::Serverless::Function, Properties: {CodeUri: a}}\n"
      "  B: {Type: AWS::Serverless::Function, Properties: {CodeUri: b}}\n");
  REQUIRE(project);
  REQUIRE(project->warnings.size() == 1);
  CHECK(contains(project->warnings.front(), "Globals.Function has the unknown property Color"));
}

TEST_CASE("a SAM function without the Transform line is warned of", "[template]") {
  const auto project = read(
      "Resources:\n  A: {Type: AWS::Serverless::Function, Properties: "
      "{CodeUri: a, Runtime: python3.12, Handler: a.b}}\n");
  REQUIRE(project);
  REQUIRE(project->warnings.size() == 1);
  CHECK(contains(project->warnings.front(), "Transform"));
}

TEST_CASE("a published layer is left out with a warning", "[template]") {
  const auto project = read(with_properties(
      "      CodeUri: src\n"
      "      Layers: [!Sub 'arn:aws:lambda:${AWS::Region}:580247275435:layer:Insights:14']\n"));
  REQUIRE(project);
  CHECK(project->functions.front().configuration.layers.empty());
  REQUIRE(project->warnings.size() == 1);
  CHECK(contains(project->warnings.front(), "layer:Insights:14"));
}

TEST_CASE("a function's log is text unless its template says JSON", "[template]") {
  const auto logging = [](const std::string& lines) {
    const auto project = read(with_properties("      CodeUri: /src\n" + lines));
    REQUIRE(project);
    return project->functions.front().configuration.logging;
  };
  CHECK(logging("") == emulator::functions::Logging{});
  CHECK(logging("      LoggingConfig: {LogFormat: JSON, ApplicationLogLevel: DEBUG, "
                "SystemLogLevel: WARN, LogGroup: any}\n") ==
        emulator::functions::Logging{.format = emulator::functions::LogFormat::json,
                                     .application_level = "DEBUG",
                                     .system_level = "WARN"});
}

TEST_CASE("wrong values are refused with the place and the way out", "[template]") {
  const std::map<std::string, std::string> wrong = {
      {"      CodeUri: src\n      MemorySize: lots\n", "whole number of MB"},
      {"      CodeUri: src\n      MemorySize: [1]\n", "whole number of MB"},
      {"      CodeUri: src\n      MemorySize: 99999999999999999999\n", "whole number of MB"},
      {"      CodeUri: src\n      MemorySize: 64\n", "between 128 and 10240"},
      {"      CodeUri: src\n      Timeout: 901\n", "between 1 and 900"},
      {"      CodeUri: src\n      EphemeralStorage: 1024\n", "has no Size"},
      {"      CodeUri: src\n      Tracing: Sometimes\n", "Active or PassThrough"},
      {"      CodeUri: src\n      LoggingConfig: JSON\n", "LoggingConfig is a map"},
      {"      CodeUri: src\n      LoggingConfig: {LogFormat: json}\n", "one of Text, JSON"},
      {"      CodeUri: src\n      LoggingConfig: {SystemLogLevel: ERROR}\n", "DEBUG, INFO, WARN"},
      {"      CodeUri: src\n      Architectures: [x86_64, arm64]\n", "one item"},
      {"      CodeUri: src\n      Environment: {Variables: {A1: {b: c}}}\n", "must be text"},
      {"      CodeUri: src\n      Environment: {Variables: [A]}\n", "Environment: {Variables"},
      {"      CodeUri: src\n      Environment: {Variables: {AWS_REGION: x}}\n", "reserved"},
      {"      CodeUri: src\n      Layers: layer\n", "Layers is a list"},
      {"      CodeUri: src\n      Layers: [./layer]\n", "ContentUri"},
      {"      CodeUri: src\n      FunctionName: a b\n", "is not allowed"},
      {"      CodeUri: src\n      PackageType: Image\n", "container image"},
      {"      ImageUri: repo:tag\n", "container image"},
      {"      CodeUri: s3://bucket/key.zip\n", "not on this machine"},
      {"      CodeUri: {Bucket: b, Key: k}\n", "S3"},
      {"      CodeUri: ''\n", "empty"},
      {"      MemorySize: 128\n", "has no CodeUri"},
      {"      InlineCode: [a]\n", "must be text"},
  };
  for (const auto& [lines, part] : wrong) {
    INFO(lines);
    const auto sentence = complaint(with_properties(lines));
    INFO(sentence);
    CHECK(contains(sentence, part));
    CHECK(contains(sentence, "template.yaml:"));
    CHECK(contains(sentence, "Resources.F"));
  }
}

TEST_CASE("inline code is for Python and Node.js only", "[template]") {
  CHECK(contains(complaint("Resources:\n  A: {Type: AWS::Lambda::Function, Properties: "
                           "{Code: {ZipFile: x}, Runtime: java21, Handler: a.b}}\n"),
                 "python and nodejs"));
}

TEST_CASE("a function without a runtime or a handler is refused", "[template]") {
  const std::string start = "Resources:\n  A: {Type: AWS::Lambda::Function, Properties: {Code: x";
  CHECK(contains(complaint(start + ", Handler: a.b}}\n"), "has no Runtime"));
  CHECK(contains(complaint(start + ", Runtime: python3.12}}\n"), "has no Handler"));
}

TEST_CASE("two functions cannot have one name", "[template]") {
  CHECK(contains(complaint(with_properties("      CodeUri: src\n"
                                           "      FunctionName: same\n"
                                           "  G:\n"
                                           "    Type: AWS::Serverless::Function\n"
                                           "    Properties: {FunctionName: same, CodeUri: g, "
                                           "Runtime: python3.12, Handler: a.b}\n")),
                 "both named same"));
}

TEST_CASE("a template without functions says so", "[template]") {
  CHECK(contains(complaint("Resources: {Q: {Type: AWS::SQS::Queue}}\n"), "declares no function"));
  CHECK(contains(complaint("Description: nothing\n"), "no Resources"));
  CHECK(contains(complaint("Conditions: {No: !Equals [a, b]}\n" +
                           with_properties("      CodeUri: src\n    Condition: No\n")),
                 "declares no function"));
  CHECK(contains(complaint("- a list\n"), "a list"));
}

TEST_CASE("a template with more than 500 resources is refused", "[template]") {
  std::string text = with_properties("      CodeUri: src\n");
  for (int i = 0; i < 499; ++i) {
    text += "  T" + std::to_string(i) + ": {Type: AWS::SNS::Topic}\n";
  }
  CHECK(read(text));
  CHECK(contains(complaint(text + "  More: {Type: AWS::SNS::Topic}\n"), "at most 500"));
}

TEST_CASE("parameters are checked against what they declare", "[template]") {
  const std::string start =
      "Parameters:\n"
      "  Stage: {Type: String, Default: dev, AllowedValues: [dev, prod]}\n"
      "  Size: {Type: Number, Default: 128, MinValue: 128, MaxValue: 1024}\n"
      "  Name: {Type: String, MinLength: 2, MaxLength: 4, Default: abc}\n"
      "  Folder: {Type: String}\n"
      "  Stored: {Type: 'AWS::SSM::Parameter::Value<String>', Default: /path}\n";
  const auto text = start + with_properties("      CodeUri: src\n      MemorySize: !Ref Size\n");
  CHECK(read(text)->functions.front().configuration.memory == MemorySize{128});
  CHECK(read(text, {{"Size", "512"}})->functions.front().configuration.memory == MemorySize{512});
  CHECK(contains(complaint(text, {{"Stage", "test"}}), "dev, prod"));
  CHECK(contains(complaint(text, {{"Size", "big"}}), "its Type is Number"));
  CHECK(contains(complaint(text, {{"Size", "2048"}}), "MaxValue is 1024"));
  CHECK(contains(complaint(text, {{"Name", "a"}}), "MinLength is 2"));
  CHECK(contains(complaint(text, {{"Stagee", "dev"}}), "did you mean 'Stage'?"));
  CHECK(contains(complaint("Parameters: {P: {Type: Sting}}\n" + with_properties("")),
                 "did you mean 'String'?"));

  const auto needs = start + with_properties("      CodeUri: !Ref Folder\n");
  CHECK(contains(complaint(needs), "--parameter Folder=VALUE"));
  CHECK(read(needs, {{"Folder", "out"}})->functions.front().configuration.code == "/app/out");
  const auto stored = start + with_properties("      CodeUri: !Ref Stored\n");
  CHECK(contains(complaint(stored), "Systems Manager"));
  CHECK(read(stored, {{"Stored", "x"}})->functions.front().configuration.code == "/app/x");
}

TEST_CASE("a resource that does not exist cannot be referred to", "[template]") {
  CHECK(contains(complaint("Conditions: {No: !Equals [a, b]}\n" +
                           with_properties("      CodeUri: !Ref Q\n"
                                           "  Q: {Type: AWS::SQS::Queue, Condition: No}\n")),
                 "condition No is false"));
}

TEST_CASE("CodeUri is resolved against the template's folder unless it is absolute", "[template]") {
  const auto code = [](const std::string& uri) {
    return read(with_properties("      CodeUri: " + uri + "\n"))
        ->functions.front()
        .configuration.code.string();
  };
  CHECK(code("src/") == "/app/src");
  CHECK(code("./a/../b") == "/app/b");
  CHECK(code(".") == "/app");
  CHECK(code("/elsewhere/f.zip") == "/elsewhere/f.zip");
}

TEST_CASE("a function is found by logical id, by name, or as the only one", "[template]") {
  const auto project = read_sample("node_orders.yaml");
  REQUIRE(find_function(project, "PutOrder"));
  CHECK((*find_function(project, "PutOrder"))->logical_id == "PutOrder");
  CHECK((*find_function(project, "hearth-list-orders"))->logical_id == "ListOrders");
  CHECK(contains(find_function(project, "PutOrdr").error().message, "did you mean 'PutOrder'?"));
  CHECK(contains(find_function(project, "zzz").error().message, "ListOrders, PutOrder"));
  CHECK(contains(find_function(project, "").error().message, "name one"));
  const auto single = read_sample("python_hello.yaml");
  CHECK((*find_function(single, ""))->logical_id == "GreetFunction");
}

TEST_CASE("a template that is not there is told how to be named", "[template]") {
  const auto project = read_project("/nonexistent/template.yaml", {});
  REQUIRE_FALSE(project);
  CHECK(contains(project.error().sentence(), "--template FILE"));
  CHECK(contains(read_project(sample("."), {}).error().sentence(), "cannot be read"));
}

TEST_CASE("a function of a template isolates its tenants where TenancyConfig says so",
          "[template]") {
  using emulator::functions::TenantIsolation;
  const auto with = [](const std::string& lines) {
    return read(with_properties("      CodeUri: src\n" + lines));
  };
  const auto isolated = with("      TenancyConfig:\n        TenantIsolationMode: PER_TENANT\n");
  REQUIRE(isolated);
  CHECK(isolated->functions[0].configuration.tenant_isolation == TenantIsolation::per_tenant);
  CHECK(isolated->warnings.empty());
  CHECK(with("")->functions[0].configuration.tenant_isolation == TenantIsolation::none);
  for (const auto* wrong : {"      TenancyConfig: PER_TENANT\n",
                            "      TenancyConfig:\n        TenantIsolationMode: SHARED\n"}) {
    CHECK(contains(complaint(with_properties("      CodeUri: src\n" + std::string(wrong))),
                   "TenantIsolationMode: PER_TENANT"));
  }
}

TEST_CASE("a function of a template is on Managed Instances where its capacity provider says so",
          "[template]") {
  using emulator::functions::LogFormat;
  const auto with = [](const std::string& lines) {
    auto text = with_properties("      CodeUri: src\n" + lines);
    return text.replace(text.find("python3.12"), 10, "python3.13");
  };
  const auto provided =
      read(with("      MemorySize: 8192\n"
                "      CapacityProviderConfig:\n        Arn: a\n"
                "        PerExecutionEnvironmentMaxConcurrency: 8\n"
                "        ExecutionEnvironmentMemoryGiBPerVCpu: 4\n"));
  REQUIRE(provided);
  const auto& managed = provided->functions[0].configuration;
  CHECK(managed.managed == emulator::functions::ManagedInstances{
                               .max_concurrency = 8, .memory_per_cpu = 4, .provider = "a"});
  CHECK(managed.memory.mebibytes == 8'192);
  CHECK(managed.logging.format == LogFormat::json);
  // As the guide of SAM writes the ratio.
  const auto ratio = [&](const std::string& text) {
    return with(
        "      MemorySize: 8192\n      CapacityProviderConfig:\n        Arn: a\n"
        "        ExecutionEnvironmentMemoryGiBPerVCpu: " +
        text + "\n");
  };
  CHECK(read(ratio("4.0"))->functions[0].configuration.managed->memory_per_cpu == 4.0);
  CHECK(contains(complaint(ratio("much")), "a number, as in 4.0"));
  for (const auto* wrong : {"0", "-1", "9", "nan"}) {
    CHECK(contains(complaint(ratio(wrong)), "from 2 to 8"));
  }
  const auto usual =
      read(with("      CapacityProviderConfig:\n        Arn: a\n"
                "      LoggingConfig:\n        LogFormat: Text\n"));
  REQUIRE(usual);
  CHECK(usual->functions[0].configuration.managed->memory_per_cpu == 2);
  CHECK(usual->functions[0].configuration.memory == emulator::functions::kMinManagedMemory);
  CHECK(usual->functions[0].configuration.logging.format == LogFormat::text);
  CHECK_FALSE(read(with(""))->functions[0].configuration.managed);
  CHECK(contains(complaint(with("      CapacityProviderConfig: a\n")), "{Arn: ARN}"));
  CHECK(contains(complaint(with("      CapacityProviderConfig:\n"
                                "        PerExecutionEnvironmentMaxConcurrency: 1601\n")),
                 "1601 invocations at a time"));
  const auto scaled =
      read(with("      CapacityProviderConfig: {Arn: a}\n"
                "      FunctionScalingConfig: {MinExecutionEnvironments: 2}\n"));
  REQUIRE(scaled);
  CHECK(scaled->functions[0].configuration.managed->min_environments == 2);
  CHECK_FALSE(scaled->functions[0].configuration.managed->max_environments);
  CHECK(contains(complaint(with("      FunctionScalingConfig: {MinExecutionEnvironments: 2}\n")),
                 "with a CapacityProviderConfig"));
  CHECK(contains(complaint(with("      CapacityProviderConfig: {Arn: a}\n"
                                "      FunctionScalingConfig: {MaxExecutionEnvironments: few}\n")),
                 "environments"));
  const auto resource =
      read(with("      CapacityProviderConfig: {Arn: !GetAtt P.Arn}\n"
                "  P:\n    Type: AWS::Serverless::CapacityProvider\n"
                "    Properties: {CapacityProviderName: instances}\n"));
  REQUIRE(resource);
  CHECK(resource->functions[0].configuration.managed->provider ==
        "arn:aws:lambda:us-east-1:123456789012:capacity-provider:instances");
}

TEST_CASE("a function of a template has SnapStart where its property says so", "[template]") {
  using emulator::functions::SnapStart;
  const auto with = [](const std::string& lines) {
    return with_properties("      CodeUri: src\n" + lines);
  };
  const auto on = read(with("      SnapStart:\n        ApplyOn: PublishedVersions\n"));
  REQUIRE(on);
  CHECK(on->functions[0].configuration.snap_start == SnapStart::published_versions);
  CHECK(on->warnings.empty());
  const auto off = read(with("      SnapStart:\n        ApplyOn: None\n"));
  REQUIRE(off);
  CHECK(off->functions[0].configuration.snap_start == SnapStart::none);
  CHECK(contains(complaint(with("      SnapStart: PublishedVersions\n")), "ApplyOn"));
  auto other = with("      SnapStart:\n        ApplyOn: PublishedVersions\n");
  other.replace(other.find("python3.12"), 10, "nodejs20.x");
  CHECK(contains(complaint(other), "has no SnapStart"));
}
