// hearth doctor: what this host can enforce, what it cannot, and how to get the rest; how fast its
// CPU is beside Lambda's; and where the time of a cold start goes.
#pragma once

#include <string>

namespace CLI {
class App;
}

namespace emulator::app {

struct DoctorOptions {
  bool as_json = false;
  bool calibrate = false;
  double lambda_seconds = 0;  // of the primes on Lambda; 0: AWS's published figure
  bool cold_start = false;
  int starts = 50;
  std::string sandbox = "degraded";  // of the cold starts
  std::string network = "host";
};

void add_doctor_command(CLI::App& program, DoctorOptions& options);
int run_doctor(const DoctorOptions& options);

}  // namespace emulator::app
