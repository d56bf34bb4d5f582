#include "runtime_api/response_stream.h"

#include <catch2/catch_test_macros.hpp>

#include <future>
#include <string>

using namespace runtime_api;

namespace {

// All that comes until the end.
std::string drained(ResponseStream& stream) {
  std::string all;
  std::string piece;
  while (stream.read(piece)) {
    CHECK(piece.size() <= kMaxWaitingStreamBytes);
    all += piece;
  }
  return all;
}

}  // namespace

TEST_CASE("what is written to a stream is read, in order, before its end", "[stream]") {
  ResponseStream stream;
  stream.begin("text/plain");
  CHECK(stream.await_begin() == "text/plain");
  CHECK(stream.write("one ") == ResponseStream::Accepted::yes);
  std::string piece;
  CHECK(stream.read(piece));
  CHECK(piece == "one ");
  CHECK(stream.write("two ") == ResponseStream::Accepted::yes);
  CHECK(stream.write("three") == ResponseStream::Accepted::yes);
  stream.end();
  CHECK(drained(stream) == "two three");
  CHECK_FALSE(stream.read(piece));
}

TEST_CASE("a writer waits for a reader once the stream is full, and nothing is lost", "[stream]") {
  ResponseStream stream;
  const std::string whole(5 * kMaxWaitingStreamBytes + 7, 'x');
  auto writer = std::async(std::launch::async, [&] {
    const auto accepted = stream.write(whole);
    stream.end();
    return accepted;
  });
  CHECK(drained(stream) == whole);
  CHECK(writer.get() == ResponseStream::Accepted::yes);
}

TEST_CASE("the end frees a writer that waits, and what waited can still be read", "[stream]") {
  ResponseStream stream;
  auto writer = std::async(std::launch::async, [&] {
    return stream.write(std::string(3 * kMaxWaitingStreamBytes, 'x'));
  });
  std::string first;
  REQUIRE(stream.read(first));
  stream.end();
  CHECK(writer.get() == ResponseStream::Accepted::ended);
  drained(stream);
  CHECK(stream.write("late") == ResponseStream::Accepted::ended);
  std::string piece;
  CHECK_FALSE(stream.read(piece));
}

TEST_CASE("a stream that ends before it begins says so, and cannot begin any more", "[stream]") {
  ResponseStream stream;
  auto reader = std::async(std::launch::async, [&] { return stream.await_begin(); });
  stream.end();
  stream.end();
  CHECK_FALSE(reader.get());
  stream.begin("text/plain");
  CHECK_FALSE(stream.await_begin());
}
