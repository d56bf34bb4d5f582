#include "emulator/sandbox/memory_limit.h"

#include <catch2/catch_test_macros.hpp>

#include <cstdint>
#include <optional>
#include <vector>

using namespace emulator::sandbox;

namespace {

constexpr std::uint64_t kMebibyte = 1024 * 1024;

// A memory control group whose figures the test decides.
class ScriptedGroup final : public MemoryGroup {
 public:
  tl::expected<void, SandboxError> set_limit(std::optional<std::uint64_t> bytes) override {
    limits.push_back(bytes.value_or(0));
    return {};
  }
  Parts parts() const override { return {.file_bytes = file, .shared_bytes = shared}; }
  std::uint64_t usage() const override { return own + file + shared; }
  std::uint64_t highest() const override { return peak; }
  bool killed() const override { return kernel_killed; }
  int event_descriptor() const override { return -1; }
  std::uint32_t event_mask() const override { return 0; }
  void settle_event() const override {}

  std::uint64_t own = 0;
  std::uint64_t file = 0;
  std::uint64_t shared = 0;
  std::uint64_t peak = 0;
  bool kernel_killed = false;
  std::vector<std::uint64_t> limits;
};

// A limit of 128 MiB with a /tmp of its own.
struct Limited {
  ScriptedGroup group;
  std::uint64_t temporary = 0;
  MemoryLimit limit{group,
                    {.memory_bytes = 128 * kMebibyte,
                     .temporary_bytes = 512 * kMebibyte,
                     .temporary_used = [this] { return temporary; }}};

  Limited() { REQUIRE(limit.start()); }
  void write_to_tmp(std::uint64_t bytes) {
    temporary += bytes;
    group.shared += bytes;
  }
};

}  // namespace

TEST_CASE("the kernel's limit is exact while /tmp is empty", "[memory_limit]") {
  Limited limited;
  limited.group.own = 120 * kMebibyte;
  CHECK_FALSE(limited.limit.look().exceeded);
  CHECK(limited.group.limits == std::vector<std::uint64_t>{128 * kMebibyte});
}

TEST_CASE("the kernel's limit leaves room for what /tmp holds and will hold", "[memory_limit]") {
  Limited limited;
  limited.write_to_tmp(30 * kMebibyte);
  limited.limit.look();
  CHECK(limited.group.limits.back() == (128 + 30 + 30) * kMebibyte);
  limited.write_to_tmp(170 * kMebibyte);
  limited.limit.look();
  CHECK(limited.group.limits.back() == (128 + 200) * kMebibyte + kTemporarySlackBytes);
}

TEST_CASE("the kernel's limit is exact again once /tmp was emptied", "[memory_limit]") {
  Limited limited;
  limited.write_to_tmp(30 * kMebibyte);
  limited.limit.look();
  limited.temporary = limited.group.shared = 0;
  limited.limit.look();
  CHECK(limited.group.limits.back() == 128 * kMebibyte);
}

TEST_CASE("the kernel's limit is not lowered below what is still charged", "[memory_limit]") {
  Limited limited;
  limited.write_to_tmp(200 * kMebibyte);
  limited.limit.look();
  const auto limit = limited.group.limits.back();
  limited.temporary = 0;  // removed, but not yet given back
  CHECK_FALSE(limited.limit.look().exceeded);
  CHECK(limited.group.limits.back() == limit);
  limited.group.shared = 0;
  limited.limit.look();
  CHECK(limited.group.limits.back() == 128 * kMebibyte);
}

