#include "emulator/invoke/judgement.h"

#include "emulator/invoke/error_body.h"

#include <utility>
#include <variant>

namespace emulator::invoke {

Judgement judge(InvocationResult result, std::string_view request_id) {
  Judgement judgement;
  judgement.answer.executed_version = std::move(result.executed_version);
  if (auto* responded = std::get_if<environment::Responded>(&result.outcome)) {
    judgement.result = AttemptResult::succeeded;
    judgement.outcome = "Success";
    judgement.answer.function = LastAnswer::Function::succeeded;
    judgement.answer.payload = std::move(responded->body);
  } else {
    judgement.outcome = environment::error_type(result.outcome);
    judgement.answer.function = LastAnswer::Function::failed;
    judgement.answer.payload = error_body(result.outcome, request_id, Profile::aws);
  }
  return judgement;
}

Judgement judge(const Refusal& refusal) {
  Judgement judgement;
  switch (refusal.kind) {
    case Refusal::Kind::concurrency_exceeded:
      judgement.result = AttemptResult::throttled;
      judgement.outcome = "Throttled";
      judgement.answer.status_code = 429;
      return judgement;
    case Refusal::Kind::function_not_found:
    case Refusal::Kind::qualifier_not_found:
      judgement.result = AttemptResult::function_gone;
      judgement.outcome = "FunctionNotFound";
      judgement.answer.status_code = 404;
      return judgement;
    // The function may have been made anew since, and be again.
    case Refusal::Kind::tenant_missing:
    case Refusal::Kind::tenant_unexpected:
    case Refusal::Kind::not_runnable:
    // Another one is published, or the snapshot comes.
    case Refusal::Kind::snapshot_not_ready:
    case Refusal::Kind::snapshot_failed:
    // Or it is published or activated.
    case Refusal::Kind::not_invocable:
    case Refusal::Kind::shutting_down:
    case Refusal::Kind::not_kept:
      break;
  }
  judgement.result = AttemptResult::service_error;
  judgement.outcome = "ServiceError";
  judgement.answer.status_code = 500;
  return judgement;
}

}  // namespace emulator::invoke
