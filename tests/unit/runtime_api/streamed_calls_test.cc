// Random sequences of calls, legal and not, by runtimes that stream, against what the table of
// states says of each.
#include "runtime_api/runtime_routes.h"

#include <catch2/catch_test_macros.hpp>

#include <future>
#include <memory>
#include <random>
#include <string>

using namespace runtime_api;

namespace {

using Wanted = PostedRequest::Wanted;
using Kind = RuntimeAnswer::Kind;

// What came of a sequence: the calls that were answered otherwise than the table says, and what the
// invoking side must have been given for each invocation.
struct Played {
  std::string wrong;
  std::vector<Kind> answers;
};

class RandomRuntime {
 public:
  RandomRuntime(Session& session, unsigned seed) : session_(session), random_(seed) {}

  Played play(int invocations) {
    for (int i = 0; i < invocations && !broken_; ++i) {
      const auto taken = session_.take([] { return true; });
      id_ = std::get<SharedInvocation>(taken)->request_id;
      if (draw(4) == 0) wrong_calls_while_running();
      answer();
      for (int calls = draw(3); calls > 0; --calls) call_when_answered();
    }
    return played_;
  }

 private:
  int draw(int below) { return std::uniform_int_distribution<int>(0, below - 1)(random_); }

  void expect(int status, int wanted, const std::string& call) {
    if (status == wanted) return;
    played_.wrong +=
        call + " answered " + std::to_string(status) + ", not " + std::to_string(wanted) + "\n";
  }

  PostedRequest plain() const {
    PostedRequest posted;
    posted.read_body = [](std::uint64_t) { return PostedRequest::Body{}; };
    return posted;
  }

  // A call about the invocation at hand, in a state that does not allow it.
  void expect_refused(int wanted) {
    switch (draw(3)) {
      case 0:
        expect(answer_response(session_, {id_}, plain()).status, wanted, "response");
        break;
      case 1:
        expect(answer_error(session_, {id_}, plain()).status, wanted, "error");
        break;
      default:
        expect(answer_init_error(session_, plain()).status, 403, "init error");
    }
    if (draw(2) == 0) {
      expect(answer_response(session_, {"another"}, plain()).status, 400, "another's response");
    }
  }

  // It is answered: nothing more may be said of it. Its id is a stale one as soon as the next
  // invocation waits to be taken.
  void call_when_answered() {
    const int status = answer_response(session_, {id_}, plain()).status;
    expect(status == 403 && !broken_ ? 400 : status, 400, "a second response");
  }

  void wrong_calls_while_running() {
    expect(answer_error(session_, {"another"}, plain()).status, 400, "another's error");
    auto unknown = plain();
    unknown.response_mode = "Streaming";
    expect(answer_response(session_, {id_}, unknown).status, 400, "unknown mode");
  }

  void while_arriving() {
    for (int calls = draw(4); calls > 0; --calls) {
      if (draw(4) == 0) {
        expect(answer_next(session_, [] { return true; }).status, 403, "next");
      } else {
        expect_refused(403);
      }
    }
  }

  PostedRequest::Body body() {
    PostedRequest::Body read;
    if (draw(5) == 0) {
      read.end = PostedRequest::Body::End::broken;
      broken_ = true;
    } else if (draw(3) == 0) {
      read.error_type_trailer = "Runtime.Late";
    }
    return read;
  }

  void answer() {
    PostedRequest posted;
    PostedRequest::Body read;
    posted.read_body = [&](std::uint64_t) {
      while_arriving();
      return read = body();
    };
    posted.pass_body = [&](const auto& accept) {
      for (int pieces = draw(5); pieces > 0; --pieces) {
        CHECK(accept(std::string(static_cast<std::size_t>(draw(100'000)), 'x')) == Wanted::more);
        while_arriving();
      }
      return read = body();
    };
    const bool error = draw(4) == 0;
    const bool streams = draw(3) != 0;
    if (streams) posted.response_mode = "streaming";
    const int status = error ? answer_error(session_, {id_}, posted).status
                             : answer_response(session_, {id_}, posted).status;
    const bool late = streams && !error && !read.error_type_trailer.empty();
    expect(status, broken_ ? 500 : 202, "the answer");
    played_.answers.push_back(broken_         ? Kind::truncated
                              : error || late ? Kind::error
                                              : Kind::response);
  }

  Session& session_;
  std::mt19937 random_;
  std::string id_;
  bool broken_ = false;
  Played played_;
};

}  // namespace

TEST_CASE("whatever a streaming runtime calls, each call is answered as the table of states says",
          "[stream][random]") {
  constexpr int kInvocations = 6;
  for (unsigned seed = 0; seed < 150; ++seed) {
    INFO("seed " << seed);
    Session session([](std::string_view) {});
    auto runtime = std::async(std::launch::async,
                              [&] { return RandomRuntime(session, seed).play(kInvocations); });
    std::vector<Kind> answers;
    for (int i = 0; i < kInvocations; ++i) {
      auto next = std::make_shared<NextInvocation>();
      next->request_id = "id-" + std::to_string(i);
      const auto stream = std::make_shared<ResponseStream>();
      if (i % 3 != 0) next->stream = stream;
      auto reader = std::async(std::launch::async, [stream] {
        std::string piece;
        while (stream->read(piece)) {
        }
      });
      const auto result = session.exchange(next, Session::TimePoint::max());
      stream->end();
      const auto* answer = std::get_if<RuntimeAnswer>(&result);
      if (answer == nullptr) break;
      answers.push_back(answer->kind);
    }
    const auto played = runtime.get();
    INFO(played.wrong);
    CHECK(played.wrong.empty());
    CHECK(answers == played.answers);
  }
}
