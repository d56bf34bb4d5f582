// Threads that are started as there is work, up to a limit, and do it piece by piece.
//
// What the pieces are, and in which order they are done, is the owner's matter: it keeps them under
// its own lock, offers as many as there are, and each offer has a thread call `do_next` once.
#pragma once

#include <condition_variable>
#include <cstddef>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

namespace emulator::invoke {

// Any thread, but that stop() and destruction are not for one of these threads.
class WorkerThreads {
 public:
  // Takes the next piece of work, and does it. Finds none only if the owner has dropped what it
  // offered. Called by up to `most` threads at once, with no lock held; may block, must not throw.
  using DoNext = std::function<void()>;

  WorkerThreads(std::size_t most, DoNext do_next);
  WorkerThreads(const WorkerThreads&) = delete;
  WorkerThreads& operator=(const WorkerThreads&) = delete;
  ~WorkerThreads();  // stops

  // Begins with what was offered before.
  void start();

  // There are `pieces` more that can be taken. A thread is started for what no idle one takes; if
  // this host has no thread left, those that there are come to it, or the next offer tries again.
  // After close() nothing happens.
  void offer(std::size_t pieces);

  // Calls `do_next` no more; calls that are under way go on.
  void close();

  // Closes, and waits for the calls under way.
  void stop();

 private:
  void add_threads();
  void serve();

  const std::size_t most_;
  const DoNext do_next_;

  std::mutex mutex_;  // guards what follows
  std::condition_variable changed_;
  std::vector<std::thread> threads_;
  std::size_t offered_ = 0;  // and not yet taken
  std::size_t busy_ = 0;
  bool started_ = false;
  bool closed_ = false;
};

}  // namespace emulator::invoke
