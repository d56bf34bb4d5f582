#include "tests/end_to_end/lambda_api.h"

#include "tests/support/zip_bytes.h"

#include <openssl/evp.h>

#include <algorithm>
#include <thread>

namespace tests {
namespace {

// Far more than anything that is awaited takes on a busy machine.
constexpr std::chrono::minutes kPatience{1};

std::string path_of(const std::string& name, const std::string& rest) {
  return std::string(kFunctions) + "/" + name + rest;
}

}  // namespace

std::string base64(std::string_view bytes) {
  std::string text((bytes.size() + 2) / 3 * 4 + 1, '\0');
  const int size = ::EVP_EncodeBlock(reinterpret_cast<unsigned char*>(text.data()),
                                     reinterpret_cast<const unsigned char*>(bytes.data()),
                                     static_cast<int>(bytes.size()));
  text.resize(static_cast<std::size_t>(size));
  return text;
}

std::string base64_decoded(std::string_view text) {
  std::string bytes(text.size(), '\0');
  const int size = ::EVP_DecodeBlock(reinterpret_cast<unsigned char*>(bytes.data()),
                                     reinterpret_cast<const unsigned char*>(text.data()),
                                     static_cast<int>(text.size()));
  if (size < 0) throw std::runtime_error("no base64: " + std::string(text));
  const auto padding = std::count(text.begin(), text.end(), '=');
  bytes.resize(static_cast<std::size_t>(size - padding));
  return bytes;
}

nlohmann::json boto3(const Serving& serving, const std::vector<nlohmann::json>& calls) {
  const auto ended = run_program({.argv = {HEARTH_SOURCE_DIR "/.venv/bin/python",
                                           HEARTH_SOURCE_DIR "/tests/end_to_end/lambda_client.py",
                                           serving.address()},
                                  .input = nlohmann::json(calls).dump()});
  if (ended.status != 0) throw std::runtime_error("boto3's program failed: " + ended.errors);
  return nlohmann::json::parse(ended.output);
}

void eventually(const std::string& what, const std::function<bool()>& condition) {
  const auto end = std::chrono::steady_clock::now() + kPatience;
  while (!condition()) {
    if (std::chrono::steady_clock::now() > end)
      throw std::runtime_error("not within reach: " + what);
    std::this_thread::yield();
  }
}

nlohmann::json testee_function(const std::string& name,
                               const std::string& mode,
                               const nlohmann::json& variables) {
  return {{"FunctionName", name},
          {"Runtime", "provided.al2023"},
          {"Role", kSomeRole},
          {"Handler", mode},
          {"Timeout", 60},
          {"Environment", {{"Variables", variables}}},
          {"Code", {{"S3Bucket", "hot-reload"}, {"S3Key", handler_folder("testees")}}}};
}

nlohmann::json python_function(const std::string& name, const std::string& source) {
  return {{"FunctionName", name},
          {"Runtime", "python3.11"},
          {"Role", kSomeRole},
          {"Handler", "app.handler"},
          {"Timeout", 20},
          {"Code", {{"ZipFile", base64(zip_bytes({{"app.py", source}}))}}}};
}

nlohmann::json changed(nlohmann::json arguments, const nlohmann::json& patch) {
  arguments.merge_patch(patch);
  return arguments;
}

Answer LambdaApi::send(const std::string& method,
                       const std::string& path,
                       const nlohmann::json& body) const {
  return http(port_, method, path, body.is_null() ? "" : body.dump());
}

nlohmann::json LambdaApi::call(const std::string& method,
                               const std::string& path,
                               const nlohmann::json& body) const {
  const auto answer = send(method, path, body);
  if (answer.status < 200 || answer.status > 299) {
    throw std::runtime_error(method + " " + path + " was answered with " +
                             std::to_string(answer.status) + " " + answer.body);
  }
  return answer.body.empty() ? nlohmann::json::object() : answer.json();
}

nlohmann::json LambdaApi::configure(const std::string& name,
                                    const nlohmann::json& arguments) const {
  return call("PUT", path_of(name, "/configuration"), arguments);
}

std::string LambdaApi::publish(const std::string& name) const {
  return call("POST", path_of(name, "/versions"), nlohmann::json::object()).at("Version");
}

nlohmann::json LambdaApi::reserve(const std::string& name, int units) const {
  return call("PUT",
              "/2017-10-31/functions/" + name + "/concurrency",
              {{"ReservedConcurrentExecutions", units}});
}

nlohmann::json LambdaApi::provision(const std::string& name,
                                    const std::string& version,
                                    int units) const {
  return call("PUT",
              "/2019-09-30/functions/" + name + "/provisioned-concurrency?Qualifier=" + version,
              {{"ProvisionedConcurrentExecutions", units}});
}

nlohmann::json LambdaApi::provisioned(const std::string& name, const std::string& version) const {
  return call("GET",
              "/2019-09-30/functions/" + name + "/provisioned-concurrency?Qualifier=" + version);
}

nlohmann::json LambdaApi::event_invoke(const std::string& name,
                                       const nlohmann::json& config) const {
  return call("PUT", "/2019-09-25/functions/" + name + "/event-invoke-config", config);
}

std::string LambdaApi::send_event(const std::string& name, const std::string& payload) const {
  const auto answer = invoke(name, payload, {{"X-Amz-Invocation-Type", "Event"}});
  if (answer.status != 202) {
    throw std::runtime_error("an event for " + name + " was answered with " +
                             std::to_string(answer.status) + " " + answer.body);
  }
  return answer.header("x-amzn-RequestId");
}

nlohmann::json LambdaApi::shown(const std::string& what, const std::string& function) const {
  return call("GET", "/_hearth/" + what + "?limit=1000&function=" + function).at(what);
}

nlohmann::json LambdaApi::event(const std::string& request_id) const {
  for (auto& event : shown("events")) {
    if (event.at("request_id") == request_id) return event;
  }
  return nullptr;
}

void LambdaApi::await_event_end(const std::string& request_id) const {
  eventually("the end of event " + request_id, [&] {
    const auto known = event(request_id);
    return known.is_object() && known.at("state") == "done";
  });
}

nlohmann::json LambdaApi::advance(std::chrono::milliseconds by) const {
  return call("POST", "/_hearth/clock", {{"advance_ms", by.count()}});
}

}  // namespace tests
