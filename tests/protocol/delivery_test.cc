// Deliveries over HTTP, to a server of the test's own.
#include "emulator/app/delivery.h"

#include <catch2/catch_test_macros.hpp>
#include <httplib.h>

#include <mutex>
#include <thread>

using namespace emulator;
using invoke::DeliveryError;

namespace {

// Answers everything with one status, and records what it was asked.
class Service {
 public:
  Service() {
    server_.set_pre_routing_handler(
        [this](const httplib::Request& request, httplib::Response& response) {
          const std::lock_guard lock(mutex_);
          seen_.push_back(request);
          response.status = status_;
          response.set_content(answer_, "application/json");
          return httplib::Server::HandlerResponse::Handled;
        });
    port_ = server_.bind_to_any_port("127.0.0.1");
    thread_ = std::jthread([this] { server_.listen_after_bind(); });
    server_.wait_until_ready();
  }
  ~Service() { server_.stop(); }

  void answer(int status, std::string body) {
    const std::lock_guard lock(mutex_);
    status_ = status;
    answer_ = std::move(body);
  }
  std::vector<httplib::Request> seen() const {
    const std::lock_guard lock(mutex_);
    return seen_;
  }
  std::string url() const { return "http://127.0.0.1:" + std::to_string(port_); }

 private:
  mutable std::mutex mutex_;  // guards what follows
  std::vector<httplib::Request> seen_;
  int status_ = 200;
  std::string answer_ = "{}";
  httplib::Server server_;
  int port_ = 0;
  std::jthread thread_;
};

invoke::Delivery to(std::string target) {
  invoke::Delivery delivery;
  delivery.target_arn = std::move(target);
  delivery.function_name = "resize";
  delivery.function_arn = "arn:aws:lambda:us-east-1:012345678901:function:resize:$LATEST";
  delivery.request_id = "id";
  delivery.body = R"({"a":1})";
  return delivery;
}

app::DeliveryPlaces only(const std::string& text) {
  const auto endpoint = app::parse_endpoint(text);
  REQUIRE(endpoint);
  return {.endpoints = {{endpoint->service, *endpoint}}, .folder = std::nullopt};
}

}  // namespace

TEST_CASE("a delivery arrives at the endpoint that is named for its service", "[events]") {
  Service service;
  SECTION("a queue's") {
    app::DeliveryRoutes routes(only("sqs=" + service.url()), {}, {});
    const auto where = routes.deliver(to("arn:aws:sqs:us-east-1:012345678901:jobs"));
    REQUIRE(where);
    CHECK(*where == service.url());
    const auto seen = service.seen();
    REQUIRE(seen.size() == 1);
    CHECK(seen[0].method == "POST");
    CHECK(seen[0].path == "/");
    CHECK(seen[0].get_header_value("X-Amz-Target") == "AmazonSQS.SendMessage");
    CHECK(seen[0].get_header_value("Content-Type") == "application/x-amz-json-1.0");
  }
  SECTION("a bucket's, below a path") {
    app::DeliveryRoutes routes(only("s3=" + service.url() + "/base"), {}, {});
    REQUIRE(routes.deliver(to("arn:aws:s3:::failed")));
    const auto seen = service.seen();
    REQUIRE(seen.size() == 1);
    CHECK(seen[0].method == "PUT");
    CHECK(seen[0].path.starts_with("/base/failed/aws/lambda/async/resize/"));
  }
  SECTION("none for another service") {
    app::DeliveryRoutes routes(only("sqs=" + service.url()), {}, {});
    REQUIRE(routes.deliver(to("arn:aws:sns:us-east-1:012345678901:news")));
    CHECK(service.seen().empty());
  }
}

TEST_CASE("what an endpoint refuses is told with its answer, and tried again if that may help",
          "[events]") {
  Service service;
  app::DeliveryRoutes routes(only("sqs=" + service.url()), {}, {});
  const auto delivery = to("arn:aws:sqs:us-east-1:012345678901:jobs");
  const auto error_of = [&](int status) {
    service.answer(status, "no such queue");
    const auto result = routes.deliver(delivery);
    REQUIRE_FALSE(result);
    CHECK(result.error().message.find("no such queue") != std::string::npos);
    return result.error().kind;
  };
  CHECK(error_of(400) == DeliveryError::Kind::permanent);
  CHECK(error_of(429) == DeliveryError::Kind::passing);
  CHECK(error_of(503) == DeliveryError::Kind::passing);
}

TEST_CASE("an answer of any size does no harm", "[events]") {
  Service service;
  service.answer(400, std::string(std::size_t{1} << 20, 'x'));
  app::DeliveryRoutes routes(only("sqs=" + service.url()), {}, {});
  const auto result = routes.deliver(to("arn:aws:sqs:us-east-1:012345678901:jobs"));
  REQUIRE_FALSE(result);
  CHECK(result.error().message.size() < 1000);
}

TEST_CASE("an endpoint where nothing listens is told, and tried again", "[events]") {
  std::string url;
  {
    const Service gone;
    url = gone.url();
  }
  app::DeliveryRoutes routes(only("sqs=" + url), {}, {});
  const auto result = routes.deliver(to("arn:aws:sqs:us-east-1:012345678901:jobs"));
  REQUIRE_FALSE(result);
  CHECK(result.error().kind == DeliveryError::Kind::passing);
  CHECK(result.error().message.find(url) != std::string::npos);
}
