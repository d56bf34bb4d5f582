// Runs a seccomp filter as the kernel would, on a system call that is not made.
#pragma once

#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <stdexcept>
#include <vector>

namespace tests {

#if defined(__x86_64__)
inline constexpr std::uint32_t kNativeArchitecture = AUDIT_ARCH_X86_64;
inline constexpr std::uint32_t kForeignArchitecture = AUDIT_ARCH_I386;
#elif defined(__aarch64__)
inline constexpr std::uint32_t kNativeArchitecture = AUDIT_ARCH_AARCH64;
inline constexpr std::uint32_t kForeignArchitecture = AUDIT_ARCH_ARM;
#else
#error "say here what the kernel calls this machine, and its 32-bit half"
#endif

struct Call {
  int number = 0;
  std::array<std::uint64_t, 6> arguments{};
  std::uint32_t architecture = kNativeArchitecture;
};

// A SECCOMP_RET_ value with its data. Throws where the program leaves what it may do.
inline std::uint32_t verdict(const std::vector<sock_filter>& program, const Call& call) {
  seccomp_data data{};
  data.nr = call.number;
  data.arch = call.architecture;
  for (std::size_t i = 0; i < call.arguments.size(); ++i) data.args[i] = call.arguments[i];
  std::uint32_t a = 0;
  for (std::size_t at = 0; at < program.size(); ++at) {
    const sock_filter& step = program[at];
    const std::uint32_t k = step.k;
    const auto jump = [&](bool condition) { at += condition ? step.jt : step.jf; };
    switch (step.code) {
      case BPF_LD | BPF_W | BPF_ABS:
        if (k % sizeof(a) != 0 || k + sizeof(a) > sizeof(data)) throw std::out_of_range("load");
        std::memcpy(&a, reinterpret_cast<const char*>(&data) + k, sizeof(a));
        break;
      case BPF_ALU | BPF_AND | BPF_K:
        a &= k;
        break;
      case BPF_JMP | BPF_JA:
        at += k;
        break;
      case BPF_JMP | BPF_JEQ | BPF_K:
        jump(a == k);
        break;
      case BPF_JMP | BPF_JGT | BPF_K:
        jump(a > k);
        break;
      case BPF_JMP | BPF_JGE | BPF_K:
        jump(a >= k);
        break;
      case BPF_JMP | BPF_JSET | BPF_K:
        jump((a & k) != 0);
        break;
      case BPF_RET | BPF_K:
        return k;
      default:
        throw std::invalid_argument("an instruction this machine does not know");
    }
  }
  throw std::out_of_range("the filter ends without a verdict");
}

}  // namespace tests
