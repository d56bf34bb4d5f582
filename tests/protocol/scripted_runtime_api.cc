#include "tests/protocol/scripted_runtime_api.h"

#include <httplib.h>

#include <thread>

namespace protocol_test {
namespace {

// Beyond every limit of the Runtime API's own: here the client is under test.
constexpr std::size_t kMaxBody = std::size_t{64} << 20;

// Ends with its scope, also when a test does not go on.
class Listening {
 public:
  explicit Listening(httplib::Server& server)
      : server_(server), thread_([&server] { server.listen_after_bind(); }) {
    server_.wait_until_ready();
  }
  ~Listening() {
    server_.stop();
    thread_.join();
  }
  Listening(const Listening&) = delete;
  Listening& operator=(const Listening&) = delete;

 private:
  httplib::Server& server_;
  std::thread thread_;
};

}  // namespace

struct ScriptedRuntimeApi::Listener {
  explicit Listener(ScriptedRuntimeApi& owner) : api(owner) {
    server.set_tcp_nodelay(true);
    server.set_payload_max_length(kMaxBody);
    server.Get("/2018-06-01/runtime/invocation/next",
               [this](const httplib::Request&, httplib::Response& response) { next(response); });
    server.Post(R"(/2018-06-01/runtime/.*)",
                [this](const httplib::Request& request, httplib::Response& response) {
                  post(request, response);
                });
  }

  void next(httplib::Response& response) {
    if (api.events.empty()) {
      response.status = 500;
      return;
    }
    for (const auto& [name, value] : api.headers) response.set_header(name, value);
    response.set_header("Lambda-Runtime-Aws-Request-Id", "id-" + std::to_string(++dealt));
    response.set_content(api.events.front(), "application/json");
    api.events.pop_front();
    if (api.close_after_each) response.set_header("Connection", "close");
  }

  void post(const httplib::Request& request, httplib::Response& response) {
    api.posts.push_back({request.path,
                         request.get_header_value("Lambda-Runtime-Function-Error-Type"),
                         request.get_header_value("Content-Type"),
                         request.body});
    api.client_ports.push_back(request.remote_port);
    response.status = api.post_status;
    response.set_content("{\"status\":\"OK\"}\n", "application/json");
  }

  ScriptedRuntimeApi& api;
  httplib::Server server;
  int dealt = 0;
};

ScriptedRuntimeApi::ScriptedRuntimeApi() : listener_(std::make_unique<Listener>(*this)) {}
ScriptedRuntimeApi::~ScriptedRuntimeApi() = default;

int ScriptedRuntimeApi::serve(const std::function<int(const std::string& address)>& client) {
  auto& server = listener_->server;
  const int port = server.bind_to_any_port("127.0.0.1");
  const Listening listening(server);
  return client("127.0.0.1:" + std::to_string(port));
}

}  // namespace protocol_test
