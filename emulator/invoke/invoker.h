// The one door to running a function: finds the version that a caller names, and runs the
// invocation in one of its environments, on the caller's thread.
#pragma once

#include "emulator/environment/pool.h"
#include "emulator/invoke/invocation.h"

#include <tl/expected.hpp>

#include <functional>
#include <map>
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
  // `new_trace_id` makes the X-Ray header of a call that carries none; when it is empty, such a
  // call stays without one.
  Invoker(environment::Pool& pool, FindTarget find, std::function<std::string()> new_trace_id)
      : pool_(pool), find_(std::move(find)), new_trace_id_(std::move(new_trace_id)) {}
  Invoker(const Invoker&) = delete;
  Invoker& operator=(const Invoker&) = delete;
  ~Invoker() = default;

  // See invoke::Invoke.
  tl::expected<InvocationResult, Refusal> invoke(InvocationRequest request);

  // See invoke::Resolve.
  tl::expected<void, Refusal> resolve(const InvocationRequest& request) const;

 private:
  tl::expected<Target, Refusal> find(const InvocationRequest& request) const;

  environment::Pool& pool_;
  const FindTarget find_;
  const std::function<std::string()> new_trace_id_;
};

}  // namespace emulator::invoke
