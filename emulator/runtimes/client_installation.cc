#include "emulator/runtimes/client_installation.h"

#include "emulator/runtimes/client_recipe.h"

#include <unistd.h>

#include <algorithm>
#include <fstream>

namespace emulator::runtimes {
namespace {

namespace fs = std::filesystem;

// As much of an installer's output as a reader of a terminal takes in.
constexpr std::size_t kTailLines = 12;

std::string join(const std::vector<std::string>& words) {
  std::string joined;
  for (const auto& word : words) joined.append(joined.empty() ? "" : " ").append(word);
  return joined;
}

std::string tail(const fs::path& log) {
  std::ifstream file(log);
  std::vector<std::string> lines;
  for (std::string line; std::getline(file, line);) {
    lines.push_back(std::move(line));
    if (lines.size() > kTailLines) lines.erase(lines.begin());
  }
  std::string text;
  for (const auto& line : lines) text += "  " + line + "\n";
  return text;
}

tl::unexpected<RuntimeError> failed(const ChildCommand& command,
                                    const std::string& how,
                                    const fs::path& log) {
  return refuse(RuntimeError::Kind::installation_failed,
                join(command.argv) + " " + how + "; it is all in " + log.string() +
                    ", which ends:\n" + tail(log));
}

Expected<void> check_host(const InstallationWish& wish,
                          const InstallationHost& host,
                          const fs::path& log) {
  if (const auto missing = missing_programs(wish, host); !missing.empty()) {
    return refuse(
        RuntimeError::Kind::tools_missing,
        "the client of " + wish.runtime.id + " is installed with " + join(missing) +
            ", which this host lacks; run: " + install_advice(missing, host.distribution));
  }
  if (wish.runtime.family != Family::python) return {};
  const auto program = wish.interpreter.program.string();
  const auto pip =
      host.run({.argv = {program, "-m", "pip", "--version"}, .folder = {}, .environment = {}},
               log,
               [](std::string_view) {});
  if (pip && *pip == 0) return {};
  return refuse(RuntimeError::Kind::tools_missing,
                program + " has no pip; run: " + install_advice({"pip"}, host.distribution) +
                    ", or " + program + " -m ensurepip");
}

Expected<void> write_files(const std::vector<ClientRecipe::OwnFile>& files,
                           const fs::path& folder) {
  for (const auto& file : files) {
    if (std::ofstream(folder / file.name) << file.text << std::flush) continue;
    return refuse(RuntimeError::Kind::cache_unusable,
                  (folder / file.name).string() + " cannot be written; is the disk full?");
  }
  return {};
}

Expected<void> fill(const Runtime& runtime,
                    const ClientRecipe& recipe,
                    const InstallationHost& host,
                    const fs::path& log,
                    const LineSink& progress) {
  const auto& folder = recipe.installer.folder;
  if (auto written = write_files(recipe.before, folder); !written) return written;
  std::string last;
  const auto status = host.run(recipe.installer, log, [&](std::string_view line) {
    auto told = progress_of(runtime.family, line);
    if (!told || *told == last) return;
    progress(*told);
    last = std::move(*told);
  });
  if (!status) return tl::unexpected(status.error());
  if (*status != 0) {
    return failed(recipe.installer, "failed with status " + std::to_string(*status), log);
  }
  for (const auto& file : recipe.makes) {
    if (!fs::exists(folder / file)) {
      return failed(recipe.installer, "succeeded without making " + file, log);
    }
  }
  return write_files(recipe.after, folder);
}

}  // namespace

InstallationHost host_with_path(std::string path, Distribution distribution) {
  auto has_program = [path = std::move(path)](std::string_view program) {
    std::string_view rest = path;
    while (!rest.empty()) {
      const auto end = std::min(rest.find(':'), rest.size());
      const auto file = fs::path(rest.substr(0, end)) / program;
      if (::access(file.c_str(), X_OK) == 0) return true;
      rest.remove_prefix(std::min(end + 1, rest.size()));
    }
    return false;
  };
  return {.has_program = std::move(has_program), .run = run_to_log, .distribution = distribution};
}

std::vector<std::string> missing_programs(const InstallationWish& wish,
                                          const InstallationHost& host) {
  auto programs = client_recipe(wish.runtime, wish.interpreter, {}).programs;
  std::erase_if(programs, [&](const std::string& program) { return host.has_program(program); });
  return programs;
}

Expected<InstalledClient> install_client(const InstallationWish& wish,
                                         const RuntimeClientCache& cache,
                                         const InstallationHost& host,
                                         const LineSink& progress) {
  const auto& [runtime, interpreter, existing] = wish;
  if (!needs_client(runtime)) {
    return refuse(RuntimeError::Kind::invalid_function,
                  runtime.id + " needs no client: its bootstrap speaks the Runtime API itself");
  }
  auto staging = cache.stage();
  if (!staging) return tl::unexpected(staging.error());
  // Looked for behind the lock, so that of two who install the same the second finds the first's.
  if (auto found = cache.find(runtime.id, interpreter.version);
      found && existing == Existing::kept) {
    progress("is installed already, in " + found->folder.string());
    return *found;
  }
  const auto log = cache.log_file(runtime.id, interpreter.version);
  std::error_code ignored;
  fs::remove(log, ignored);
  if (auto ready = check_host(wish, host, log); !ready) return tl::unexpected(ready.error());
  if (const auto remark = version_mismatch(runtime, interpreter)) progress(*remark);
  const auto recipe = client_recipe(runtime, interpreter, staging->folder());
  progress(recipe.announcement);
  if (auto filled = fill(runtime, recipe, host, log, progress); !filled) {
    return tl::unexpected(filled.error());
  }
  auto installed = cache.commit(std::move(*staging), runtime.id, interpreter.version);
  if (installed) progress("installed in " + installed->folder.string());
  return installed;
}

}  // namespace emulator::runtimes
