// hearth doctor: what this host can enforce, what this version does with it, and how to get the
// rest.
#pragma once

#include <string>

namespace CLI {
class App;
}

namespace emulator::app {

struct DoctorOptions {
  bool as_json = false;
};

void add_doctor_command(CLI::App& program, DoctorOptions& options);
int run_doctor(const DoctorOptions& options);

}  // namespace emulator::app
