#include "tests/end_to_end/hearth_program.h"

#include "tests/support/host_requirements.h"

#include <catch2/catch_test_macros.hpp>
#include <httplib.h>

#include <algorithm>
#include <csignal>
#include <filesystem>
#include <regex>

namespace tests {
namespace {

ProgramStart start_of(Words arguments, HearthStart start, const ScratchFolder& temporary) {
  arguments.insert(arguments.begin(), HEARTH_BINARY_DIR "/bin/hearth");
  auto variables = std::move(start.variables);
  variables.emplace("TMPDIR", temporary.path().string());
  variables.emplace("XDG_CACHE_HOME", HEARTH_RUNTIME_CACHE);
  return {.argv = std::move(arguments),
          .variables = std::move(variables),
          .folder = std::move(start.folder),
          .input = std::move(start.input),
          .kept_bytes = start.kept_bytes};
}

void check_nothing_left(const ScratchFolder& temporary) {
  CHECK(survivors() == std::vector<pid_t>{});
  CHECK(temporary.entries() == std::vector<std::string>{});
}

}  // namespace

std::string seen_folder(const std::string& folder) {
  return host_plan().namespaces ? "/var/task" : folder;
}

std::string handler_folder(const std::string& name) {
  const auto built = std::string(HEARTH_BINARY_DIR "/handlers/") + name;
  const auto* source = HEARTH_SOURCE_DIR "/handlers/";
  return std::filesystem::exists(built + "/bootstrap") ? built : source + name;
}

std::string handler_template(const std::string& name) {
  return handler_folder(name) + "/template.yaml";
}

Words testee(const std::string& mode) {
  return {"--code", handler_folder("testees"), "--handler", mode, "--name", "testee"};
}

Ended run_hearth(Words arguments, HearthStart start) {
  const ScratchFolder temporary;
  auto ended = run_program(start_of(std::move(arguments), std::move(start), temporary));
  check_nothing_left(temporary);
  return ended;
}

Ended invoke(Words arguments, HearthStart start) {
  arguments.insert(arguments.begin(), "invoke");
  return run_hearth(std::move(arguments), std::move(start));
}

Serving::Serving(const Words& arguments, HearthStart start) {
  Words all = {"serve", "--port", "0", "--hot-reload", "/"};
  all.insert(all.end(), arguments.begin(), arguments.end());
  program_.emplace(start_of(std::move(all), std::move(start), temporary_));
  const auto line = program_->await_output("ready ");
  INFO(line);
  REQUIRE(matches(line, "ready http://127\\.0\\.0\\.1:[0-9]+"));
  port_ = std::stoi(line.substr(line.rfind(':') + 1));
}

Ended Serving::stop(int signal) {
  program_->signal(signal);
  auto ended = program_->wait();
  check_nothing_left(temporary_);
  return ended;
}

std::string Answer::header(const std::string& name) const {
  for (const auto& [key, value] : headers) {
    if (httplib::detail::case_ignore::equal(key, name)) return value;
  }
  return {};
}

Answer http(int port,
            const std::string& method,
            const std::string& path,
            const std::string& body,
            const std::multimap<std::string, std::string>& headers) {
  httplib::Client client("127.0.0.1", port);
  client.set_read_timeout(std::chrono::seconds{60});
  client.set_path_encode(false);
  httplib::Request request;
  request.method = method;
  request.path = path;
  request.body = body;
  for (const auto& [key, value] : headers) request.set_header(key, value);
  const auto response = client.send(request);
  if (!response) return {};
  return {.status = response->status,
          .headers = {response->headers.begin(), response->headers.end()},
          .body = response->body};
}

Answer invoke_function(int port,
                       const std::string& function,
                       const std::string& payload,
                       const std::multimap<std::string, std::string>& headers) {
  return http(port, "POST", "/2015-03-31/functions/" + function + "/invocations", payload, headers);
}

bool matches(const std::string& text, const std::string& expression) {
  return std::regex_match(text, std::regex(expression));
}

std::string cold_log(const std::string& memory_mb) {
  return "(?:INIT_START Runtime Version: [^\n]+\n)?"
         "START RequestId: ([0-9a-f-]{36}) Version: \\$LATEST\n"
         "END RequestId: \\1\n"
         "REPORT RequestId: \\1\tDuration: [0-9]+\\.[0-9]{2} ms\tBilled Duration: [0-9]+ ms"
         "\tMemory Size: " +
         memory_mb + " MB\tMax Memory Used: [0-9]+ MB\tInit Duration: [0-9]+\\.[0-9]{2} ms\t\n";
}

bool is_one_sentence(const std::string& errors) { return matches(errors, "hearth: [^\n]+\n"); }

}  // namespace tests
