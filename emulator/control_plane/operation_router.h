// The operations of the control plane behind one door: finds the one that a request names, reads
// its input by the service model, runs it, and gives its answer the model's shape.
#pragma once

#include "emulator/control_plane/operation.h"
#include "emulator/control_plane/service_model.h"
#include "emulator/front_doors/http_message.h"

#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace emulator::control_plane {

// Body of an operation that brings a package along: 50 MB in base64 and its JSON around it.
// Source: REC, the number that the service's refusal names.
inline constexpr std::size_t kMaxPackageRequestBytes = 70'167'211;

// Body of every other operation. Ours: the limit that the service has for an invocation.
inline constexpr std::size_t kMaxOperationRequestBytes = 6'291'456;

// How often an operation is run again when another one changed the same function meanwhile. Our
// choice: each time somebody else has got on, so that even a crowd comes through.
inline constexpr int kMostReruns = 32;

// All operations that Hearth has, a table for each subject.
std::vector<std::span<const Operation>> all_operations();

// Any thread, several at a time.
class OperationRouter {
 public:
  // `world` must outlive it.
  OperationRouter(ServiceWorld& world, std::span<const std::span<const Operation>> tables)
      : world_(world), tables_(tables.begin(), tables.end()) {}

  // Whether a request is one of these operations. Its body does not matter.
  bool handles(const front_doors::Request& head) const;

  // How many bytes the body of such a request may have.
  std::size_t body_limit(const front_doors::Request& head) const;

  front_doors::Reply answer(front_doors::Request request) const;

  // The answer to a body that is larger than its limit.
  front_doors::Reply refuse_too_large(const front_doors::Request& head) const;

  // Operations that the service has and Hearth has not, by name. Invoke's own are not among them.
  std::vector<std::string> missing_operations() const;

 private:
  const Operation* find(std::string_view name) const;
  Answer run(const Operation& operation, const Document& input) const;
  std::optional<OperationMatch> match(const front_doors::Request& head) const;

  ServiceWorld& world_;
  std::vector<std::span<const Operation>> tables_;
};

}  // namespace emulator::control_plane
