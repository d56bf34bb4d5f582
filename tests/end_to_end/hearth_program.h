// The built program, as a test starts it: with a temporary folder of its own, and the runtime
// clients that the set-up step installed below the build folder.
#pragma once

#include "tests/support/running_program.h"
#include "tests/support/scratch_folder.h"

#include <nlohmann/json.hpp>

#include <csignal>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace tests {

using Words = std::vector<std::string>;

// The folder of a handler: of the built one, if it is built.
std::string handler_folder(const std::string& name);

// Where a function finds its code, which lies in `folder`: /var/task where this host allows a root
// of its own.
std::string seen_folder(const std::string& folder);
std::string handler_template(const std::string& name);

// Flags that make the testee, in one of its modes, the function `testee`.
Words testee(const std::string& mode);

struct HearthStart {
  std::string input{};
  std::string folder{};
  std::map<std::string, std::string> variables{};
  std::size_t kept_bytes = SIZE_MAX;  // of what it says
};

// Runs the command to its end, and checks that it leaves no process and no file.
Ended run_hearth(Words arguments, HearthStart start = {});

// run_hearth() with "invoke" before the arguments.
Ended invoke(Words arguments, HearthStart start = {});

// A running `hearth serve` on a free port, or `hearth rie`.
class Serving {
 public:
  // `serve` and `--port 0` are added, and that code of any folder may be used in place.
  explicit Serving(const Words& arguments, HearthStart start = {});
  Serving(const Serving&) = delete;
  Serving& operator=(const Serving&) = delete;

  int port() const { return port_; }
  std::string address() const { return "http://127.0.0.1:" + std::to_string(port_); }
  RunningProgram& program() { return *program_; }

  // Ends it with SIGTERM, or another signal, and checks that it leaves no process and no file.
  Ended stop(int signal = SIGTERM);

 private:
  ScratchFolder temporary_;
  std::optional<RunningProgram> program_;
  int port_ = 0;
};

struct Answer {
  int status = 0;  // 0: there was none
  std::multimap<std::string, std::string> headers;
  std::string body;

  std::string header(const std::string& name) const;
  nlohmann::json json() const { return nlohmann::json::parse(body); }
};

// One HTTP request to 127.0.0.1.
Answer http(int port,
            const std::string& method,
            const std::string& path,
            const std::string& body = {},
            const std::multimap<std::string, std::string>& headers = {});

// POST to Lambda's Invoke.
Answer invoke_function(int port,
                       const std::string& function,
                       const std::string& payload,
                       const std::multimap<std::string, std::string>& headers = {});

// Checks that `text` is, as a whole, what the regular expression says.
bool matches(const std::string& text, const std::string& expression);

// The lines of a cold invocation that succeeded and printed nothing, as a regular expression.
std::string cold_log(const std::string& memory_mb = "128");

// Of one line, "hearth: " and a sentence.
bool is_one_sentence(const std::string& errors);

}  // namespace tests
