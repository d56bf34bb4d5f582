// Input that cannot be served: one sentence, the right exit status, and nothing left behind, which
// run_hearth() checks each time.
#include "tests/end_to_end/hearth_program.h"

#include <archive.h>
#include <archive_entry.h>
#include <catch2/catch_test_macros.hpp>

#include <unistd.h>

#include <filesystem>
#include <functional>
#include <string>

using nlohmann::json;
using tests::ScratchFolder;
using tests::Serving;
using tests::Words;

namespace {

void refused(const tests::Ended& ended, int status, const std::string& names) {
  INFO(ended.errors);
  CHECK(ended.status == status);
  CHECK(ended.output.empty());
  CHECK(tests::is_one_sentence(ended.errors));
  CHECK(ended.errors.find(names) != std::string::npos);
}

// A zip made entry by entry.
class Zip {
 public:
  explicit Zip(const std::string& path) : archive_(archive_write_new()) {
    archive_write_set_format_zip(archive_);
    REQUIRE(archive_write_open_filename(archive_, path.c_str()) == ARCHIVE_OK);
  }
  ~Zip() { archive_write_free(archive_); }
  Zip(const Zip&) = delete;
  Zip& operator=(const Zip&) = delete;

  void file(const std::string& name, std::int64_t size, char fill) {
    auto* entry = archive_entry_new();
    archive_entry_set_pathname(entry, name.c_str());
    archive_entry_set_filetype(entry, AE_IFREG);
    archive_entry_set_perm(entry, 0755);
    archive_entry_set_size(entry, size);
    archive_write_header(archive_, entry);
    const std::string block(1 << 20, fill);
    for (auto left = size; left > 0;) {
      const auto part = std::min<std::int64_t>(left, static_cast<std::int64_t>(block.size()));
      archive_write_data(archive_, block.data(), static_cast<std::size_t>(part));
      left -= part;
    }
    archive_entry_free(entry);
  }

  void link(const std::string& name, const std::string& target) {
    auto* entry = archive_entry_new();
    archive_entry_set_pathname(entry, name.c_str());
    archive_entry_set_filetype(entry, AE_IFLNK);
    archive_entry_set_perm(entry, 0777);
    archive_entry_set_symlink(entry, target.c_str());
    archive_write_header(archive_, entry);
    archive_entry_free(entry);
  }

 private:
  archive* archive_;
};

tests::Ended invoke_zip(const std::function<void(Zip&)>& fill) {
  const ScratchFolder folder;
  const auto path = (folder.path() / "code.zip").string();
  {
    Zip zip(path);
    fill(zip);
  }
  return tests::invoke({"--code", path});
}

constexpr std::size_t kLimit = 6'291'456;

}  // namespace

TEST_CASE("a template that cannot be read is refused with its place", "[bad-input]") {
  struct Case {
    const char* file;
    const char* text;
    const char* names;
  };
  const std::vector<Case> cases = {
      {"template.json", "{\"Resources\": {", "template.json"},
      {"template.yaml", "Resources:\n  F: [1, 2\n", "template.yaml"},
      {"template.yaml", "Resources:\n  B:\n    Type: AWS::S3::Bucket\n", "template.yaml"},
      {"template.yaml", "", "template.yaml"},
      {"template.yaml",
       "Resources:\n  F:\n    Type: AWS::Serverless::Function\n    Condition: One\n"
       "Conditions:\n  One: !Not [!Condition Two]\n  Two: !Not [!Condition One]\n",
       "in a circle"},
  };
  for (const auto& bad : cases) {
    INFO(bad.text);
    const ScratchFolder folder;
    folder.write(bad.file, bad.text);
    refused(tests::invoke({}, {.folder = folder.path().string()}), 2, bad.names);
    refused(tests::run_hearth({"serve", "--port", "0"}, {.folder = folder.path().string()}),
            2,
            bad.names);
  }
}

TEST_CASE("a zip that leaves its folder, or grows beyond Lambda's limit, is refused",
          "[bad-input]") {
  refused(invoke_zip([](Zip& zip) { zip.file("../bootstrap", 10, '#'); }), 2, "../bootstrap");
  refused(invoke_zip([](Zip& zip) { zip.file("/bootstrap", 10, '#'); }), 2, "/bootstrap");
  refused(invoke_zip([](Zip& zip) {
            zip.link("lib", "/etc");
            zip.file("lib/bootstrap", 10, '#');
          }),
          2,
          "'lib/bootstrap'");
  refused(invoke_zip([](Zip& zip) { zip.file("bootstrap", std::int64_t{300} << 20, '\0'); }),
          2,
          "262144000");
  const ScratchFolder folder;
  refused(tests::invoke({"--code", folder.write("code.zip", "this is no zip")}), 2, "code.zip");
}

TEST_CASE("a symbolic link out of the code is refused", "[bad-input]") {
  refused(invoke_zip([](Zip& zip) { zip.link("bootstrap", "../../../bin/sh"); }), 2, "bootstrap");
}

