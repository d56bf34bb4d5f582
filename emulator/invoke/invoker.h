// The one door to running a function: finds the version that a caller names, and runs the
// invocation in one of its environments, on the caller's thread.
#pragma once

#include "emulator/environment/pool.h"
#include "emulator/invoke/invocation.h"
#include "emulator/invoke/tracer.h"

#include <tl/expected.hpp>

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>

namespace emulator::invoke {

// What is run when a function is named.
struct Target {
  environment::Pool::Candidates candidates;
  std::string arn;  // without a qualifier
};

// Asked for each invocation; any thread. An alias that splits between versions may answer another
// one each time.
using FindTarget = std::function<tl::expected<Target, Refusal>(
    const std::string& function_name, const std::optional<std::string>& qualifier)>;

// Functions that stay what they are; each has $LATEST only.
FindTarget fixed_targets(std::map<std::string, Target> targets);

// Any thread.
class Invoker {
 public:
  // Without a tracer the trace header of a caller is handed on as it came, and a call without one
  // stays without one.
  Invoker(environment::Pool& pool, FindTarget find, std::unique_ptr<Tracer> tracer)
      : pool_(pool), find_(std::move(find)), tracer_(std::move(tracer)) {}
  Invoker(const Invoker&) = delete;
  Invoker& operator=(const Invoker&) = delete;
  ~Invoker() = default;

  // See invoke::Invoke.
  tl::expected<InvocationResult, Refusal> invoke(InvocationRequest request);

  // See invoke::Resolve.
  tl::expected<void, Refusal> resolve(const InvocationRequest& request) const;

  // The same for an event that is about to be accepted, and the trace header that its attempts are
  // to continue: to be put in the place of the caller's. Empty: there is none.
  tl::expected<std::string, Refusal> begin_event(const InvocationRequest& request) const;

 private:
  tl::expected<Target, Refusal> find(const InvocationRequest& request) const;

  environment::Pool& pool_;
  const FindTarget find_;
  const std::unique_ptr<Tracer> tracer_;  // null: traces are the caller's affair
};

}  // namespace emulator::invoke
