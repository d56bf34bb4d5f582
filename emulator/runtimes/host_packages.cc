#include "emulator/runtimes/host_packages.h"

#include <algorithm>
#include <array>
#include <fstream>

namespace emulator::runtimes {
namespace {

// Source of the names: the distributions' package lists. Empty: the same as Debian's.
struct Packages {
  std::string_view program;
  std::string_view debian;
  std::string_view fedora;
  std::string_view suse;
  std::string_view arch;
  std::string_view alpine;
};

constexpr std::array kPackages = {
    Packages{"python3", "python3", "", "", "python", ""},
    Packages{"pip", "python3-pip", "", "", "python-pip", "py3-pip"},
    Packages{"node", "nodejs", "", "", "", ""},
    Packages{"npm", "npm", "nodejs-npm", "", "", ""},
    Packages{"java",
             "default-jre-headless",
             "java-latest-openjdk-headless",
             "java-21-openjdk-headless",
             "jre-openjdk-headless",
             "openjdk21-jre-headless"},
    Packages{"mvn", "maven", "", "", "", ""},
    Packages{"gem", "ruby", "rubygems", "", "rubygems", ""},
    Packages{"libtoolize", "libtool", "", "", "", ""},
    Packages{"g++", "g++", "gcc-c++", "gcc-c++", "gcc", ""},
};

constexpr std::string_view kSpaceAndQuotes = " \t\"'";

std::string_view value_of(std::string_view text, std::string_view key) {
  while (!text.empty()) {
    const auto line = text.substr(0, text.find('\n'));
    text.remove_prefix(std::min(line.size() + 1, text.size()));
    if (!line.starts_with(key) || line.substr(key.size(), 1) != "=") continue;
    auto value = line.substr(key.size() + 1);
    value.remove_prefix(std::min(value.find_first_not_of(kSpaceAndQuotes), value.size()));
    return value.substr(0, value.find_last_not_of(kSpaceAndQuotes) + 1);
  }
  return {};
}

Distribution distribution_named(std::string_view id) {
  if (id == "debian" || id == "ubuntu") return Distribution::debian;
  if (id == "fedora" || id == "rhel" || id == "centos" || id == "amzn") return Distribution::fedora;
  if (id == "suse" || id == "opensuse" || id == "sles") return Distribution::suse;
  if (id == "arch") return Distribution::arch;
  if (id == "alpine") return Distribution::alpine;
  return Distribution::unknown;
}

std::string_view manager_of(Distribution distribution) {
  switch (distribution) {
    case Distribution::fedora:
      return "dnf install";
    case Distribution::suse:
      return "zypper install";
    case Distribution::arch:
      return "pacman -S";
    case Distribution::alpine:
      return "apk add";
    case Distribution::debian:
    case Distribution::unknown:
      break;
  }
  return "apt-get install";
}

std::string_view name_in(const Packages& packages, Distribution distribution) {
  std::string_view own;
  if (distribution == Distribution::fedora) own = packages.fedora;
  if (distribution == Distribution::suse) own = packages.suse;
  if (distribution == Distribution::arch) own = packages.arch;
  if (distribution == Distribution::alpine) own = packages.alpine;
  return own.empty() ? packages.debian : own;
}

std::string join(const std::vector<std::string>& words) {
  std::string joined;
  for (const auto& word : words) joined.append(joined.empty() ? "" : " ").append(word);
  return joined;
}

}  // namespace

Distribution distribution_of(std::string_view os_release) {
  if (const auto own = distribution_named(value_of(os_release, "ID"));
      own != Distribution::unknown) {
    return own;
  }
  auto like = value_of(os_release, "ID_LIKE");
  while (!like.empty()) {
    const auto word = like.substr(0, like.find(' '));
    like.remove_prefix(std::min(word.size() + 1, like.size()));
    if (const auto found = distribution_named(word); found != Distribution::unknown) return found;
  }
  return Distribution::unknown;
}

Distribution read_distribution(const std::filesystem::path& os_release) {
  std::ifstream file(os_release);
  std::string text;
  for (std::string line; std::getline(file, line);) text.append(line).append("\n");
  return distribution_of(text);
}

std::string package_of(std::string_view program, Distribution distribution) {
  const auto found = std::find_if(kPackages.begin(), kPackages.end(), [&](const Packages& entry) {
    return entry.program == program;
  });
  if (found == kPackages.end()) return std::string(program);
  return std::string(name_in(*found, distribution));
}

std::string install_advice(const std::vector<std::string>& programs, Distribution distribution) {
  std::vector<std::string> packages;
  for (const auto& program : programs) {
    auto package = package_of(program, distribution);
    if (std::find(packages.begin(), packages.end(), package) == packages.end()) {
      packages.push_back(std::move(package));
    }
  }
  if (distribution != Distribution::unknown) {
    return std::string(manager_of(distribution)) + " " + join(packages);
  }
  return "install with this system's package manager " + join(programs) +
         " (Debian's packages: " + join(packages) + ")";
}

}  // namespace emulator::runtimes
