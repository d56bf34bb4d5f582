// An extension that lives in the test: the calls of the Extensions API for a scripted process, and
// a folder that makes a launcher of scripts start it.
#pragma once

#include "emulator/environment/environment_spec.h"
#include "tests/support/scratch_folder.h"
#include "tests/support/scripted_runtime.h"

#include <nlohmann/json.hpp>

#include <condition_variable>
#include <functional>
#include <initializer_list>
#include <mutex>
#include <string>
#include <thread>
#include <utility>
#include <vector>

namespace tests {

// What stands for /opt, with files for extensions. Scripts tell by their program who they are.
class ExtensionsFolder {
 public:
  ExtensionsFolder(std::initializer_list<std::string> names) {
    for (const auto& name : names) folder_.write("extensions/" + name, "");
  }
  emulator::environment::EnvironmentSpec::LayersFolder layers() const {
    return {.host = folder_.path().string(), .seen = "/opt"};
  }
  const ScratchFolder& folder() const { return folder_; }

 private:
  ScratchFolder folder_;
};

// The file's name where the process is an external extension; empty for a runtime.
inline std::string extension_name(const ScriptedProcess& process) {
  const std::string folder = "/opt/extensions/";
  const auto& program = process.program();
  return program.starts_with(folder) ? program.substr(folder.size()) : std::string();
}

inline constexpr const char* kInvokeAndShutdown = R"({"events":["INVOKE","SHUTDOWN"]})";

// Its process's thread.
class ScriptedExtension {
 public:
  explicit ScriptedExtension(ScriptedProcess& process)
      : ScriptedExtension(process, extension_name(process)) {}
  // An internal one, in the runtime's process.
  ScriptedExtension(ScriptedProcess& process, std::string name)
      : process_(process), name_(std::move(name)) {}

  HttpAnswer register_for(const std::string& body) {
    auto answer =
        process_.post("/2020-01-01/extension/register", body, {{"Lambda-Extension-Name", name_}});
    if (answer.status == 200) identifier_ = answer.headers.at("lambda-extension-identifier");
    return answer;
  }
  HttpAnswer next() { return process_.get("/2020-01-01/extension/event/next", named()); }
  HttpAnswer report(const std::string& phase, const std::string& type) {
    auto headers = named();
    headers["Lambda-Extension-Function-Error-Type"] = type;
    return process_.post("/2020-01-01/extension/" + phase + "/error", "{}", headers);
  }

  // To everything, by the Telemetry API. `destination` is the member's JSON.
  HttpAnswer subscribe(const std::string& destination, int timeout_ms = 25) {
    return process_.put(
        "/2022-07-01/telemetry",
        R"({"schemaVersion":"2022-12-13","types":["platform","function","extension"],)"
        R"("buffering":{"maxItems":1000,"maxBytes":262144,"timeoutMs":)" +
            std::to_string(timeout_ms) + R"(},"destination":)" + destination + "}",
        named());
  }

  static std::string field(const HttpAnswer& event, const std::string& name) {
    const auto json = nlohmann::json::parse(event.body);
    return json.contains(name) && json[name].is_string() ? json[name].get<std::string>() : "";
  }
  static bool is_shutdown(const HttpAnswer& event) {
    return field(event, "eventType") == "SHUTDOWN";
  }

 private:
  std::map<std::string, std::string> named() const {
    return {{"Lambda-Extension-Identifier", identifier_}};
  }

  ScriptedProcess& process_;
  const std::string name_;
  std::string identifier_;
};

// A thread of the runtime's process that plays an internal extension. Its calls wait on a
// connection of its own, which breaks when the object goes.
class InternalExtension {
 public:
  InternalExtension(ScriptedProcess& runtime, std::function<void(ScriptedExtension&)> script)
      : beside_({.argv = {"inner"},
                 .environment = {{"AWS_LAMBDA_RUNTIME_API",
                                  runtime.variable("AWS_LAMBDA_RUNTIME_API")}},
                 .output = -1,
                 .launch_number = 0}),
        thread_([this, script = std::move(script)] {
          try {
            ScriptedExtension extension(beside_, "inner");
            script(extension);
          } catch (const Killed&) {
          }
        }) {}
  InternalExtension(const InternalExtension&) = delete;
  InternalExtension& operator=(const InternalExtension&) = delete;
  ~InternalExtension() {
    beside_.kill();
    thread_.join();
  }

 private:
  ScriptedProcess beside_;
  std::thread thread_;
};

// What happened, in order, as the test's programs and the test tell it. Any thread.
class Trace {
 public:
  void add(const std::string& what) {
    {
      const std::lock_guard lock(mutex_);
      entries_.push_back(what);
    }
    changed_.notify_all();
  }
  // Blocks until that has happened.
  void await(const std::string& what) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return index_of(what) >= 0; });
  }
  bool has(const std::string& what) const {
    const std::lock_guard lock(mutex_);
    return index_of(what) >= 0;
  }
  bool in_order(const std::string& first, const std::string& then) const {
    const std::lock_guard lock(mutex_);
    return index_of(first) >= 0 && index_of(first) < index_of(then);
  }
  std::vector<std::string> entries() const {
    const std::lock_guard lock(mutex_);
    return entries_;
  }

 private:
  int index_of(const std::string& what) const {
    for (std::size_t i = 0; i < entries_.size(); ++i) {
      if (entries_[i] == what) return static_cast<int>(i);
    }
    return -1;
  }

  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<std::string> entries_;
};

}  // namespace tests
