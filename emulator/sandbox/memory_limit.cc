#include "emulator/sandbox/memory_limit.h"

#include <algorithm>

namespace emulator::sandbox {
namespace {

constexpr std::uint64_t kMebibyte = 1024 * 1024;

// Files may be removed between the figures of one reading, so one that is over proves nothing.
constexpr int kLooksToBeSure = 2;

// The kernel tells before it kills. Ours: 20 looks are 10 ms, and killing takes microseconds.
constexpr int kLooksForKill = 20;

std::uint64_t difference(std::uint64_t from, std::uint64_t taken) {
  return from > taken ? from - taken : 0;
}

std::chrono::microseconds interval_for(std::uint64_t room_bytes) {
  const auto filled_after = std::chrono::microseconds(room_bytes * 1'000 / kFillRateBytes);
  return std::clamp(filled_after, kMinLookInterval, kMaxLookInterval);
}

}  // namespace

MemoryVerdict judge(std::uint64_t memory_bytes, const MemoryReading& reading) {
  MemoryVerdict verdict;
  // Files that an earlier set of processes left in /tmp are charged to their group, not to this.
  verdict.temporary_bytes = std::min(reading.temporary_bytes, reading.parts.shared_bytes);
  const auto needed = difference(reading.usage_bytes, reading.parts.file_bytes);
  verdict.own_bytes = difference(needed, verdict.temporary_bytes);
  // Whole mebibytes, so that little files do not cost a change each.
  const auto raised = (verdict.temporary_bytes + kMebibyte - 1) / kMebibyte * kMebibyte;
  verdict.limit_bytes = memory_bytes + raised + std::min(raised, kTemporarySlackBytes);
  // To lower the limit below what is charged is to have processes ended.
  const bool fits = needed + kFillRateBytes <= verdict.limit_bytes;
  if (!fits) verdict.limit_bytes = std::max(verdict.limit_bytes, reading.limit_bytes);
  const bool exact = verdict.limit_bytes <= memory_bytes;
  verdict.over = !exact && verdict.own_bytes >= memory_bytes;
  auto room = difference(verdict.limit_bytes, needed);
  if (!exact) room = std::min(room, difference(memory_bytes, verdict.own_bytes));
  verdict.next_look = interval_for(room);
  return verdict;
}

MemoryLimit::MemoryLimit(MemoryGroup& group, const ResourceRequest& request)
    : group_(group), memory_bytes_(request.memory_bytes), temporary_used_(request.temporary_used) {}

tl::expected<void, SandboxError> MemoryLimit::start() {
  const std::lock_guard lock(mutex_);
  limit_bytes_ = memory_bytes_.value_or(0);
  if (!memory_bytes_) return {};
  return group_.set_limit(*memory_bytes_);
}

MemoryReading MemoryLimit::read() const {
  MemoryReading reading;
  // Before /tmp: what is written in between then makes the set's own part smaller, not larger.
  reading.usage_bytes = group_.usage();
  if (temporary_used_) reading.temporary_bytes = temporary_used_();
  reading.limit_bytes = limit_bytes_;
  return reading;
}

MemoryReading MemoryLimit::read_all() const {
  auto reading = read();
  reading.parts = group_.parts();
  return reading;
}

void MemoryLimit::note(const MemoryReading& reading) {
  const auto verdict = judge(memory_bytes_.value_or(0), reading);
  highest_own_bytes_ = std::max(highest_own_bytes_, verdict.own_bytes);
  highest_other_bytes_ =
      std::max(highest_other_bytes_, reading.parts.file_bytes + verdict.temporary_bytes);
}

std::optional<std::chrono::microseconds> MemoryLimit::look_at_group() {
  if (!temporary_used_) return std::nullopt;
  auto reading = read();
  // They cost most of a look, and make no difference while little is used.
  if (reading.temporary_bytes > 0 || reading.usage_bytes > *memory_bytes_ / 2) {
    reading.parts = group_.parts();
    note(reading);
  }
  const auto verdict = judge(*memory_bytes_, reading);
  if (verdict.limit_bytes != limit_bytes_ && group_.set_limit(verdict.limit_bytes)) {
    limit_bytes_ = verdict.limit_bytes;
  }
  looks_over_ = verdict.over ? looks_over_ + 1 : 0;
  exceeded_ = exceeded_ || looks_over_ >= kLooksToBeSure;
  return verdict.next_look;
}

MemoryLimit::Look MemoryLimit::look() {
  const std::lock_guard lock(mutex_);
  if (!memory_bytes_ || told_) return {};
  Look look;
  if (!exceeded_) look.next = look_at_group();
  exceeded_ = exceeded_ || group_.killed();
  look.exceeded = told_ = exceeded_;
  if (looks_for_kill_ > 0) {
    --looks_for_kill_;
    look.next = kMinLookInterval;
  }
  if (told_) look.next.reset();
  return look;
}

void MemoryLimit::expect_kill() {
  const std::lock_guard lock(mutex_);
  looks_for_kill_ = kLooksForKill;
}

MemoryState MemoryLimit::state() {
  const std::lock_guard lock(mutex_);
  const auto reading = read_all();
  note(reading);
  exceeded_ = exceeded_ || (memory_bytes_ && group_.killed());
  MemoryState state;
  state.exceeded = exceeded_;
  state.current_bytes = judge(memory_bytes_.value_or(0), reading).own_bytes;
  // Two lower bounds of the true peak: what the looks saw, and the kernel's exact peak of all that
  // is charged less the most that anything else was seen to be.
  state.peak_bytes =
      std::max(highest_own_bytes_, difference(group_.highest(), highest_other_bytes_));
  if (memory_bytes_) {
    state.current_bytes = std::min(state.current_bytes, *memory_bytes_);
    state.peak_bytes = exceeded_ ? *memory_bytes_ : std::min(state.peak_bytes, *memory_bytes_);
  }
  return state;
}

}  // namespace emulator::sandbox
