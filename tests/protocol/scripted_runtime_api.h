// A Runtime API that deals the events it was given, then answers next with 500, as one that is
// beyond repair; and remembers what was posted to it.
#pragma once

#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace protocol_test {

struct Post {
  std::string path;
  std::string error_type;
  std::string content_type;
  std::string body;
};

// Set up and read between calls of serve, by the thread that calls it.
class ScriptedRuntimeApi {
 public:
  ScriptedRuntimeApi();
  ~ScriptedRuntimeApi();
  ScriptedRuntimeApi(const ScriptedRuntimeApi&) = delete;
  ScriptedRuntimeApi& operator=(const ScriptedRuntimeApi&) = delete;

  // Serves while `client` runs, which is given ADDRESS:PORT, and returns what it returned.
  int serve(const std::function<int(const std::string& address)>& client);

  std::deque<std::string> events;
  std::vector<std::pair<std::string, std::string>> headers;  // of each next besides the request id
  int post_status = 202;
  bool close_after_each = false;

  std::vector<Post> posts;
  std::vector<int> client_ports;  // one for each post

 private:
  struct Listener;
  std::unique_ptr<Listener> listener_;
};

}  // namespace protocol_test
