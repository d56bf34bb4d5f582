#include "emulator/sandbox/launch_step.h"

#include "emulator/sandbox/kernel_clock.h"

namespace emulator::sandbox {

const char* describe(LaunchStep step) {
  switch (step) {
    case LaunchStep::resource_groups:
      return "making control groups";
    case LaunchStep::clone_first_process:
      return "starting the first process in its namespaces";
    case LaunchStep::user_mapping:
      return "mapping the user";
    case LaunchStep::network_setup:
      return "setting up the network";
    case LaunchStep::host_name:
      return "setting the host name";
    case LaunchStep::root_base:
      return "preparing the root";
    case LaunchStep::root_contents:
      return "building the root";
    case LaunchStep::root_change:
      return "changing the root";
    case LaunchStep::first_process_user:
      return "settling the first process";
    case LaunchStep::clone_entrance:
      return "starting the process that enters";
    case LaunchStep::enter_namespaces:
      return "entering the namespaces";
    case LaunchStep::listening_socket:
      return "listening inside the network";
    case LaunchStep::clone_process:
      return "starting the process";
    case LaunchStep::process_group:
      return "making a process group";
    case LaunchStep::standard_streams:
      return "placing the standard streams";
    case LaunchStep::join_groups:
      return "joining the control groups";
    case LaunchStep::cgroup_namespace:
      return "making a control group namespace";
    case LaunchStep::limits:
      return "setting resource limits";
    case LaunchStep::visible_cpus:
      return "choosing CPUs";
    case LaunchStep::signals:
      return "resetting signals";
    case LaunchStep::descriptors:
      return "closing inherited descriptors";
    case LaunchStep::user:
      return "becoming the function's user";
    case LaunchStep::privileges:
      return "dropping privileges";
    case LaunchStep::parent_death_signal:
      return "asking to end with the parent";
    case LaunchStep::working_folder:
      return "entering the working folder";
    case LaunchStep::system_call_filter:
      return "installing the system call filter";
    case LaunchStep::exec:
      return "executing the program";
  }
  return "";
}

void note(StepTimes* times, LaunchStep step) noexcept {
  if (times == nullptr) return;
  times->done[static_cast<std::size_t>(step)] = kernel_now().count();
}

}  // namespace emulator::sandbox
