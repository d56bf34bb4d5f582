#include "emulator/invoke/invoker.h"

#include <system_error>
#include <utility>

namespace emulator::invoke {
namespace {

constexpr std::string_view kLatest = "$LATEST";

runtime_api::NextInvocation next_invocation(InvocationRequest& request, const Target& target) {
  runtime_api::NextInvocation next;
  next.request_id = request.request_id;
  next.function_arn = target.arn;
  // The ARN ends with a qualifier only if the caller used one, $LATEST included.
  if (request.qualifier) next.function_arn += ":" + *request.qualifier;
  next.payload = std::move(request.payload);
  next.client_context = std::move(request.client_context);
  next.cognito_identity = std::move(request.cognito_identity);
  next.trace_id = std::move(request.trace_id);
  next.tenant_id = std::move(request.tenant_id);
  return next;
}

}  // namespace

Invoker::Invoker(environment::Pool& pool,
                 std::map<std::string, Target> targets,
                 std::function<std::string()> new_trace_id)
    : pool_(pool), targets_(std::move(targets)), new_trace_id_(std::move(new_trace_id)) {}

Invoker::~Invoker() { stop(); }

tl::expected<const Target*, Refusal> Invoker::find(
    const std::string& function_name, const std::optional<std::string>& qualifier) const {
  const auto found = targets_.find(function_name);
  if (found == targets_.end()) {
    std::string known;
    for (const auto& [name, _] : targets_) known += (known.empty() ? "" : ", ") + name;
    return tl::unexpected(Refusal{Refusal::Kind::function_not_found,
                                  "there is no function " + function_name + "; there is " +
                                      (known.empty() ? "none" : known)});
  }
  if (qualifier && *qualifier != kLatest) {
    return tl::unexpected(Refusal{
        Refusal::Kind::qualifier_not_found,
        "function " + function_name + " has no version or alias " + *qualifier + "; use $LATEST"});
  }
  return &found->second;
}

tl::expected<void, Refusal> Invoker::resolve(const std::string& function_name,
                                             const std::optional<std::string>& qualifier) const {
  return find(function_name, qualifier).map([](const Target*) {});
}

tl::expected<InvocationResult, Refusal> Invoker::invoke(InvocationRequest request) {
  const auto target = find(request.function_name, request.qualifier);
  if (!target) return tl::unexpected(target.error());
  if (!request.trace_id && new_trace_id_) request.trace_id = new_trace_id_();
  const environment::ServingTerms terms{.release_at = request.release_at, .kind = request.kind};
  auto served = pool_.serve((*target)->spec, next_invocation(request, **target), terms);
  if (!served) {
    return tl::unexpected(Refusal{Refusal::Kind::concurrency_exceeded,
                                  "every environment that may run at the same time is busy; wait, "
                                  "or raise --max-concurrency"});
  }
  InvocationResult result;
  result.outcome = std::move(served->outcome);
  result.executed_version = (*target)->spec->version;
  result.log_tail = std::move(served->log_tail);
  result.report = std::move(served->report);
  return result;
}

tl::expected<void, Refusal> Invoker::invoke_async(InvocationRequest request) {
  if (auto known = resolve(request.function_name, request.qualifier); !known) return known;
  request.kind = environment::InvocationKind::event;
  const std::lock_guard lock(mutex_);
  if (stopped_) {
    return tl::unexpected(Refusal{Refusal::Kind::shutting_down, "Hearth is stopping"});
  }
  if (events_.size() >= kMaxQueuedEvents) {
    return tl::unexpected(Refusal{Refusal::Kind::concurrency_exceeded,
                                  "the queue of asynchronous events is full; wait until some "
                                  "have run"});
  }
  events_.push_back(std::move(request));
  if (events_.size() > idle_event_threads_ && event_threads_.size() < kMaxEventThreads) {
    try {
      event_threads_.emplace_back([this] { serve_events(); });
    } catch (const std::system_error&) {
      // The threads that there are will come to it.
      if (event_threads_.empty()) {
        events_.pop_back();
        return tl::unexpected(Refusal{Refusal::Kind::concurrency_exceeded,
                                      "the host allows no thread to run the event; raise its "
                                      "limit of processes"});
      }
    }
  }
  arrived_.notify_one();
  return {};
}

void Invoker::serve_events() {
  std::unique_lock lock(mutex_);
  while (true) {
    ++idle_event_threads_;
    arrived_.wait(lock, [this] { return stopped_ || !events_.empty(); });
    --idle_event_threads_;
    if (stopped_) return;
    auto event = std::move(events_.front());
    events_.pop_front();
    lock.unlock();
    // What became of it is in the log and in the history; nobody waits for it.
    invoke(std::move(event));
    lock.lock();
  }
}

std::size_t Invoker::close() {
  std::size_t left = 0;
  {
    const std::lock_guard lock(mutex_);
    stopped_ = true;
    left = events_.size();
    events_.clear();
  }
  arrived_.notify_all();
  return left;
}

void Invoker::stop() {
  close();
  std::vector<std::thread> threads;
  {
    const std::lock_guard lock(mutex_);
    threads.swap(event_threads_);
  }
  for (auto& thread : threads) thread.join();
}

}  // namespace emulator::invoke
