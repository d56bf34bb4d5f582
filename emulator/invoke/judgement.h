// What an attempt came to, by the rules of asynchronous events. Used by the queue only.
//
// Pure; any thread.
#pragma once

#include "emulator/invoke/destinations.h"
#include "emulator/invoke/invocation.h"
#include "emulator/invoke/retry_schedule.h"

#include <string>
#include <string_view>

namespace emulator::invoke {

struct Judgement {
  AttemptResult result = AttemptResult::failed;
  std::string outcome;  // as AttemptStatus names it
  LastAnswer answer;    // what a record says of it
};

Judgement judge(InvocationResult result, std::string_view request_id);

// Status codes are those that the Invoke API gives for the same refusal. Source: service model.
Judgement judge(const Refusal& refusal);

}  // namespace emulator::invoke
