#include "emulator/harness/cost.h"

namespace emulator::harness {

double estimated_cost(const Prices& prices,
                      std::uint64_t requests,
                      std::uint64_t billed_ms,
                      std::int64_t memory_mb) {
  const double gb_seconds =
      static_cast<double>(billed_ms) / 1000 * static_cast<double>(memory_mb) / 1024;
  return gb_seconds * prices.gb_second + static_cast<double>(requests) * prices.request;
}

}  // namespace emulator::harness
