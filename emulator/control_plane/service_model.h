// The Lambda API as the public service model describes it: which request is which operation, where
// the members of its input stand, what values they may have, and what its answer looks like.
//
// Source of everything here: MODEL, extracted into lambda_model.json. It is read at the first use,
// not when the program starts; Invoke has routes of its own (invoke_api.h) and never comes here.
//
// Pure; any thread.
#pragma once

#include "emulator/control_plane/operation.h"
#include "emulator/front_doors/http_message.h"

#include <tl/expected.hpp>

#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace emulator::control_plane {

// Values in one body: members, entries of lists and of maps. Ours: many times what the largest
// request that makes sense has, few enough that a hostile one costs milliseconds.
inline constexpr std::size_t kMaxBodyValues = 10'000;

struct ModelShape;  // model_shape.h

struct ModelError {
  std::string name;  // "ResourceNotFoundException"
  int status = 400;
};

struct ModelOperation {
  std::string name;  // "CreateFunction"
  std::string method;
  std::string path;  // "/2018-10-31/layers/{LayerName}/versions", with a fixed query if it has one
  int status = 200;
  std::vector<ModelError> errors;
  const ModelShape* input = nullptr;   // nullptr: it has none
  const ModelShape* output = nullptr;  // nullptr: it has none
};

// All of them by name; they stay for good.
std::span<const ModelOperation> model_operations();

// nullptr: the model has no such operation.
const ModelOperation* find_operation(std::string_view name);

// Which operation a request is, and what its path says.
struct OperationMatch {
  const ModelOperation* operation = nullptr;
  std::vector<std::pair<std::string, std::string>> path_members;  // member → decoded text
  std::string_view query;  // of the target that was matched, encoded
};

// nullopt: no operation of the service has this method and path. Text that is not
// percent-encoding is taken as it is, so that it is refused as the member's value.
std::optional<OperationMatch> match_operation(std::string_view method, std::string_view target);

// The members that the request brings in, by their names in the model, in one object: types,
// lengths, ranges, patterns and enumerations hold, and what is required is there. Members that the
// model does not know are left out, and so are those that are null. Blobs stay base64, timestamps
// are numbers. Strings are UTF-8.
//
// Refuses a body that is no JSON object or holds a value of another type (SerializationException),
// and values that the model does not allow: all of them in one ValidationException.
tl::expected<Document, ServiceError> read_input(const OperationMatch& match,
                                                front_doors::Request request);

// The answer of an operation that did what it was asked.
front_doors::Reply reply_of(const ModelOperation& operation,
                            const Document& output,
                            std::string_view request_id);

}  // namespace emulator::control_plane
