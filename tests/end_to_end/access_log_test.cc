// A real access log: Apache writes it, generate-event makes records of it, and the Firehose samples
// transform them.
#include "tests/end_to_end/hearth_program.h"

#include <catch2/catch_test_macros.hpp>
#include <httplib.h>
#include <openssl/evp.h>

#include <csignal>
#include <fstream>

using nlohmann::json;
using tests::ScratchFolder;

namespace {

constexpr const char* kModules = "/usr/lib/apache2/modules/";

// Debian's Apache on a loopback port that the kernel picks, from a configuration of its own.
class Apache {
 public:
  Apache() {
    folder_.write("htdocs/index.html", "<h1>It works</h1>\n");
    folder_.write("htdocs/health", "ok\n");
    // Everybody may read, for Apache leaves root's identity behind.
    std::filesystem::permissions(folder_.path(), std::filesystem::perms{0755});
    for (int attempt = 0; attempt < 20 && !answers_; ++attempt) start();
    REQUIRE(answers_);
  }

  int port() const { return port_; }

  // Ends Apache: its log is whole then.
  // Apache answers first and logs afterwards, from several processes; the next request must wait if
  // the order of the lines is to be known.
  void await_lines(long count) const {
    const auto lines = [this] {
      const auto text = folder_.read("access.log");
      return std::count(text.begin(), text.end(), '\n');
    };
    while (lines() < count) std::this_thread::yield();
  }

  std::string log() {
    program_->signal(SIGTERM);
    program_->wait();
    program_.reset();
    return folder_.read("access.log");
  }

 private:
  // Apache cannot say which port it was given, so ports are tried until one is free.
  void start() {
    port_ =
        20'000 + static_cast<int>((static_cast<unsigned>(::getpid()) * 7U + tried_++) % 10'000U);
    const auto root = folder_.path().string();
    const auto configuration = folder_.write(
        "apache.conf",
        "ServerName localhost\nServerRoot " + root + "\nDefaultRuntimeDir " + root + "\nPidFile " +
            root + "/apache.pid\nErrorLog /dev/stderr\nMutex posixsem\n" + module("mpm_event") +
            module("authz_core") + "Listen 127.0.0.1:" + std::to_string(port_) + "\nDocumentRoot " +
            root +
            "/htdocs\nUser www-data\nGroup www-data\n"
            "LogFormat \"%h %l %u %t \\\"%r\\\" %>s %O \\\"%{Referer}i\\\" "
            "\\\"%{User-Agent}i\\\"\" combined\n"
            "CustomLog " +
            root + "/access.log combined\n");
    program_.emplace(tests::ProgramStart{
        .argv = {"/usr/sbin/apache2", "-D", "FOREGROUND", "-d", root, "-f", configuration},
        .input = {}});
    try {
      program_->await_errors("resuming normal operations");
      answers_ = true;
    } catch (const std::runtime_error& never) {
      UNSCOPED_INFO(never.what());
      program_.reset();
    }
  }

  static std::string module(const std::string& name) {
    return "LoadModule " + name + "_module " + kModules + "mod_" + name + ".so\n";
  }

  ScratchFolder folder_;
  std::optional<tests::RunningProgram> program_;
  int port_ = 0;
  unsigned tried_ = 0;
  bool answers_ = false;
};

std::string decoded(const std::string& base64) {
  std::string bytes(base64.size(), '\0');
  const int size = EVP_DecodeBlock(reinterpret_cast<unsigned char*>(bytes.data()),
                                   reinterpret_cast<const unsigned char*>(base64.data()),
                                   static_cast<int>(base64.size()));
  const auto padding = std::count(base64.begin(), base64.end(), '=');
  bytes.resize(static_cast<std::size_t>(size - padding));
  return bytes;
}

// Real requests, as real clients send them.
std::string logged_requests() {
  Apache apache;
  const int port = apache.port();
  long lines = 0;
  const auto request = [&](const std::string& method,
                           const std::string& path,
                           int status,
                           const std::vector<std::pair<std::string, std::string>>& headers) {
    CHECK(tests::http(port, method, path, {}, {headers.begin(), headers.end()}).status == status);
    apache.await_lines(++lines);
  };
  request("GET", "/index.html", 200, {{"User-Agent", "tests/1"}});
  request("GET", "/missing?a=b", 404, {});
  request("GET", "/health", 200, {});
  request("HEAD", "/index.html", 200, {});
  request("GET",
          "/index.html",
          200,
          {{"User-Agent", "says \"quoted\" \\ and more"}, {"Referer", "http://x/\xc3\xbc"}});
  return apache.log();
}

}  // namespace

TEST_CASE("an access log that Apache wrote is transformed alike in every language",
          "[access-log]") {
  const auto log = logged_requests();
  INFO(log);
  REQUIRE(std::count(log.begin(), log.end(), '\n') == 5);
  const ScratchFolder folder;
  const auto file = folder.write("access.log", log + "this line is no access log\n");
  const auto event =
      tests::run_hearth({"generate-event", "firehose", "direct-put", "--from", file});
  INFO(event.errors);
  REQUIRE(event.status == 0);
  REQUIRE(json::parse(event.output)["records"].size() == 6);

  const auto transformed = [&](const std::string& name) {
    const auto ended = tests::invoke({"--template", tests::handler_template(name), "--event", "-"},
                                     {.input = event.output});
    INFO(ended.errors);
    CHECK(ended.status == 0);
    return ended.output;
  };
  const auto cpp = transformed("firehose-cpp");
  CHECK(transformed("firehose-node") == cpp);
  // Python's client puts a space after colons and commas; within the strings there is nothing of
  // it.
  CHECK(nlohmann::ordered_json::parse(transformed("firehose-python")).dump() == cpp);

  const auto records = json::parse(cpp)["records"];
  const std::vector<std::string> results = {"Ok", "Ok", "Dropped", "Ok", "Ok", "ProcessingFailed"};
  for (std::size_t at = 0; at < results.size(); ++at) {
    INFO(records[at]);
    CHECK(records[at]["result"] == results[at]);
    CHECK(records[at]["recordId"] == json::parse(event.output)["records"][at]["recordId"]);
  }
  const auto entry = [&](std::size_t at) { return json::parse(decoded(records[at]["data"])); };
  CHECK(entry(0)["status"] == 200);
  CHECK(entry(0)["user_agent"] == "tests/1");
  CHECK(entry(0)["client"] == "127.0.0.1");
  CHECK(entry(1)["status"] == 404);
  CHECK(entry(1)["path"] == "/missing?a=b");
  CHECK(entry(3)["method"] == "HEAD");
  CHECK(entry(4)["user_agent"] == "says \"quoted\" \\ and more");
}
