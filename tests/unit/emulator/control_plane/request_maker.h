// Requests of any operation, made from the service model: good ones, and broken ones. The same seed
// makes the same requests.
#pragma once

#include "emulator/control_plane/model_shape.h"
#include "emulator/control_plane/service_model.h"

#include <nlohmann/json.hpp>

#include <cstdint>
#include <map>
#include <random>
#include <string>
#include <vector>

namespace tests {

struct MadeRequest {
  std::string method;
  std::string target;
  std::string body;
};

// One thread.
class RequestMaker {
 public:
  using Document = emulator::control_plane::Document;
  using Operation = emulator::control_plane::ModelOperation;
  using Shape = emulator::control_plane::ModelShape;

  // `samples`: texts that shapes with a pattern of their own may have.
  RequestMaker(std::uint32_t seed, std::vector<std::string> samples)
      : random_(seed), samples_(std::move(samples)) {}

  // What the model allows: all required members, and of the others each with a chance of a half.
  Document valid_input(const Operation& operation);

  // The request that an SDK would send.
  static MadeRequest request_of(const Operation& operation, const Document& input);

  // A request with one or several things wrong with it, or by chance nothing.
  MadeRequest broken(const Operation& operation);

 private:
  std::size_t below(std::size_t limit) { return random_() % limit; }
  bool chance(std::size_t of) { return below(of) == 0; }

  Document valid_value(const Shape& shape);
  std::string valid_text(const Shape& shape);
  Document strange_value();
  std::string strange_text();
  void spoil_input(const Operation& operation, Document& input);
  void spoil_inside(Document& value);
  void spoil_wire(MadeRequest& request);
  std::string strange_body(std::string body);

  std::mt19937 random_;
  std::vector<std::string> samples_;
};

}  // namespace tests
