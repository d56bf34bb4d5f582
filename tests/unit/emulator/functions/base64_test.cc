#include "emulator/functions/base64.h"

#include <catch2/catch_test_macros.hpp>

using namespace emulator::functions;

TEST_CASE("base64 of the standard's examples goes both ways", "[functions]") {
  const std::pair<const char*, const char*> rows[] = {{"", ""},
                                                      {"f", "Zg=="},
                                                      {"fo", "Zm8="},
                                                      {"foo", "Zm9v"},
                                                      {"foob", "Zm9vYg=="},
                                                      {"fooba", "Zm9vYmE="},
                                                      {"foobar", "Zm9vYmFy"}};
  for (const auto& [plain, encoded] : rows) {
    CHECK(base64_encoded(plain) == encoded);
    CHECK(base64_decoded(encoded) == plain);
  }
}

TEST_CASE("every byte survives base64", "[functions]") {
  std::string bytes;
  for (int i = 0; i < 256; ++i) bytes.push_back(static_cast<char>(i));
  CHECK(base64_decoded(base64_encoded(bytes)) == bytes);
}

TEST_CASE("line ends inside base64 are skipped", "[functions]") {
  CHECK(base64_decoded("Zm9v\r\nYmFy\n") == "foobar");
}

TEST_CASE("text that is not base64 is refused", "[functions]") {
  for (const auto* text : {"Z",
                           "Zg",
                           "Zg=",
                           "Z===",
                           "Zg==Zg==",
                           "=Zg=",
                           "Zm 9v",
                           "Zm9-",
                           "Zm9_",
                           "Zg==\nA",
                           "{}",
                           "\xFF\xFF\xFF\xFF"}) {
    INFO(text);
    CHECK_FALSE(base64_decoded(text));
  }
}
