#include "emulator/report/span_exporter.h"

#include <catch2/catch_test_macros.hpp>
#include <nlohmann/json.hpp>

#include <condition_variable>

using namespace emulator::report;
using namespace std::chrono_literals;

namespace {

std::vector<Span> spans(std::size_t count) {
  Span span;
  span.trace_id = std::string(32, '1');
  span.span_id = std::string(16, '2');
  span.service = "f";
  return std::vector<Span>(count, span);
}

std::size_t spans_in(const std::string& document) {
  const auto json = nlohmann::json::parse(document);
  return json["resourceSpans"][0]["scopeSpans"][0]["spans"].size();
}

// A place that answers as it is told, and holds the first document until it is let go.
class Collector {
 public:
  tl::expected<void, ExportError> take(const std::string& document) {
    std::unique_lock lock(mutex_);
    ++arrived_;
    changed_.notify_all();
    changed_.wait(lock, [this] { return open_; });
    if (!failures_.empty()) {
      const auto kind = failures_.back();
      failures_.pop_back();
      return tl::unexpected(ExportError{kind, "no"});
    }
    sizes_.push_back(spans_in(document));
    return {};
  }
  void open() {
    const std::lock_guard lock(mutex_);
    open_ = true;
    changed_.notify_all();
  }
  void await_arrivals(int count) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return arrived_ >= count; });
  }
  void fail(std::vector<ExportError::Kind> kinds) {
    const std::lock_guard lock(mutex_);
    failures_ = std::move(kinds);
  }
  std::vector<std::size_t> sizes() const {
    const std::lock_guard lock(mutex_);
    return sizes_;
  }
  int arrived() const {
    const std::lock_guard lock(mutex_);
    return arrived_;
  }

 private:
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  bool open_ = false;
  int arrived_ = 0;
  std::vector<ExportError::Kind> failures_;  // the next one last
  std::vector<std::size_t> sizes_;
};

struct Scene {
  Collector collector;
  std::vector<std::string> complaints;  // of the exporter's thread; to be read after stop()
  SpanExporter exporter{[this](const std::string& document) { return collector.take(document); },
                        [this](const std::string& why) { complaints.push_back(why); },
                        {.most_tries = 3, .first_wait = 0ms}};
};

using Kind = ExportError::Kind;

}  // namespace

TEST_CASE("what comes while a document is under way makes up the next one", "[otlp]") {
  Scene scene;
  scene.exporter.add(spans(1));
  scene.collector.await_arrivals(1);
  scene.exporter.add(spans(2));
  scene.exporter.add(spans(3));
  scene.collector.open();
  scene.exporter.stop();
  CHECK(scene.collector.sizes() == std::vector<std::size_t>{1, 5});
  CHECK(scene.exporter.counts().sent == 6);
}

TEST_CASE("a document has so many spans at the most", "[otlp]") {
  Scene scene;
  scene.exporter.add(spans(1));
  scene.collector.await_arrivals(1);
  scene.exporter.add(spans(kMaxSpansInDocument + 1));
  scene.collector.open();
  scene.exporter.stop();
  CHECK(scene.collector.sizes() == std::vector<std::size_t>{1, kMaxSpansInDocument, 1});
}

TEST_CASE("what passes is tried again, and nothing is told of it", "[otlp]") {
  Scene scene;
  scene.collector.fail({Kind::passing, Kind::passing});
  scene.collector.open();
  scene.exporter.add(spans(4));
  scene.collector.await_arrivals(3);
  scene.exporter.stop();
  CHECK(scene.collector.sizes() == std::vector<std::size_t>{4});
  CHECK(scene.complaints.empty());
}

TEST_CASE("after its last try a document is given up, counted and told once", "[otlp]") {
  Scene scene;
  scene.collector.fail(std::vector<Kind>(6, Kind::passing));
  scene.exporter.add(spans(4));
  scene.collector.await_arrivals(1);
  scene.exporter.add(spans(2));
  scene.collector.open();
  scene.collector.await_arrivals(6);
  scene.exporter.add(spans(1));
  scene.collector.await_arrivals(7);
  scene.exporter.stop();
  CHECK(scene.collector.sizes() == std::vector<std::size_t>{1});
  CHECK(scene.exporter.counts().dropped == 6);
  CHECK(scene.complaints == std::vector<std::string>{"no"});
}

TEST_CASE("what a collector refuses for good is not sent again", "[otlp]") {
  Scene scene;
  scene.collector.fail({Kind::permanent});
  scene.collector.open();
  scene.exporter.add(spans(4));
  scene.collector.await_arrivals(1);
  scene.exporter.stop();
  CHECK(scene.collector.arrived() == 1);
  CHECK(scene.exporter.counts().dropped == 4);
}

TEST_CASE("spans beyond the room are dropped and counted, and none is taken after the stop",
          "[otlp]") {
  Scene scene;
  scene.exporter.add(spans(1));
  scene.collector.await_arrivals(1);
  scene.exporter.add(spans(kMaxWaitingSpans + 5));
  CHECK(scene.exporter.counts().dropped == 5);
  scene.collector.open();
  scene.exporter.stop();
  CHECK(scene.exporter.counts().sent == kMaxWaitingSpans + 1);
  scene.exporter.add(spans(2));
  CHECK(scene.exporter.counts().dropped == 7);
}
