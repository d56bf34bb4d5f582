// Every operation of the control plane, asked as the model allows and as it does not: each answer
// is one that the model knows.

#include "emulator/control_plane/operation_router.h"
#include "tests/support/service_world.h"
#include "tests/unit/emulator/control_plane/request_maker.h"

#include <catch2/catch_test_macros.hpp>

#include <fstream>
#include <set>

using namespace emulator::control_plane;
using tests::MadeRequest;
using tests::RequestMaker;
using tests::ServiceParts;

namespace {

constexpr int kValidRequests = 40;
constexpr int kBrokenRequests = 1000;

const std::string kAccountArn = "arn:aws:lambda:us-east-1:123456789012:";

// Not in an operation's own list: what comes before any operation is reached. Source: recorded.
const std::set<std::string> kCommonErrors = {"ValidationException",
                                             "SerializationException",
                                             "AccessDeniedException",
                                             "RequestEntityTooLargeException"};

// The model's own file, for what ServiceModel need not know.
const Document& model_file() {
  static const Document kModel = [] {
    std::ifstream file(std::string(HEARTH_SOURCE_DIR) +
                       "/emulator/control_plane/lambda_model.json");
    return Document::parse(file);
  }();
  return kModel;
}

// A function with a version and an alias, a layer, a mapping and a code-signing configuration.
struct World {
  World() {
    parts.create("f", {{"Publish", true}});
    run(version_operations(),
        "CreateAlias",
        {{"FunctionName", "f"}, {"Name", "live"}, {"FunctionVersion", "1"}});
    run(layer_operations(),
        "PublishLayerVersion",
        {{"LayerName", "l"}, {"Content", {{"ZipFile", tests::zip_base64({{"a", "b"}})}}}});
    uuid = run(mapping_operations(),
               "CreateEventSourceMapping",
               {{"FunctionName", "f"}, {"EventSourceArn", "arn:aws:sqs:us-east-1:123456789012:q"}})
               .at("UUID");
    config = run(signing_operations(),
                 "CreateCodeSigningConfig",
                 {{"AllowedPublishers", {{"SigningProfileVersionArns", {"arn"}}}}})
                 .at("CodeSigningConfig")
                 .at("CodeSigningConfigArn");
  }

  Document run(std::span<const Operation> table, std::string_view name, const Document& input) {
    return parts.run(table, name, input).value();
  }

  std::vector<std::string> samples() const {
    return {tests::zip_base64({{"bootstrap", "x"}}),
            "f",
            "live",
            "1",
            "f:live",
            "bootstrap",
            "s3.amazonaws.com",
            "lambda:InvokeFunction",
            "lambda:GetLayerVersion",
            "ALL",
            kAccountArn + "runtime/own/version/1",
            "123456789012",
            "o-1234567890",
            "token",
            "https://example.org:443",
            "broker:9092",
            "$LATEST",
            kAccountArn + "function:f",
            kAccountArn + "layer:l",
            kAccountArn + "layer:l:1",
            kAccountArn + "event-source-mapping:" + uuid,
            kAccountArn + "capacity-provider:c",
            "arn:aws:lambda:us-east-1::runtime:" + std::string(64, '0'),
            "arn:aws:iam::123456789012:role/r",
            "arn:aws:kms:us-east-1:123456789012:key/k",
            "arn:aws:sqs:us-east-1:123456789012:q2",
            "arn:aws:kinesis:us-east-1:123456789012:stream/s",
            "arn:aws:dynamodb:us-east-1:123456789012:table/t/stream/2026",
            "arn:aws:elasticfilesystem:us-east-1:123456789012:access-point/fsap-0123456789abcdef0",
            "arn:aws:signer:us-east-1:123456789012:/signing-profiles/p/v",
            "123456789012.dkr.ecr.us-east-1.amazonaws.com/image:latest",
            "/mnt/files",
            "subnet-01234567",
            "sg-01234567",
            "VARIABLE",
            "b29wcw==",
            R"({"Statement":[{"Sid":"s","Effect":"Allow"}]})",
            R"({"body":["a"]})",
            std::string(43, 'a') + "=",
            uuid,
            config,
            "csc-0123456789abcdefg",
            ""};
  }