TEST_CASE("a temporary folder that cannot be written is the host's fault", "[bad-input]") {
  const ScratchFolder folder;
  const auto path = (folder.path() / "code.zip").string();
  { Zip(path).file("bootstrap", 10, '#'); }
  for (const std::string temporary : {"/proc", "/no/such/folder"}) {
    refused(tests::invoke({"--code", path}, {.variables = {{"TMPDIR", temporary}}}), 3, temporary);
  }
}

TEST_CASE("an event over Lambda's limit is refused however it comes", "[bad-input]") {
  const auto project = tests::handler_template("echo-cpp");
  const std::string event = '"' + std::string(kLimit - 1, 'x') + '"';
  const ScratchFolder folder;
  const auto file = folder.write("event.json", event);
  refused(tests::invoke({"--template", project, "--event", file}), 2, "6291456");
  refused(tests::invoke({"--template", project, "--event", "-"}, {.input = event}), 2, "6291456");
  const auto fits = tests::invoke({"--template", project, "--event", "-"},
                                  {.input = event.substr(1, kLimit - 2).insert(0, "\"") + '"'});
  CHECK(fits.status == 0);
  CHECK(fits.output.size() == kLimit);

  Serving serving({"--template", project});
  CHECK(tests::invoke_function(serving.port(), "echo-cpp", event).status == 413);
  CHECK(tests::invoke_function(serving.port(), "echo-cpp", "1").body == "1");
  serving.stop();
}

TEST_CASE("an event that is no JSON is refused before anything starts", "[bad-input]") {
  const auto project = tests::handler_template("echo-cpp");
  refused(tests::invoke({"--template", project, "--payload", "not json"}), 2, "JSON");
  refused(tests::invoke({"--template", project, "--event", "-"}, {.input = "{} {}"}), 2, "JSON");
  refused(tests::invoke({"--template", project, "--event", "/no/such/file"}), 2, "/no/such/file");
  refused(tests::invoke({"--template", project, "--event", "/"}), 2, "--event");
  refused(tests::invoke({"--template", project, "--payload", "1", "--event", "-"}), 2, "--payload");
}

TEST_CASE("garbage on the Runtime API hurts nobody", "[bad-input]") {
  const auto ended = tests::invoke(tests::testee("garbage_speaker"));
  CHECK(ended.status == 0);
  CHECK(ended.output == "{}");
}

TEST_CASE("code without a bootstrap says what is missing", "[bad-input]") {
  const ScratchFolder folder;
  folder.write("readme", "nothing to run");
  const auto ended = tests::invoke({"--code", folder.path().string()});
  INFO(ended.errors);
  CHECK(ended.status == 1);
  CHECK(json::parse(ended.output)["errorType"] == "Runtime.InvalidEntrypoint");
  refused(tests::invoke({"--code", "/no/such/folder"}), 2, "/no/such/folder");
}

TEST_CASE("a missing runtime client names the command that installs it", "[bad-input]") {
  const ScratchFolder empty;
  refused(tests::invoke({"--template", tests::handler_template("echo-python")},
                        {.variables = {{"XDG_CACHE_HOME", empty.path().string()}}}),
          3,
          "hearth runtime install python3.11");
}

TEST_CASE("a runtime that nobody knows is refused with those that are known", "[bad-input]") {
  const auto code = tests::handler_folder("testees");
  refused(tests::invoke({"--code", code, "--runtime", "fortran77"}), 2, "provided.al2023");
}

TEST_CASE("isolation that cannot be kept is refused, not left out", "[bad-input]") {
  // Which a host has that lacks it: without the program that carries its traffic, a network of
  // one's own with traffic outwards is none.
  const ScratchFolder empty;
  auto words = tests::testee("echo");
  words.insert(words.end(), {"--network", "private"});
  refused(tests::invoke(words, {.variables = {{"PATH", empty.path().string()}}}),
          3,
          "--network private");
}

TEST_CASE("isolation flags that contradict each other are wrong usage", "[bad-input]") {
  auto words = tests::testee("echo");
  words.insert(words.end(), {"--sandbox", "none", "--network", "none"});
  refused(tests::invoke(words), 2, "--network");
}

TEST_CASE("words that hearth does not know are named", "[bad-input]") {
  refused(tests::run_hearth({"bogus"}), 2, "bogus");
  refused(tests::invoke({"--bogus"}), 2, "--bogus");
  refused(tests::run_hearth({"serve", "--port", "99999"}), 2, "--port");
  refused(tests::run_hearth({"serve", "--host", ""}), 2, "--host");
  refused(tests::run_hearth({"serve", "--region", ""}), 2, "--region");
  refused(tests::run_hearth({"serve", "--alias-seed", "-1"}), 2, "--alias-seed");
  auto words = tests::testee("echo");
  words.insert(words.end(), {"--env", "novalue"});
  refused(tests::invoke(words), 2, "novalue");
  refused(tests::invoke({"--memory", "64", "--code", tests::handler_folder("testees")}), 2, "64");
  refused(
      tests::run_hearth({"serve", "first", "second", "--code", tests::handler_folder("testees")}),
      2,
      "second");
  refused(
      tests::invoke({"--fixture", "s3/nope", "--template", tests::handler_template("echo-cpp")}),
      2,
      "nope");
}
