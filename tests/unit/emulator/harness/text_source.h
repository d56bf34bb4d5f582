// Bytes of a test as a source, given out in pieces of a size.
#pragma once

#include "emulator/harness/line_reader.h"

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <memory>
#include <string>
#include <utility>

namespace tests {

inline emulator::harness::ByteSource text_source(std::string text, std::size_t piece = SIZE_MAX) {
  auto left = std::make_shared<std::string>(std::move(text));
  return [left, piece](char* into, std::size_t room) {
    const auto size = std::min({room, piece, left->size()});
    std::memcpy(into, left->data(), size);
    left->erase(0, size);
    return size;
  };
}

}  // namespace tests
