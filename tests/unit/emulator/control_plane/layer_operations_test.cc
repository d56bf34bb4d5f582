#include "tests/support/service_world.h"

#include <catch2/catch_test_macros.hpp>

using namespace emulator::control_plane;
using tests::ServiceParts;

namespace {

Answer run(ServiceParts& parts, std::string_view name, const Document& input) {
  return parts.run(layer_operations(), name, input);
}

ServiceError refusal(ServiceParts& parts, std::string_view name, const Document& input) {
  const auto answer = run(parts, name, input);
  REQUIRE_FALSE(answer);
  return answer.error();
}

std::string publish(ServiceParts& parts,
                    const std::string& layer,
                    Document more = Document::object()) {
  Document input = {{"LayerName", layer},
                    {"Content", {{"ZipFile", tests::zip_base64({{"lib/a", layer}})}}}};
  input.update(more);
  return run(parts, "PublishLayerVersion", input).value()["LayerVersionArn"];
}

Document version(const std::string& layer, int number) {
  return {{"LayerName", layer}, {"VersionNumber", number}};
}

}  // namespace

TEST_CASE("a layer's versions count up and are read by number and by ARN", "[layers]") {
  ServiceParts parts;
  const auto first = publish(parts, "l");
  CHECK(first == "arn:aws:lambda:us-east-1:123456789012:layer:l:1");
  CHECK(publish(parts, "l").ends_with(":2"));
  const auto read = run(parts, "GetLayerVersion", version("l", 1)).value();
  CHECK(read["Version"] == 1);
  CHECK(read["Content"]["CodeSize"] > 0);
  CHECK(run(parts, "GetLayerVersionByArn", {{"Arn", first}}).value() == read);
  CHECK(refusal(parts, "GetLayerVersion", version("l", 3)).status == 404);
  CHECK(refusal(parts, "GetLayerVersion", version("l", 0)).message ==
        "Layer Version Cannot be less than 1");
}

TEST_CASE("the number of a deleted layer version is not given again", "[layers]") {
  ServiceParts parts;
  publish(parts, "l");
  CHECK(run(parts, "DeleteLayerVersion", version("l", 1)));
  CHECK(run(parts, "DeleteLayerVersion", version("l", 1)));
  CHECK(publish(parts, "l").ends_with(":2"));
}

TEST_CASE("layers are listed with their newest version, versions from the newest on", "[layers]") {
  ServiceParts parts;
  publish(parts, "a", {{"CompatibleRuntimes", {"python3.12"}}});
  publish(parts, "a");
  publish(parts, "a-b");
  publish(parts, "c");
  auto page = run(parts, "ListLayers", {{"MaxItems", 2}}).value();
  REQUIRE(page["Layers"].size() == 2);
  CHECK(page["Layers"][0]["LayerName"] == "a");
  CHECK(page["Layers"][0]["LatestMatchingVersion"]["Version"] == 2);
  page = run(parts, "ListLayers", {{"MaxItems", 2}, {"Marker", page["NextMarker"]}}).value();
  CHECK(page["Layers"].size() == 1);
  const auto fitting = run(parts, "ListLayers", {{"CompatibleRuntime", "python3.12"}}).value();
  REQUIRE(fitting["Layers"].size() == 1);
  CHECK(fitting["Layers"][0]["LatestMatchingVersion"]["Version"] == 1);
  auto versions = run(parts, "ListLayerVersions", {{"LayerName", "a"}, {"MaxItems", 1}}).value();
  CHECK(versions["LayerVersions"][0]["Version"] == 2);
  versions = run(parts,
                 "ListLayerVersions",
                 {{"LayerName", "a"}, {"MaxItems", 1}, {"Marker", versions["NextMarker"]}})
                 .value();
  CHECK(versions["LayerVersions"][0]["Version"] == 1);
}

TEST_CASE("a function has at most five layers, each there and once", "[layers]") {
  ServiceParts parts;
  parts.create("f");
  Document arns = Document::array();
  for (const auto* name : {"a", "b", "c", "d", "e", "g"}) arns.push_back(publish(parts, name));
  const auto with = [&](const Document& layers) {
    return parts.run(function_operations(),
                     "UpdateFunctionConfiguration",
                     {{"FunctionName", "f"}, {"Layers", layers}});
  };
  CHECK(with(arns).error().message == "Cannot reference more than 5 layers.");
  CHECK(with({arns[0], publish(parts, "a")})
            .error()
            .message.starts_with("Two different versions of the same layer"));
  CHECK(with({"arn:aws:lambda:us-east-1:123456789012:layer:none:1"})
            .error()
            .message.ends_with("does not exist."));
  CHECK(with({arns[1], arns[0]}).value()["Layers"][0]["Arn"] == arns[1]);
  CHECK_FALSE(with(Document::array()).value().contains("Layers"));
}

