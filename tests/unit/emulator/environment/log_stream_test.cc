#include "emulator/environment/log_stream.h"

#include "emulator/sandbox/unique_fd.h"

#include <catch2/catch_test_macros.hpp>

#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <vector>

using namespace emulator::environment;

namespace {

// What a function's pipe is to the stream, and every piece that the stream wrote.
class Pipe {
 public:
  Pipe() {
    std::array<int, 2> ends{};
    REQUIRE(::pipe2(ends.data(), O_CLOEXEC | O_NONBLOCK) == 0);
    reading_.reset(ends[0]);
    writing_.reset(ends[1]);
  }
  void print(const std::string& text) const {
    REQUIRE(::write(writing_.get(), text.data(), text.size()) == static_cast<ssize_t>(text.size()));
  }
  int descriptor() const { return reading_.get(); }
  void close() { writing_.reset(); }
  bool drain() { return source.drain(reading_.get()); }

  std::vector<std::string> pieces;
  LogStream stream{[this](std::string_view lines) { pieces.emplace_back(lines); }};
  LogSource source{stream, LogSource::Kind::function};

 private:
  emulator::sandbox::UniqueFd reading_;
  emulator::sandbox::UniqueFd writing_;
};

using Pieces = std::vector<std::string>;

}  // namespace

TEST_CASE("only whole lines are passed on, and the rest when it is whole", "[environment]") {
  Pipe pipe;
  pipe.print("one\ntwo\nthr");
  CHECK(pipe.drain());
  CHECK(pipe.pieces == Pieces{"one\ntwo\n"});
  pipe.print("ee\nfour\nfi");
  CHECK(pipe.drain());
  CHECK(pipe.pieces == Pieces{"one\ntwo\n", "three\nfour\n"});
}

TEST_CASE("a platform line ends an unfinished one", "[environment]") {
  Pipe pipe;
  pipe.print("no newline");
  CHECK(pipe.drain());
  pipe.stream.platform("END\n");
  CHECK(pipe.pieces == Pieces{"no newline\n", "END\n"});
}

TEST_CASE("the end of the pipe is told, after what was in it", "[environment]") {
  Pipe pipe;
  pipe.print("last\n");
  pipe.close();
  CHECK_FALSE(pipe.drain());
  CHECK(pipe.pieces == Pieces{"last\n"});
}

TEST_CASE("a line without an end is cut at the size of a log event", "[environment]") {
  Pipe pipe;
  const std::string chunk(16 * 1024, 'x');
  for (int i = 0; i < 16; ++i) {
    pipe.print(chunk);
    CHECK(pipe.drain());
  }
  REQUIRE(pipe.pieces.size() == 1);
  CHECK(pipe.pieces[0].size() == kMaxLogLineBytes + 1);
  CHECK(pipe.pieces[0].back() == '\n');
}

TEST_CASE("bytes that are no text pass unchanged", "[environment]") {
  Pipe pipe;
  const std::string bytes("\0\xff\x1b[31m\r\n", 9);
  pipe.print(bytes);
  CHECK(pipe.drain());
  CHECK(pipe.pieces == Pieces{bytes});
}

TEST_CASE("the tail is the last 4 KB since the invocation began, and only where it was asked for",
          "[environment]") {
  Pipe pipe;
  pipe.print("before\n");
  CHECK(pipe.drain());
  pipe.stream.begin("START\n", CaptureTail::yes);
  pipe.print("inside\n");
  CHECK(pipe.drain());
  pipe.stream.platform("END\n");
  CHECK(pipe.stream.take_tail() == "START\ninside\nEND\n");
  pipe.print("after\n");
  CHECK(pipe.drain());
  CHECK(pipe.stream.take_tail().empty());

  pipe.stream.begin("START\n", CaptureTail::no);
  CHECK(pipe.stream.take_tail().empty());

  pipe.stream.begin("START\n", CaptureTail::yes);
  pipe.stream.platform(std::string(kLogTailBytes, 'a') + "\n");
  pipe.stream.platform("END\n");
  const auto tail = pipe.stream.take_tail();
  CHECK(tail.size() == kLogTailBytes);
  CHECK(tail.ends_with("aaa\nEND\n"));
}

TEST_CASE("two processes that print at once do not mix their lines", "[environment]") {
  Pipe function;
  Pipe second;
  LogSource extension(function.stream, LogSource::Kind::extension, "ext");
  const auto drain = [&](const std::string& text) {
    second.print(text);
    CHECK(extension.drain(second.descriptor()));
  };
  function.print("fun");
  CHECK(function.drain());
  drain("ext");
  drain("ension\nhalf");
  function.print("ction\nunfinished");
  CHECK(function.drain());
  // An extension goes on while a function's invocations begin and end.
  function.stream.platform("END\n");
  drain(" and half\n");
  CHECK(function.pieces ==
        Pieces{"extension\n", "function\n", "unfinished\n", "END\n", "half and half\n"});
}

TEST_CASE("what a process left unfinished is a line when it is gone", "[environment]") {
  Pipe pipe;
  Pipe second;
  {
    LogSource extension(pipe.stream, LogSource::Kind::extension, "ext");
    second.print("last words");
    CHECK(extension.drain(second.descriptor()));
    CHECK(pipe.pieces.empty());
  }
  CHECK(pipe.pieces == Pieces{"last words\n"});
}
