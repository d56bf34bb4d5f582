// What the service model says of a value: its type and its constraints.
//
// Fixed after the model was read; any thread.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace emulator::control_plane {

class TextPattern;  // text_pattern.h

enum class ShapeType {
  structure,
  list,
  map,
  string,
  integer,
  long_integer,
  floating,
  boolean,
  timestamp,
  blob,
};

enum class MemberLocation { body, path, query, header, status_code, payload };

struct ModelShape;

struct ModelMember {
  std::string name;       // "FunctionName"
  std::string wire_name;  // "tagKeys", "X-Amz-Log-Type"; in a body it is the name
  MemberLocation location = MemberLocation::body;
  const ModelShape* shape = nullptr;
  bool required = false;
};

struct ModelShape {
  ModelShape() = default;
  ModelShape(const ModelShape&) = delete;
  ModelShape& operator=(const ModelShape&) = delete;
  ~ModelShape();  // where TextPattern is known

  std::string name;
  ShapeType type = ShapeType::structure;
  std::vector<ModelMember> members;     // of a structure, in the model's order
  const ModelShape* element = nullptr;  // of a list; a map's value
  const ModelShape* key = nullptr;      // of a map
  bool sensitive = false;               // is not repeated in messages
  // Of numbers: the value; of strings: UTF-16 units; of lists and maps: entries.
  std::optional<double> min;
  std::optional<double> max;
  std::vector<std::string> values;  // of an enumeration, in the order that messages have
  std::unique_ptr<const TextPattern> pattern;
};

}  // namespace emulator::control_plane
