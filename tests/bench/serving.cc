#include "tests/bench/serving.h"

#include <httplib.h>
#include <nlohmann/json.hpp>

#include <chrono>
#include <thread>

namespace bench {
namespace {

constexpr int kReadTimeoutSeconds = 120;  // above every timeout of the functions that are used
constexpr std::chrono::milliseconds kPollPause{1};

std::vector<std::string> serve_command(const std::vector<std::string>& words) {
  std::vector<std::string> argv = {HEARTH_PROGRAM, "serve", "--port", "0", "--log-level", "off"};
  argv.insert(argv.end(), words.begin(), words.end());
  return argv;
}

}  // namespace

Caller::Caller(int port) : client_(std::make_unique<httplib::Client>("127.0.0.1", port)) {
  client_->set_keep_alive(true);
  client_->set_tcp_nodelay(true);
  client_->set_read_timeout(kReadTimeoutSeconds);
}

Caller::~Caller() = default;

Call Caller::invoke(const std::string& function, const std::string& event) {
  const auto path = "/2015-03-31/functions/" + function + "/invocations";
  Call call;
  const auto sent = std::chrono::steady_clock::now();
  const auto response = client_->Post(path, event, "application/json");
  call.took = std::chrono::steady_clock::now() - sent;
  if (!response) return call;
  call.answered = true;
  call.status = response->status;
  call.function_error = response->get_header_value("X-Amz-Function-Error");
  call.request_id = response->get_header_value("x-amzn-RequestId");
  call.body = response->body;
  return call;
}

nlohmann::json Caller::invoke_for_json(const std::string& function, const std::string& event) {
  const auto call = invoke(function, event);
  if (call.status != 200 || !call.function_error.empty()) {
    give_up(function + " failed: " + std::to_string(call.status) + " " + call.body);
  }
  return nlohmann::json::parse(call.body);
}

nlohmann::json Caller::get(const std::string& path) {
  const auto response = client_->Get(path);
  if (!response || response->status != 200) give_up("no answer from " + path);
  return nlohmann::json::parse(response->body);
}

nlohmann::json Caller::environments() { return get("/_hearth/environments")["environments"]; }

nlohmann::json Caller::record_of(const Call& call) {
  // It is written once the environment waits for its next event, after the response.
  while (true) {
    const auto listed = get("/_hearth/invocations?limit=1")["invocations"];
    if (!listed.empty() && listed[0]["request_id"] == call.request_id) return listed[0];
    std::this_thread::sleep_for(kPollPause);
  }
}

void Caller::retire_all() {
  client_->Delete("/_hearth/environments");
  while (!environments().empty()) std::this_thread::sleep_for(kPollPause);
}

Serving::Serving(const std::vector<std::string>& words, const std::string& folder)
    : program_(serve_command(words), folder) {
  const auto& line = program_.first_line();
  port_ = std::stoi(line.substr(line.rfind(':') + 1));
}

}  // namespace bench
