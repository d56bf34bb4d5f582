// A running `hearth serve`, and what a client of it can do and see.
#pragma once

#include "tests/bench/measured_program.h"

#include <nlohmann/json_fwd.hpp>

#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace httplib {
class Client;
}

namespace bench {

struct Call {
  bool answered = false;       // an HTTP response came
  int status = 0;              // of HTTP
  std::string function_error;  // empty: none
  std::string request_id;
  std::string body;
  Nanoseconds took{};  // from request to response, as the client sees it
};

// One kept-alive connection. Its owner's thread.
class Caller {
 public:
  explicit Caller(int port);
  ~Caller();
  Caller(const Caller&) = delete;
  Caller& operator=(const Caller&) = delete;

  Call invoke(const std::string& function, const std::string& event);

  // The response's object. Ends the benchmark when the function failed.
  nlohmann::json invoke_for_json(const std::string& function, const std::string& event);

  // Every environment's object of GET /_hearth/environments.
  nlohmann::json environments();

  // The object of the latest attempt in GET /_hearth/invocations, once it is that of `call`.
  nlohmann::json record_of(const Call& call);

  // Retires every environment, and returns when none is left.
  void retire_all();

 private:
  nlohmann::json get(const std::string& path);

  std::unique_ptr<httplib::Client> client_;
};

// On a free port. `words` are added to the command line.
class Serving {
 public:
  Serving(const std::vector<std::string>& words, const std::string& folder);

  int port() const { return port_; }
  const MeasuredProgram& program() const { return program_; }

 private:
  MeasuredProgram program_;
  int port_ = 0;
};

}  // namespace bench
