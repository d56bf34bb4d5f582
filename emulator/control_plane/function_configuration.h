// The configuration of a function as the Lambda API shows it (the model's FunctionConfiguration),
// and what a caller may change of it.
//
// Sources: the public service model for members and defaults; responses recorded from the service
// for which members are there and for the texts of what is refused.
//
// Pure but for reading the registry; any thread.
#pragma once

#include "emulator/control_plane/operation.h"

#include <tl/expected.hpp>

#include <cstdint>
#include <string>
#include <string_view>

namespace emulator::control_plane {

// What a new function has where the caller says nothing. `name` is the bare name.
Document default_configuration(std::string_view name, const ServiceWorld& world);

// Takes over the members of CreateFunction's or UpdateFunctionConfiguration's input. An empty
// DeadLetterConfig or list of layers clears what was there.
tl::expected<void, ServiceError> apply_configuration(const Document& input,
                                                     const ServiceWorld& world,
                                                     Document& configuration);

// Whether each tenant of it has environments of its own.
bool isolates_tenants(const Document& configuration);

// That `feature` is not to be had together with tenant isolation. Source of the rule: developer
// guide, "Tenant isolation"; the text is ours.
ServiceError not_with_tenants(std::string_view feature);

// New LastModified and RevisionId.
void touch(const ServiceWorld& world, Document& configuration);

// "The RevisionId provided does not match …", if the input has one and it is another.
tl::expected<void, ServiceError> check_revision(const Document& input,
                                                const Document& configuration);

// The text that a version keeps, as members.
Document configuration_of(const registry::FunctionVersion& version);

// The same as answers show it: with the state that its snapshot or its scaling gives a version.
Document shown_configuration(const registry::FunctionVersion& version, const ServiceWorld& world);

// The same as lists show it, without the version's state. Source: recorded.
Document listed_configuration(const registry::FunctionVersion& version);

// The same where versions are told apart, so that $LATEST has its qualifier. Source: recorded.
Document listed_version(const registry::FunctionVersion& version, const ServiceWorld& world);

// How an answer shows a version that is being made or changed. The service finishes that a moment
// later, and the version's RevisionId changes once more (recorded); Hearth has finished already, so
// what it answers has a RevisionId of the past.
Document shown_as_pending(Document configuration, const ServiceWorld& world);
Document shown_as_updating(Document configuration, const ServiceWorld& world);

}  // namespace emulator::control_plane