TEST_CASE("code has the room that its layers leave", "[layers]") {
  ServiceParts parts;
  parts.create("f");
  const auto layer = publish(parts, "l");
  CHECK(parts.run(function_operations(),
                  "UpdateFunctionConfiguration",
                  {{"FunctionName", "f"}, {"Layers", {layer}}}));
  parts.world.limits.unzipped_code_bytes = 20;  // the layer has one byte
  const auto update = [&](std::size_t size) {
    return parts.run(
        function_operations(),
        "UpdateFunctionCode",
        {{"FunctionName", "f"}, {"ZipFile", tests::zip_base64({{"a", std::string(size, 'x')}})}});
  };
  CHECK_FALSE(update(20));
  CHECK(update(19));
}

TEST_CASE("a layer's policy is kept, given back and taken away", "[layers]") {
  ServiceParts parts;
  publish(parts, "l");
  CHECK(refusal(parts, "GetLayerVersionPolicy", version("l", 1)).status == 404);
  auto input = version("l", 1);
  input.update({{"StatementId", "s"}, {"Action", "lambda:GetLayerVersion"}, {"Principal", "*"}});
  const auto added = run(parts, "AddLayerVersionPermission", input).value();
  CHECK(refusal(parts, "AddLayerVersionPermission", input).status == 409);
  const auto read = run(parts, "GetLayerVersionPolicy", version("l", 1)).value();
  CHECK(read["RevisionId"] == added["RevisionId"]);
  CHECK(Document::parse(read["Policy"].get<std::string>())["Statement"][0]["Sid"] == "s");
  auto removal = version("l", 1);
  removal["StatementId"] = "s";
  removal["RevisionId"] = "other";
  CHECK(refusal(parts, "RemoveLayerVersionPermission", removal).status == 412);
  removal.erase("RevisionId");
  CHECK(run(parts, "RemoveLayerVersionPermission", removal));
  CHECK(refusal(parts, "RemoveLayerVersionPermission", removal).status == 404);
}

TEST_CASE("a function keeps a layer version that was deleted, and no other may take it up",
          "[layers]") {
  ServiceParts parts;
  const auto arn = publish(parts, "l");
  parts.create("f", {{"Layers", {arn}}});
  CHECK(run(parts, "DeleteLayerVersion", version("l", 1)));
  CHECK(refusal(parts, "GetLayerVersion", version("l", 1)).status == 404);
  CHECK(run(parts, "ListLayers", Document::object()).value()["Layers"].empty());
  const auto update = [&](const Document& more) {
    Document input = {{"FunctionName", "f"}};
    input.update(more);
    return parts.run(function_operations(), "UpdateFunctionConfiguration", input);
  };
  CHECK(update({{"Description", "x"}}).value()["Layers"][0]["Arn"] == arn);
  CHECK(update({{"Layers", {arn}}}));
  CHECK(parts.world.registry.named_packages().size() == 2);
  CHECK(update({{"Layers", Document::array()}}));
  CHECK(update({{"Layers", {arn}}}).error().message.ends_with("does not exist."));
}

TEST_CASE("a layer of another account or region is not one's own", "[layers]") {
  ServiceParts parts;
  publish(parts, "l");
  parts.create("f");
  const auto with = [&](const char* arn) {
    return parts
        .run(function_operations(),
             "UpdateFunctionConfiguration",
             {{"FunctionName", "f"}, {"Layers", {arn}}})
        .error();
  };
  CHECK(with("arn:aws:lambda:us-east-1:999999999999:layer:l:1").status == 403);
  CHECK(with("arn:aws:lambda:eu-west-1:123456789012:layer:l:1").status == 400);
  CHECK(
      refusal(parts, "GetLayerVersion", version("arn:aws:lambda:us-east-1:999999999999:layer:l", 1))
          .status == 403);
  CHECK(
      refusal(parts, "GetLayerVersion", version("arn:aws:lambda:eu-west-1:123456789012:layer:l", 1))
          .status == 404);
}
