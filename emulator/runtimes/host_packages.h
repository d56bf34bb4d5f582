// What this host's distribution calls the package that a program comes in, and how it is installed:
// for errors that say what to do.
//
// Values only; any thread.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

namespace emulator::runtimes {

// By its package manager: apt, dnf, zypper, pacman, apk.
enum class Distribution { unknown, debian, fedora, suse, arch, alpine };

// From the text of /etc/os-release: what ID says, else what ID_LIKE does.
Distribution distribution_of(std::string_view os_release);

// As distribution_of, from a file; unknown when it cannot be read.
Distribution read_distribution(const std::filesystem::path& os_release);

// The package of a program, such as "java" or "libtoolize"; the program's own name where no list
// of ours has it.
std::string package_of(std::string_view program, Distribution distribution);

// "apt-get install maven g++" for programs that are missing; each package once, in their order.
// For an unknown distribution the programs with Debian's names for their packages.
std::string install_advice(const std::vector<std::string>& programs, Distribution distribution);

}  // namespace emulator::runtimes
