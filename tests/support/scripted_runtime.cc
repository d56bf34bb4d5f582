#include "tests/support/scripted_runtime.h"

#include "emulator/sandbox/inside_socket.h"
#include "emulator/sandbox/unique_fd.h"

#include <httplib.h>

#include <fcntl.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <condition_variable>
#include <thread>

namespace tests {

namespace sandbox = emulator::sandbox;

struct ScriptedProcess::Connection {
  explicit Connection(const std::string& address) : client("http://" + address) {
    client.set_keep_alive(true);
    client.set_tcp_nodelay(true);
    client.set_read_timeout(600);
  }
  httplib::Client client;
  std::mutex mutex;
  std::condition_variable changed;
  int ending_signal = 0;  // 0: none has come
  bool minds_termination = false;
  bool terminated = false;
};

ScriptedProcess::ScriptedProcess(ScriptedStart start)
    : start_(std::move(start)),
      connection_(std::make_unique<Connection>(start_.environment.at("AWS_LAMBDA_RUNTIME_API"))) {}

ScriptedProcess::~ScriptedProcess() = default;

namespace {

HttpAnswer answer_of(const httplib::Result& result) {
  HttpAnswer answer;
  answer.status = result->status;
  answer.body = result->body;
  for (const auto& [name, value] : result->headers) {
    std::string lower = name;
    std::transform(lower.begin(), lower.end(), lower.begin(), [](unsigned char c) {
      return static_cast<char>(std::tolower(c));
    });
    answer.headers[lower] = value;
  }
  return answer;
}

}  // namespace

HttpAnswer ScriptedProcess::get(const std::string& path,
                                const std::map<std::string, std::string>& headers) {
  const auto result =
      connection_->client.Get(path, httplib::Headers(headers.begin(), headers.end()));
  const std::lock_guard lock(connection_->mutex);
  if (connection_->ending_signal != 0 || !result) throw Killed{};
  return answer_of(result);
}

HttpAnswer ScriptedProcess::post(const std::string& path,
                                 const std::string& body,
                                 const std::map<std::string, std::string>& headers) {
  httplib::Headers sent;
  std::string type = "application/json";
  for (const auto& [name, value] : headers) {
    if (name == "Content-Type") {
      type = value;
    } else {
      sent.emplace(name, value);
    }
  }
  const auto result = connection_->client.Post(path, sent, body, type);
  const std::lock_guard lock(connection_->mutex);
  if (connection_->ending_signal != 0 || !result) throw Killed{};
  return answer_of(result);
}

HttpAnswer ScriptedProcess::put(const std::string& path,
                                const std::string& body,
                                const std::map<std::string, std::string>& headers) {
  const httplib::Headers sent(headers.begin(), headers.end());
  const auto result = connection_->client.Put(path, sent, body, "application/json");
  const std::lock_guard lock(connection_->mutex);
  if (connection_->ending_signal != 0 || !result) throw Killed{};
  return answer_of(result);
}

void ScriptedProcess::serve(const std::function<std::string(const HttpAnswer& next)>& answer) {
  while (true) {
    const auto event = next();
    if (event.status != 200) throw Killed{};
    respond(id_of(event), answer(event));
  }
}

void ScriptedProcess::print(const std::string& text) const {
  [[maybe_unused]] const auto written = ::write(start_.output, text.data(), text.size());
}

void ScriptedProcess::hang() {
  std::unique_lock lock(connection_->mutex);
  connection_->changed.wait(lock, [this] { return connection_->ending_signal != 0; });
  throw Killed{};
}

void ScriptedProcess::mind_termination() {
  const std::lock_guard lock(connection_->mutex);
  connection_->minds_termination = true;
}

void ScriptedProcess::await_termination() {
  std::unique_lock lock(connection_->mutex);
  connection_->changed.wait(
      lock, [this] { return connection_->terminated || connection_->ending_signal != 0; });
  if (connection_->ending_signal != 0) throw Killed{};
}

bool ScriptedProcess::terminated() const {
  const std::lock_guard lock(connection_->mutex);
  return connection_->terminated;
}

int ScriptedProcess::ending_signal() const {
  const std::lock_guard lock(connection_->mutex);
  // A connection that broke for another reason ends a script as if it had been killed.
  return connection_->ending_signal != 0 ? connection_->ending_signal : SIGKILL;
}

void ScriptedProcess::end_by(int signal) {
  {
    const std::lock_guard lock(connection_->mutex);
    if (connection_->ending_signal == 0) connection_->ending_signal = signal;
  }
  connection_->changed.notify_all();
  connection_->client.stop();
}

void ScriptedProcess::kill() { end_by(SIGKILL); }

void ScriptedProcess::terminate() {
  {
    const std::lock_guard lock(connection_->mutex);
    connection_->terminated = true;
    if (connection_->minds_termination) {
      connection_->changed.notify_all();
      return;
    }
  }
  end_by(SIGTERM);
}

namespace {

class ScriptedProgram final : public sandbox::Process {
 public:
  ScriptedProgram(const Script& script,
                  ScriptedStart start,
                  ScriptedLauncher::Machine& machine,
                  ScriptedProcesses& living,
                  ScriptedProcesses& beside)
      : machine_(machine),
        living_(living),
        beside_(beside),
        pid_(start.launch_number),
        exit_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
    int ends[2];
    if (::pipe2(ends, O_CLOEXEC) != 0) throw std::runtime_error("pipe2");
    reading_.reset(ends[0]);
    writing_.reset(ends[1]);
    ::fcntl(reading_.get(), F_SETFL, O_NONBLOCK);
    start.output = writing_.get();
    process_ = std::make_unique<ScriptedProcess>(std::move(start));
    living_.add(*process_);
    beside_.add(*process_);
    thread_ = std::thread([this, script] { run(script); });
  }
  ScriptedProgram(const ScriptedProgram&) = delete;
  ScriptedProgram& operator=(const ScriptedProgram&) = delete;
  ~ScriptedProgram() override {
    process_->kill();
    thread_.join();
    beside_.remove(*process_);
    living_.remove(*process_);
  }

