#include "emulator/control_plane/operation_router.h"

#include "tests/support/service_world.h"

#include <catch2/catch_test_macros.hpp>

#include <atomic>
#include <stdexcept>
#include <thread>
#include <vector>

using namespace emulator::control_plane;
using emulator::front_doors::Reply;
using emulator::front_doors::Request;
using tests::ServiceParts;

namespace {

Answer echo(const Document& input, ServiceWorld&) { return input; }
Answer fail(const Document&, ServiceWorld&) { throw std::runtime_error("broken"); }
Answer refuse(const Document&, ServiceWorld&) { return tl::unexpected(function_not_found("arn")); }

constexpr Operation kSome[] = {
    {"GetFunction", echo}, {"GetPolicy", fail}, {"ListAliases", refuse}, {"CreateFunction", echo}};
const std::span<const Operation> kTables[] = {kSome};

Request request(std::string_view method, std::string_view target, std::string body = {}) {
  Request made;
  made.method = method;
  made.target = target;
  made.body = std::move(body);
  return made;
}

std::string header(const Reply& reply, const std::string& name) {
  for (const auto& [key, value] : reply.headers) {
    if (key == name) return value;
  }
  return {};
}

}  // namespace

TEST_CASE("a request reaches the operation that it names, and its answer goes back", "[router]") {
  ServiceParts parts;
  const OperationRouter router(parts.world, kTables);
  const auto get = request("GET", "/2015-03-31/functions/f?Qualifier=1");
  CHECK(router.handles(get));
  const auto reply = router.answer(get);
  CHECK(reply.status == 200);
  CHECK(reply.body == R"({"FunctionName":"f","Qualifier":"1"})");
  CHECK(header(reply, "x-amzn-RequestId").size() == 36);
}

TEST_CASE("an operation's refusal and a defect of it are the service's errors", "[router]") {
  ServiceParts parts;
  const OperationRouter router(parts.world, kTables);
  const auto refused = router.answer(request("GET", "/2015-03-31/functions/f/aliases"));
  CHECK(refused.status == 404);
  CHECK(header(refused, "x-amzn-ErrorType") == "ResourceNotFoundException");
  const auto failed = router.answer(request("GET", "/2015-03-31/functions/f/policy"));
  CHECK(failed.status == 500);
  CHECK(header(failed, "x-amzn-ErrorType") == "ServiceException");
  CHECK(failed.body.find("GetPolicy: broken") != std::string::npos);
}

TEST_CASE("an operation that Hearth has not answers like one that the service has not",
          "[router]") {
  ServiceParts parts;
  const OperationRouter router(parts.world, kTables);
  for (const auto* target : {"/2025-11-30/capacity-providers", "/2015-03-31/no-such", "/x"}) {
    const auto get = request("GET", target);
    CHECK_FALSE(router.handles(get));
    const auto reply = router.answer(get);
    CHECK(reply.status == 403);
    CHECK(header(reply, "x-amzn-ErrorType") == "AccessDeniedException");
    CHECK(reply.body ==
          R"({"Message":"Unable to determine service/operation name to be authorized"})");
  }
}

TEST_CASE("only operations that bring a package along may have a large body", "[router]") {
  ServiceParts parts;
  const OperationRouter router(parts.world, kTables);
  const auto create = request("POST", "/2015-03-31/functions");
  CHECK(router.body_limit(create) == kMaxPackageRequestBytes);
  CHECK(router.body_limit(request("GET", "/2015-03-31/functions/f")) == kMaxOperationRequestBytes);
  const auto refused = router.refuse_too_large(create);
  CHECK(refused.status == 413);
  CHECK(header(refused, "x-amzn-ErrorType") == "RequestEntityTooLargeException");
  CHECK(refused.body.find("Request must be smaller than 70167211 bytes for the CreateFunction "
                          "operation") != std::string::npos);
}

TEST_CASE("the operations that Hearth has are the service's, each once", "[router]") {
  std::vector<std::string_view> names;
  for (const auto& table : all_operations()) {
    for (const auto& operation : table) {
      INFO(operation.name);
      CHECK(find_operation(operation.name) != nullptr);
      names.push_back(operation.name);
    }
  }
  std::sort(names.begin(), names.end());
  CHECK(std::adjacent_find(names.begin(), names.end()) == names.end());
  ServiceParts parts;
  const auto missing = OperationRouter(parts.world, all_operations()).missing_operations();
  CHECK(names.size() + missing.size() + 3 == model_operations().size());
  for (const auto& name : missing) {
    INFO(name);
    CHECK((name.find("DurableExecution") != std::string::npos ||
           name.find("CapacityProvider") != std::string::npos ||
           name.find("ScalingConfig") != std::string::npos));
  }
}

TEST_CASE("changes of different callers to one function all come through", "[router]") {
  ServiceParts parts;
  parts.create("f");
  const auto tables = all_operations();
  const OperationRouter router(parts.world, tables);
  constexpr int kCallers = 8;
  constexpr int kChanges = 10;
  std::atomic<int> refused = 0;
  {
    std::vector<std::jthread> callers;
    for (int caller = 0; caller < kCallers; ++caller) {
      callers.emplace_back([&, caller] {
        for (int i = 0; i < kChanges; ++i) {
          const Document body = {{"StatementId", std::to_string(caller * kChanges + i)},
                                 {"Action", "lambda:InvokeFunction"},
                                 {"Principal", "s3.amazonaws.com"}};
          const auto reply =
              router.answer(request("POST", "/2015-03-31/functions/f/policy", body.dump()));
          if (reply.status != 201) ++refused;
        }
      });
    }
  }
  CHECK(refused == 0);
  const auto policy = Document::parse(
      router.answer(request("GET", "/2015-03-31/functions/f/policy")).body)["Policy"];
  CHECK(Document::parse(policy.get<std::string>())["Statement"].size() == kCallers * kChanges);
}
