// What the operations of the control plane have in common: which function a caller names, how it is
// called in answers, and moments in the service's notation.
//
// Pure but for reading the registry; any thread.
#pragma once

#include "emulator/control_plane/operation.h"

#include <tl/expected.hpp>

#include <string>
#include <string_view>
#include <vector>

namespace emulator::control_plane {

// A function that exists, as the caller named it.
struct NamedFunction {
  registry::SharedFunction record;
  std::optional<std::string> qualifier;  // of the name or the member Qualifier
};

// Refuses a name that is an ARN of another account or region.
tl::expected<void, ServiceError> check_place(const functions::FunctionReference& reference,
                                             const ServiceWorld& world);

// Reads the members FunctionName and, if there is one, Qualifier. Refuses an unknown function, a
// name of another account or region, and two qualifiers that differ. Does not look whether the
// qualifier exists.
tl::expected<NamedFunction, ServiceError> named_function(const Document& input,
                                                         const ServiceWorld& world);

// The same, and the qualifier names a version or an alias that is there. "$LATEST" when absent.
struct NamedQualifier {
  registry::SharedFunction record;
  std::string qualifier;
  registry::SharedVersion version;  // an alias's main one
};
tl::expected<NamedQualifier, ServiceError> named_qualifier(const Document& input,
                                                           const ServiceWorld& world);

// The versions of a function that come after the one of that number, even if it is gone: $LATEST,
// $LATEST.PUBLISHED, then the oldest. Empty: from the first.
std::vector<registry::SharedVersion> versions_after(const registry::FunctionRecord& function,
                                                    std::string_view number);

// Takes away all that was configured for a version or alias that is gone.
void forget_qualifier(const std::string& qualifier, registry::FunctionRecord& record);

// arn:aws:lambda:REGION:ACCOUNT:function:NAME[:QUALIFIER]
std::string arn_of(const ServiceWorld& world,
                   std::string_view function,
                   std::string_view qualifier = {});

// arn:aws:lambda:REGION:ACCOUNT:KIND:ID, of "event-source-mapping" and the like.
std::string arn_of_kind(const ServiceWorld& world, std::string_view kind, std::string_view id);

// "2026-01-13T08:09:10.123+0000", as in LastModified.
std::string service_time(registry::WallTime time);

// Seconds with three decimals, as members of the type timestamp are sent.
double epoch_seconds(registry::WallTime time);

// How the API shows that a change could not be made.
ServiceError from_registry(const registry::RegistryError& error, std::string_view resource);

// Paging: the entries behind `Marker`, at most MaxItems of them. The marker is opaque to clients;
// it is the last entry's key in base64. Refuses a marker that was never given out.
struct Page {
  std::string after;
  std::size_t limit = 50;
};
tl::expected<Page, ServiceError> page_of(const Document& input);
std::string marker_after(std::string_view key);

}  // namespace emulator::control_plane