  ServiceParts parts;
  std::string uuid;
  std::string config;
};

std::string header(const emulator::front_doors::Reply& reply, std::string_view name) {
  for (const auto& [key, value] : reply.headers) {
    if (key == name) return value;
  }
  return {};
}

// Members of an answer that the model does not have there.
std::string unmodelled(const Document& value, const ModelShape& shape, const std::string& path) {
  switch (shape.type) {
    case ShapeType::structure: {
      if (!value.is_object()) return path + " is no structure";
      for (const auto& [name, inner] : value.items()) {
        const auto member = std::find_if(shape.members.begin(),
                                         shape.members.end(),
                                         [&](const auto& known) { return known.name == name; });
        if (member == shape.members.end()) return path + "." + name + " is unknown";
        if (auto found = unmodelled(inner, *member->shape, path + "." + name); !found.empty()) {
          return found;
        }
      }
      return {};
    }
    case ShapeType::list:
      if (!value.is_array()) return path + " is no list";
      break;
    case ShapeType::map:
      if (!value.is_object()) return path + " is no map";
      break;
    case ShapeType::string:
    case ShapeType::blob:
      return value.is_string() ? "" : path + " is no text";
    case ShapeType::boolean:
      return value.is_boolean() ? "" : path + " is no boolean";
    case ShapeType::integer:
    case ShapeType::long_integer:
      return value.is_number_integer() ? "" : path + " is no whole number";
    case ShapeType::floating:
    case ShapeType::timestamp:
      return value.is_number() ? "" : path + " is no number";
  }
  for (const auto& entry : value) {
    if (auto found = unmodelled(entry, *shape.element, path + "[]"); !found.empty()) return found;
  }
  return {};
}

void check_refusal(const ModelOperation& operation, const emulator::front_doors::Reply& reply) {
  const auto exception = header(reply, "x-amzn-ErrorType");
  const auto body = Document::parse(reply.body, nullptr, false);
  REQUIRE(body.is_object());
  if (kCommonErrors.contains(exception)) return;
  const auto known = std::find_if(operation.errors.begin(),
                                  operation.errors.end(),
                                  [&](const auto& error) { return error.name == exception; });
  REQUIRE(known != operation.errors.end());
  CHECK(known->status == reply.status);
  CHECK(body.contains(model_file()["errors"][exception]["message"].get<std::string>()));
}

// By the operation that the request turned out to be; a path that was spoilt may be another's.
void check_answer(const OperationRouter& router, const MadeRequest& made) {
  emulator::front_doors::Request request;
  request.method = made.method;
  request.target = made.target;
  request.body = made.body;
  const auto match = match_operation(made.method, made.target);
  const auto reply = router.answer(request);
  INFO(made.method << " " << made.target << "\n"
                   << made.body << "\n→ " << reply.status << " "
                   << header(reply, "x-amzn-ErrorType") << " " << reply.body);
  REQUIRE(reply.status >= 200);
  REQUIRE(reply.status < 500);
  if (!match || !router.handles(request)) {
    REQUIRE(reply.status == 403);
    return;
  }
  const auto& operation = *match->operation;
  if (reply.status >= 400) {
    check_refusal(operation, reply);
    return;
  }
  REQUIRE((reply.status == operation.status || operation.name == "DeleteFunction"));
  if (reply.body.empty()) return;
  const auto body = Document::parse(reply.body, nullptr, false);
  REQUIRE(body.is_object());
  REQUIRE(unmodelled(body, *operation.output, operation.name).empty());
}

template <typename Make>
void ask_all(int times, std::uint32_t seed, Make make) {
  for (const auto& table : all_operations()) {
    for (const auto& operation : table) {
      World world;
      const OperationRouter router(world.parts.world, all_operations());
      RequestMaker maker(seed++, world.samples());
      const auto& modelled = *find_operation(operation.name);
      for (int i = 0; i < times; ++i) {
        check_answer(router, make(maker, modelled));
        // What was deleted is there again, as the next request may be about it.
        if (!world.parts.world.registry.find("f")) world.parts.create("f", {{"Publish", true}});
      }
    }
  }
}

}  // namespace

TEST_CASE("requests made from the model are answered as the model says", "[malformed]") {
  ask_all(kValidRequests, 1000, [](RequestMaker& maker, const ModelOperation& operation) {
    return RequestMaker::request_of(operation, maker.valid_input(operation));
  });
}

TEST_CASE("requests made from the model pass its constraints", "[malformed]") {
  const World world;
  for (const auto& table : all_operations()) {
    for (const auto& operation : table) {
      RequestMaker maker(7, world.samples());
      const auto& modelled = *find_operation(operation.name);
      for (int i = 0; i < kValidRequests; ++i) {
        const auto made = RequestMaker::request_of(modelled, maker.valid_input(modelled));
        emulator::front_doors::Request request;
        request.method = made.method;
        request.target = made.target;
        request.body = made.body;
        const auto match = match_operation(made.method, made.target);
        INFO(made.method << " " << made.target << "\n" << made.body);
        REQUIRE(match);
        const auto input = read_input(*match, request);
        INFO((input ? "" : input.error().message));
        REQUIRE(input);
      }
    }
  }
}

TEST_CASE("malformed requests of every operation get an error that the model has, and no 500",
          "[malformed]") {
  ask_all(kBrokenRequests, 1, [](RequestMaker& maker, const ModelOperation& operation) {
    return maker.broken(operation);
  });
}
