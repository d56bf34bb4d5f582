#include "emulator/invoke/invoker.h"

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
  next.stream = std::move(request.stream);
  return next;
}

std::string_view sentence_of(environment::ThrottleReason reason) {
  switch (reason) {
    case environment::ThrottleReason::reserved_exceeded:
      return "the function's reserved concurrency is used up; raise it, or wait";
    case environment::ThrottleReason::account_exceeded:
      return "every environment that may run at the same time is busy; wait, or raise "
             "--account-concurrency";
    case environment::ThrottleReason::function_rate:
    case environment::ThrottleReason::reserved_rate:
      return "more requests a second than ten for each unit of concurrency; slow down, raise the "
             "concurrency, or lift the rule with --requests-per-concurrency 0";
    case environment::ThrottleReason::no_idle_poll:
      return "every environment of the function serves as many invocations as it may; wait, or "
             "raise its maximum concurrency or its number of environments";
    case environment::ThrottleReason::duplicate_id:
      return "an invocation with this request id is under way; give each one an id of its own";
    case environment::ThrottleReason::shutting_down:
      return "the execution environment is shutting down; nothing more is invoked";
  }
  return {};
}

Refusal refusal_of(const environment::Throttled& throttled) {
  return {.kind = Refusal::Kind::concurrency_exceeded,
          .message = std::string(sentence_of(throttled.reason)),
          .reason = throttled.reason,
          .retry_after = throttled.retry_after};
}

// Source of the first text: recorded. The second is inferred from it; that both are errors, the
// developer guide says.
constexpr std::string_view kTenantMissing =
    "The invoked function is enabled with tenancy configuration. Add a valid tenant ID in your "
    "request and try again.";
constexpr std::string_view kTenantUnexpected =
    "The invoked function is not enabled with tenancy configuration. Remove the tenant ID from "
    "your "
    "request and try again.";

// Published emulators hand a tenant on to every function.
std::optional<Refusal> refusal_of_tenant(const environment::EnvironmentSpec& spec,
                                         const std::optional<std::string>& tenant) {
  const bool isolated = spec.tenant_isolation == environment::TenantIsolation::per_tenant;
  if (isolated == tenant.has_value() || spec.profile == environment::Profile::rie) {
    return std::nullopt;
  }
  return isolated ? Refusal{.kind = Refusal::Kind::tenant_missing,
                            .message = std::string(kTenantMissing)}
                  : Refusal{.kind = Refusal::Kind::tenant_unexpected,
                            .message = std::string(kTenantUnexpected)};
}

tl::expected<Target, Refusal> find_fixed(const std::map<std::string, Target>& targets,
                                         const std::string& function_name,
                                         const std::optional<std::string>& qualifier) {
  const auto found = targets.find(function_name);
  if (found == targets.end()) {
    std::string known;
    for (const auto& [name, _] : targets) known += (known.empty() ? "" : ", ") + name;
    return tl::unexpected(Refusal{.kind = Refusal::Kind::function_not_found,
                                  .message = "there is no function " + function_name +
                                             "; there is " + (known.empty() ? "none" : known)});
  }
  if (qualifier && *qualifier != kLatest) {
    return tl::unexpected(Refusal{.kind = Refusal::Kind::qualifier_not_found,
                                  .message = "function " + function_name +
                                             " has no version or alias " + *qualifier +
                                             "; use $LATEST"});
  }
  return found->second;
}

}  // namespace

FindTarget fixed_targets(std::map<std::string, Target> targets) {
  return [targets = std::move(targets)](const std::string& name,
                                        const std::optional<std::string>& qualifier) {
    return find_fixed(targets, name, qualifier);
  };
}

tl::expected<Target, Refusal> Invoker::find(const InvocationRequest& request) const {
  auto target = find_(request.function_name, request.qualifier);
  if (!target) return target;
  auto refusal = refusal_of_tenant(*target->candidates.on_demand, request.tenant_id);
  if (refusal) return tl::unexpected(std::move(*refusal));
  return target;
}

tl::expected<void, Refusal> Invoker::resolve(const InvocationRequest& request) const {
  return find(request).map([](const Target&) {});
}

tl::expected<std::string, Refusal> Invoker::begin_event(const InvocationRequest& request) const {
  const auto target = find(request);
  if (!target) return tl::unexpected(target.error());
  if (!tracer_) return request.trace_id.value_or("");
  const auto& spec = *target->candidates.on_demand;
  return text_of(tracer_->decide(request.trace_id, spec.function_name, spec.tracing));
}

tl::expected<InvocationResult, Refusal> Invoker::invoke(InvocationRequest request) {
  const auto target = find(request);
  if (!target) return tl::unexpected(target.error());
  environment::ServingTerms terms{.release_at = request.release_at,
                                  .kind = request.kind,
                                  .attempt = request.attempt,
                                  .tenant_id = request.tenant_id.value_or("")};
  if (tracer_) {
    const auto& spec = *target->candidates.on_demand;
    auto begun = tracer_->begin(request.trace_id, spec.function_name, spec.tracing);
    terms.trace = std::move(begun.context);
    request.trace_id = std::move(begun.header);
  }
  auto trace_header = request.trace_id.value_or("");
  if (request.version_chosen) request.version_chosen(target->candidates.on_demand->version);
  auto served = pool_.serve(target->candidates, next_invocation(request, *target), terms);
  if (!served) return tl::unexpected(refusal_of(served.error()));
  InvocationResult result;
  result.outcome = std::move(served->outcome);
  result.executed_version = target->candidates.on_demand->version;
  result.log_tail = std::move(served->log_tail);
  result.report = std::move(served->report);
  result.trace_header = std::move(trace_header);
  return result;
}

}  // namespace emulator::invoke