  pid_t pid() const override { return pid_; }
  int output_descriptor() const override { return reading_.get(); }
  int exit_descriptor() const override { return exit_.get(); }
  std::optional<sandbox::Exit> exited() override {
    const std::lock_guard lock(mutex_);
    return end_;
  }
  std::optional<int> take_listening_socket() override { return std::nullopt; }
  void terminate() noexcept override {
    ++machine_.terminations;
    process_->terminate();
  }
  void end() noexcept override {
    ++machine_.ends;
    process_->kill();
  }
  void kill() noexcept override {
    ++machine_.kills;
    beside_.kill_all();
  }

 private:
  void run(const Script& script) {
    sandbox::Exit end;
    try {
      const auto wanted = script(*process_);
      end = {.code = wanted.code, .signal = wanted.signal};
    } catch (const Killed&) {
      end = {.code = {}, .signal = process_->ending_signal()};
    }
    {
      const std::lock_guard lock(mutex_);
      end_ = end;
    }
    const std::uint64_t one = 1;
    [[maybe_unused]] const auto written = ::write(exit_.get(), &one, sizeof(one));
  }

  ScriptedLauncher::Machine& machine_;
  ScriptedProcesses& living_;  // of all sandboxes
  ScriptedProcesses& beside_;  // of this one
  const pid_t pid_;
  sandbox::UniqueFd exit_;
  sandbox::UniqueFd reading_;
  sandbox::UniqueFd writing_;
  std::unique_ptr<ScriptedProcess> process_;
  std::mutex mutex_;
  std::optional<sandbox::Exit> end_;
  std::thread thread_;
};

class ScriptedSandbox final : public sandbox::Sandbox {
 public:
  explicit ScriptedSandbox(ScriptedLauncher& launcher) : launcher_(launcher) {}

