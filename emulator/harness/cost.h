// What invocations would cost at AWS: an estimate from billed time and memory size.
//
// Pure; any thread.
#pragma once

#include <cstdint>

namespace emulator::harness {

// US dollars. Source: AWS Lambda pricing, x86 in us-east-1, first tier, free tier left out.
struct Prices {
  double gb_second = 0.0000166667;
  double request = 0.20 / 1'000'000;
};

// Memory of 1024 MB for a second is one GB-second. Throttled ones are no requests.
double estimated_cost(const Prices& prices,
                      std::uint64_t requests,
                      std::uint64_t billed_ms,
                      std::int64_t memory_mb);

}  // namespace emulator::harness
