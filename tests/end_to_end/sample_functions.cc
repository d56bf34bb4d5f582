#include "tests/end_to_end/sample_functions.h"

#include <catch2/catch_test_macros.hpp>

#include <unistd.h>

#include <array>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>

namespace samples {
namespace {

constexpr const char* kPython =
    "import json, sys\n"
    "sys.path.insert(0, sys.argv[1])\n"
    "event = json.load(open(sys.argv[2], encoding=\"utf-8\"))\n"
    "answer, sys.stdout = sys.stdout, sys.stderr\n"
    "import app\n"
    "json.dump(app.handler(event, None), answer, ensure_ascii=True, separators=(\",\",\":\"))\n";

constexpr const char* kNode =
    "const { readFileSync } = await import(\"node:fs\");\n"
    "const event = JSON.parse(readFileSync(process.argv[2], \"utf8\"));\n"
    "console.log = console.error;\n"
    "const { handler } = await import(process.argv[1] + \"/app.mjs\");\n"
    "process.stdout.write(JSON.stringify(await handler(event)));\n";

class TemporaryFile {
 public:
  explicit TemporaryFile(const std::string& text) {
    auto pattern = (std::filesystem::temp_directory_path() / "hearth-event-XXXXXX").string();
    ::close(::mkstemp(pattern.data()));
    path_ = pattern;
    std::ofstream(path_) << text;
  }
  ~TemporaryFile() { std::remove(path_.c_str()); }
  TemporaryFile(const TemporaryFile&) = delete;
  TemporaryFile& operator=(const TemporaryFile&) = delete;
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

}  // namespace

void require(Language language) {
  const auto* probe = language == Language::python ? "python3 --version" : "node --version";
  if (std::system((std::string(probe) + " >/dev/null 2>&1").c_str()) != 0) {
    SKIP("SKIPPED: this host has no " << (language == Language::python ? "python3" : "node"));
  }
}

std::string call(Language language, const std::string& folder, const nlohmann::json& event) {
  const TemporaryFile file(event.dump());
  const std::string arguments =
      " '" HEARTH_SOURCE_DIR "/handlers/" + folder + "' '" + file.path() + "'";
  const std::string start = language == Language::python
                                ? "python3 -B -c '" + std::string(kPython) + "'"
                                : "node --input-type=module -e '" + std::string(kNode) + "'";
  // What the handler logs goes to stderr; only its answer is read.
  FILE* output = ::popen((start + arguments).c_str(), "r");
  REQUIRE(output != nullptr);
  std::string answer;
  std::array<char, 4096> bytes{};
  std::size_t count = 0;
  while ((count = std::fread(bytes.data(), 1, bytes.size(), output)) > 0) {
    answer.append(bytes.data(), count);
  }
  ::pclose(output);
  INFO(folder << " answered " << answer);
  REQUIRE(nlohmann::json::accept(answer));
  return answer;
}

}  // namespace samples