  tl::expected<std::unique_ptr<sandbox::Process>, sandbox::SandboxError> start(
      const sandbox::StartRequest& request) override {
    return launcher_.start(request, processes_);
  }
  bool has_own_network() const override { return false; }
  bool owns_connection(std::uint16_t, std::uint16_t) override { return true; }
  tl::expected<int, sandbox::SandboxError> connect_inside(std::uint16_t port) override {
    return sandbox::open_socket(sandbox::SocketKind::stream)
        .and_then([&](sandbox::UniqueFd socket) {
          return sandbox::connect_to_loopback(std::move(socket), port);
        })
        .map([](sandbox::UniqueFd socket) { return socket.release(); });
  }
  tl::expected<int, sandbox::SandboxError> bind_datagram_inside(std::uint16_t port) override {
    return sandbox::open_socket(sandbox::SocketKind::datagram)
        .and_then([&](sandbox::UniqueFd socket) {
          return sandbox::bind_to(std::move(socket), sandbox::kLoopbackAddress, port);
        })
        .map([](sandbox::UniqueFd socket) { return socket.release(); });
  }
  void set_cpu_quota(std::optional<std::chrono::microseconds> quota) override {
    launcher_.machine().cpu_quota_us = quota ? quota->count() : -1;
  }
  bool freeze() override {
    ++launcher_.machine().freezes;
    launcher_.machine().frozen = true;
    return true;
  }
  void thaw() override {
    ++launcher_.machine().thaws;
    launcher_.machine().frozen = false;
  }
  sandbox::Usage usage() override {
    return {.memory_bytes = 10 << 20,
            .peak_memory_bytes = 20 << 20,
            .memory_exceeded = launcher_.machine().memory_exceeded,
            .throttled = std::chrono::milliseconds{launcher_.machine().throttled_ms}};
  }

 private:
  ScriptedLauncher& launcher_;
  ScriptedProcesses processes_;
};

}  // namespace

tl::expected<std::unique_ptr<sandbox::Sandbox>, sandbox::SandboxError> ScriptedLauncher::make(
    const sandbox::SandboxRequest&) {
  ++machine_.sandboxes;
  return std::make_unique<ScriptedSandbox>(*this);
}

tl::expected<std::unique_ptr<sandbox::Process>, sandbox::SandboxError> ScriptedLauncher::start(
    const sandbox::StartRequest& request, ScriptedProcesses& beside) {
  const auto& argv = request.program.argv;
  {
    const std::lock_guard lock(mutex_);
    if (refusal_) return tl::unexpected(*refusal_);
    if (const auto refused = refused_programs_.find(argv.front());
        refused != refused_programs_.end()) {
      return tl::unexpected(refused->second);
    }
    programs_.push_back(argv.front());
  }
  std::map<std::string, std::string> environment;
  for (const auto& entry : request.program.environment) {
    const auto equals = entry.find('=');
    // Of a name that stands twice the first counts, as in getenv().
    environment.emplace(entry.substr(0, equals), entry.substr(equals + 1));
  }
  ScriptedStart start{.argv = argv,
                      .environment = std::move(environment),
                      .output = -1,
                      .launch_number = ++launches_};
  return std::make_unique<ScriptedProgram>(script_, std::move(start), machine_, processes_, beside);
}

std::vector<std::string> ScriptedLauncher::programs() const {
  const std::lock_guard lock(mutex_);
  return programs_;
}

void ScriptedLauncher::kill_newest() { processes_.kill_newest(); }

void ScriptedLauncher::kill_any(std::size_t number) { processes_.kill_any(number); }

void ScriptedProcesses::add(ScriptedProcess& process) {
  const std::lock_guard lock(mutex_);
  processes_.push_back(&process);
}

void ScriptedProcesses::remove(ScriptedProcess& process) {
  const std::lock_guard lock(mutex_);
  processes_.erase(std::find(processes_.begin(), processes_.end(), &process));
}

void ScriptedProcesses::kill_newest() {
  const std::lock_guard lock(mutex_);
  if (!processes_.empty()) processes_.back()->kill();
}

void ScriptedProcesses::kill_any(std::size_t number) {
  const std::lock_guard lock(mutex_);
  if (!processes_.empty()) processes_[number % processes_.size()]->kill();
}

void ScriptedProcesses::kill_all() {
  const std::lock_guard lock(mutex_);
  for (auto* process : processes_) process->kill();
}

int ScriptedProcesses::count() const {
  const std::lock_guard lock(mutex_);
  return static_cast<int>(processes_.size());
}

void ScriptedLauncher::refuse(sandbox::SandboxError error) {
  const std::lock_guard lock(mutex_);
  refusal_ = std::move(error);
}

void ScriptedLauncher::refuse(const std::string& program, sandbox::SandboxError error) {
  const std::lock_guard lock(mutex_);
  refused_programs_.insert_or_assign(program, std::move(error));
}

}  // namespace tests
