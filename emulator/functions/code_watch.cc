#include "emulator/functions/code_watch.h"

#include "emulator/functions/folder_watches.h"

#include <poll.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <array>
#include <cstdint>
#include <map>
#include <utility>

namespace emulator::functions {

class CodeWatch::Watching {
 public:
  Watching(Changed changed, Incomplete incomplete)
      : changed_(std::move(changed)), incomplete_(std::move(incomplete)) {}

  int descriptor() const { return watches_.descriptor(); }

  Done serve(Act act, const std::string& folder) {
    const auto known = counts_.find(folder);
    if (act == Act::watch) {
      if (known == counts_.end()) {
        if (auto done = watches_.add(folder); !done) return done;
      }
      ++counts_[folder];
    } else if (known != counts_.end() && --known->second == 0) {
      counts_.erase(known);
      watches_.remove(folder);
    }
    return {};
  }

  void tell_changes() {
    const auto changes = watches_.read_changes();
    for (const auto& [folder, error] : changes.incomplete) {
      if (incomplete_) incomplete_(error);
    }
    for (const auto& folder : changes.changed) {
      // One of the calls before may have forgotten it.
      if (counts_.contains(folder)) changed_(folder);
    }
  }

 private:
  const Changed changed_;
  const Incomplete incomplete_;
  FolderWatches watches_;
  std::map<std::string, int> counts_;
};

CodeWatch::CodeWatch(Changed changed, Incomplete incomplete)
    : watching_(std::make_unique<Watching>(std::move(changed), std::move(incomplete))),
      wake_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
  if (wake_ >= 0) thread_ = std::thread([this] { run(); });
}

CodeWatch::~CodeWatch() {
  if (wake_ < 0) return;
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  ::eventfd_write(wake_, 1);
  thread_.join();
  ::close(wake_);
}

tl::expected<void, CodePackageError> CodeWatch::watch(const std::filesystem::path& folder) {
  return ask(Act::watch, folder);
}

void CodeWatch::forget(const std::filesystem::path& folder) {
  [[maybe_unused]] const auto done = ask(Act::forget, folder);
}

CodeWatch::Done CodeWatch::ask(Act act, const std::filesystem::path& folder) {
  if (wake_ < 0) {
    return tl::unexpected(
        CodePackageError{CodePackageError::Kind::host,
                         "cannot watch " + folder.string() +
                             " for changes: no descriptor was left; raise the limit (ulimit -n)"});
  }
  if (std::this_thread::get_id() == thread_.get_id()) return watching_->serve(act, folder);
  Request request{act, folder.string()};
  std::unique_lock lock(mutex_);
  requests_.push_back(&request);
  ::eventfd_write(wake_, 1);
  served_.wait(lock, [&] { return request.finished; });
  return std::move(request.result);
}

void CodeWatch::run() {
  // Signals are for Hearth's own threads.
  sigset_t all;
  ::sigfillset(&all);
  ::pthread_sigmask(SIG_SETMASK, &all, nullptr);
  std::array<pollfd, 2> waiting{{{watching_->descriptor(), POLLIN, 0}, {wake_, POLLIN, 0}}};
  while (true) {
    // Whatever it says: neither of the two that follow waits for anything.
    ::poll(waiting.data(), waiting.size(), -1);
    watching_->tell_changes();
    if (!serve_requests()) return;
  }
}

bool CodeWatch::serve_requests() {
  std::vector<Request*> requests;
  {
    const std::lock_guard lock(mutex_);
    if (stopping_) return false;
    std::uint64_t count = 0;
    ::eventfd_read(wake_, &count);
    requests.swap(requests_);
  }
  for (auto* const request : requests)
    request->result = watching_->serve(request->act, request->folder);
  const std::lock_guard lock(mutex_);
  for (auto* const request : requests) request->finished = true;
  served_.notify_all();
  return true;
}

}  // namespace emulator::functions
