// The Runtime API and the Extensions API over loopback, without any process: a listener with its
// session and hub, and calls to it.
#pragma once

#include "runtime_api/server.h"
#include "runtime_api/session.h"
#include "tests/support/extension_hub_world.h"

#include <httplib.h>

#include <future>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace tests {

struct ApiAnswer {
  int status = 0;  // 0: the connection broke
  std::string body;
  httplib::Headers headers;

  std::string header(const std::string& name) const {
    const auto found = headers.find(name);
    return found == headers.end() ? std::string() : found->second;
  }
};

class ExtensionApi {
 public:
  explicit ExtensionApi(
      std::vector<std::string> launched = {},
      runtime_api::ExtensionHub::Service service = runtime_api::ExtensionHub::Service::on,
      std::optional<runtime_api::RestoreDesk> restore = {})
      : world(std::move(launched), service),
        session([this](std::string_view type) { world.hub.runtime_settled(type); }),
        server(runtime_api::open_listening_socket("127.0.0.1", 0).value(),
               session,
               world.hub,
               {},
               {},
               std::move(restore)) {}
  ExtensionApi(const ExtensionApi&) = delete;
  ExtensionApi& operator=(const ExtensionApi&) = delete;
  ~ExtensionApi() { end(); }

  void end() {
    session.end();
    world.hub.end();
  }

  ApiAnswer get(const std::string& path, const httplib::Headers& headers = {}) const {
    httplib::Client client("127.0.0.1", server.port());
    client.set_read_timeout(600);
    return answer_of(client.Get(path, headers));
  }
  ApiAnswer post(const std::string& path,
                 const std::string& body,
                 const httplib::Headers& headers = {}) const {
    httplib::Client client("127.0.0.1", server.port());
    return answer_of(client.Post(path, headers, body, "application/json"));
  }
  std::future<ApiAnswer> parked(const std::string& path,
                                const httplib::Headers& headers = {}) const {
    return std::async(std::launch::async, [this, path, headers] { return get(path, headers); });
  }

  ApiAnswer register_extension(const std::string& name, const std::string& body) const {
    return post("/2020-01-01/extension/register", body, {{"Lambda-Extension-Name", name}});
  }
  static httplib::Headers identified(const std::string& identifier) {
    return {{"Lambda-Extension-Identifier", identifier}};
  }
  std::future<ApiAnswer> parked_event(const std::string& identifier) const {
    return parked("/2020-01-01/extension/event/next", identified(identifier));
  }
  std::future<ApiAnswer> parked_invocation() const {
    return parked("/2018-06-01/runtime/invocation/next");
  }
  ApiAnswer report(const std::string& phase, const std::string& identifier) const {
    return post("/2020-01-01/extension/" + phase + "/error",
                "{}",
                {{"Lambda-Extension-Identifier", identifier},
                 {"Lambda-Extension-Function-Error-Type", "Extension.Tested"}});
  }

  ExtensionHubWorld world;
  runtime_api::Session session;
  runtime_api::Server server;

 private:
  static ApiAnswer answer_of(const httplib::Result& result) {
    if (!result) return {};
    return {result->status, result->body, result->headers};
  }
};

}  // namespace tests