TEST_CASE("looks come sooner as room runs out, whether /tmp or memory takes it", "[memory_limit]") {
  Limited limited;
  CHECK(limited.limit.look().next == kMaxLookInterval);
  limited.group.own = 112 * kMebibyte;
  CHECK(limited.limit.look().next == std::chrono::microseconds(2'000));
  limited.group.own = 127 * kMebibyte;
  CHECK(limited.limit.look().next == kMinLookInterval);
  limited.write_to_tmp(200 * kMebibyte);
  CHECK(limited.limit.look().next == kMinLookInterval);
  limited.group.own = 10 * kMebibyte;
  CHECK(limited.limit.look().next == kMaxLookInterval);
}

TEST_CASE("cached pages of files take no room", "[memory_limit]") {
  Limited limited;
  limited.group.own = 10 * kMebibyte;
  limited.group.file = 118 * kMebibyte;
  CHECK(limited.limit.look().next == kMaxLookInterval);
  CHECK(limited.limit.state().current_bytes == 10 * kMebibyte);
}

TEST_CASE("memory beyond the limit is noticed beside a full /tmp, and told once",
          "[memory_limit]") {
  Limited limited;
  limited.write_to_tmp(300 * kMebibyte);
  limited.group.own = 127 * kMebibyte;
  CHECK_FALSE(limited.limit.look().exceeded);
  limited.group.own = 128 * kMebibyte;
  // One look is not enough to tell: a file may have been removed while it looked.
  CHECK_FALSE(limited.limit.look().exceeded);
  const auto look = limited.limit.look();
  CHECK(look.exceeded);
  CHECK_FALSE(look.next);
  CHECK_FALSE(limited.limit.look().exceeded);
  CHECK(limited.limit.state().exceeded);
  CHECK(limited.limit.state().peak_bytes == 128 * kMebibyte);
}

TEST_CASE("files that are removed while they are counted end nobody", "[memory_limit]") {
  Limited limited;
  limited.write_to_tmp(300 * kMebibyte);
  // Gone from /tmp, and still charged.
  limited.temporary = 150 * kMebibyte;
  CHECK_FALSE(limited.limit.look().exceeded);
  limited.group.shared = 150 * kMebibyte;
  CHECK_FALSE(limited.limit.look().exceeded);
  CHECK_FALSE(limited.limit.state().exceeded);
}

TEST_CASE("what an earlier start left in /tmp is not taken from memory", "[memory_limit]") {
  Limited limited;
  limited.temporary = 300 * kMebibyte;  // charged to another group
  limited.group.own = 100 * kMebibyte;
  limited.limit.look();
  CHECK(limited.group.limits == std::vector<std::uint64_t>{128 * kMebibyte});
  CHECK(limited.limit.state().current_bytes == 100 * kMebibyte);
}

TEST_CASE("a process that the kernel ended is told of, also after the state was asked for",
          "[memory_limit]") {
  Limited limited;
  limited.group.kernel_killed = true;
  CHECK(limited.limit.state().exceeded);
  CHECK(limited.limit.look().exceeded);
  CHECK_FALSE(limited.limit.look().exceeded);
}

TEST_CASE("after the kernel's warning looks come soon, for a while", "[memory_limit]") {
  ScriptedGroup group;
  MemoryLimit limit(group, {.memory_bytes = 128 * kMebibyte});
  REQUIRE(limit.start());
  CHECK_FALSE(limit.look().next);
  limit.expect_kill();
  CHECK(limit.look().next == kMinLookInterval);
  int looks = 1;
  while (limit.look().next) ++looks;
  CHECK(looks * kMinLookInterval >= std::chrono::milliseconds(5));
}

TEST_CASE("the peak is the kernel's, without /tmp and files", "[memory_limit]") {
  Limited limited;
  limited.write_to_tmp(50 * kMebibyte);
  limited.group.file = 20 * kMebibyte;
  limited.group.own = 10 * kMebibyte;
  limited.limit.look();
  // Between two looks it had 40 MiB.
  limited.group.peak = (50 + 20 + 40) * kMebibyte;
  CHECK(limited.limit.state().peak_bytes == 40 * kMebibyte);
  // Nor is it less than what a look saw.
  limited.group.own = 60 * kMebibyte;
  limited.limit.look();
  limited.group.own = 5 * kMebibyte;
  CHECK(limited.limit.state().peak_bytes == 60 * kMebibyte);
  CHECK(limited.limit.state().current_bytes == 5 * kMebibyte);
}

TEST_CASE("without a limit memory is measured and the kernel's limit left alone",
          "[memory_limit]") {
  ScriptedGroup group;
  MemoryLimit limit(group, {});
  REQUIRE(limit.start());
  group.own = 300 * kMebibyte;
  group.peak = 310 * kMebibyte;
  CHECK(group.limits.empty());
  CHECK(limit.state().current_bytes == 300 * kMebibyte);
  CHECK(limit.state().peak_bytes == 310 * kMebibyte);
  CHECK_FALSE(limit.look().next);
}
