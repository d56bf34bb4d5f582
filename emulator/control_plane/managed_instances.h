// What the Lambda API says of functions on Managed Instances: which functions can be, and what they
// have where the caller says nothing.
//
// Sources: developer guide, "Lambda Managed Instances" and its pages on runtimes and scaling; what
// is of elsewhere says so.
//
// Pure but for reading the registry; any thread.
#pragma once

#include "emulator/control_plane/operation.h"

#include <tl/expected.hpp>

#include <optional>
#include <string>
#include <string_view>

namespace emulator::control_plane {

// The state of a $LATEST that is never invoked. Source: service model, State; that it is the one of
// these, a published emulator.
inline constexpr const char* kNotInvocable = "ActiveNonInvocable";

// Whether a function's environments are those of Managed Instances.
bool is_managed(const Document& configuration);

// The ARN of its capacity provider; empty: it is on demand.
std::string capacity_provider_of(const Document& configuration);

// Takes over CapacityProviderConfig, and what follows from it for a new function: a log in JSON,
// the least memory, no invocation of $LATEST. The runtime is taken over before. Refuses it for a
// function that was made without it, and a provider that does not exist.
tl::expected<void, ServiceError> apply_managed_instances(const Document& input,
                                                         const ServiceWorld& world,
                                                         Document& configuration);

// What goes together with it, and what does not. On the whole configuration, because an update may
// add the one to the other.
tl::expected<void, ServiceError> check_managed_instances(const Document& configuration);

// The refusal of what Managed Instances have not.
ServiceError not_on_managed_instances(std::string_view feature);

// The configuration of such a function's version, with the state Deactivated where it may have no
// environment.
Document with_scaling_state(Document configuration,
                            const registry::FunctionVersion& version,
                            const ServiceWorld& world);

// How many environments a version has by what is said of it; what is left out is as is usual. An
// error is a sentence.
tl::expected<registry::ScalingConfig, std::string> scaling_config(std::optional<int> least,
                                                                  std::optional<int> most);

// Whether PublishTo may be said of such a function.
tl::expected<void, ServiceError> check_publish_to(const Document& input,
                                                  const Document& configuration);

}  // namespace emulator::control_plane
