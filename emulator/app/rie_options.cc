#include "emulator/app/rie_options.h"

#include <charconv>
#include <cstdint>
#include <utility>

namespace emulator::app {
namespace {

// The largest timeout that fits the clock arithmetic below; RIE has none. Ours: a year.
constexpr std::int64_t kMaxRieTimeoutSeconds = 366LL * 24 * 3600;

constexpr std::int64_t kMaxRieMemoryMb = 1'000'000'000;

tl::unexpected<RieOptionsError> refuse(std::string message) {
  return tl::unexpected(RieOptionsError{std::move(message), 1});
}

std::string lower(std::string text) {
  for (char& c : text) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c + ('a' - 'A'));
  }
  return text;
}

// The variable's value; nullopt when it is unset or empty.
std::optional<std::string> variable(const Variables& environment, const std::string& name) {
  const auto found = environment.find(name);
  if (found == environment.end() || found->second.empty()) return std::nullopt;
  return found->second;
}

tl::expected<RieLogLevel, RieOptionsError> parse_level(const std::string& text) {
  const auto level = lower(text);
  if (level == "panic" || level == "fatal" || level == "error") return RieLogLevel::error;
  if (level == "warning" || level == "warn") return RieLogLevel::warning;
  if (level == "info") return RieLogLevel::info;
  if (level == "debug") return RieLogLevel::debug;
  if (level == "trace") return RieLogLevel::trace;
  return refuse(
      "Failed to set log level. Valid log levels are:"
      "[panic fatal error warning info debug trace]");
}

tl::expected<HostAndPort, RieOptionsError> parse_address(std::string_view flag,
                                                         std::string_view text) {
  const auto colon = text.rfind(':');
  const auto port_text =
      colon == std::string_view::npos ? std::string_view{} : text.substr(colon + 1);
  int port = -1;
  const auto [end, error] =
      std::from_chars(port_text.data(), port_text.data() + port_text.size(), port);
  const bool whole = error == std::errc{} && end == port_text.data() + port_text.size();
  if (!whole || port < 0 || port > 65535) {
    return refuse(std::string(flag) + ": '" + std::string(text) +
                  "' is not an address; write HOST:PORT, for example 127.0.0.1:9001");
  }
  auto host = text.substr(0, colon);
  if (host.starts_with('[') && host.ends_with(']')) host = host.substr(1, host.size() - 2);
  // Go listens on every interface when the host is left out.
  return HostAndPort{host.empty() ? "0.0.0.0" : std::string(host), port};
}

tl::expected<std::int64_t, RieOptionsError> parse_count(const Variables& environment,
                                                        const std::string& name,
                                                        std::int64_t otherwise,
                                                        std::int64_t max,
                                                        std::string_view unit) {
  const auto text = variable(environment, name);
  if (!text) return otherwise;
  std::int64_t value = -1;
  const auto [end, error] = std::from_chars(text->data(), text->data() + text->size(), value);
  if (error != std::errc{} || end != text->data() + text->size() || value < 0 || value > max) {
    return refuse("the environment variable " + name + " is '" + *text +
                  "', which is not a whole number of " + std::string(unit) +
                  "; set it to one, or leave it out for " + std::to_string(otherwise));
  }
  return value;
}

// One word of the command line, seen as a flag.
struct Flag {
  std::string_view name;
  std::optional<std::string_view> value;  // what follows '=' in the same word
};

std::optional<Flag> as_flag(std::string_view word) {
  if (word.size() < 3 || !word.starts_with("--")) return std::nullopt;
  const auto equals = word.find('=');
  if (equals == std::string_view::npos) return Flag{word, std::nullopt};
  return Flag{word.substr(0, equals), word.substr(equals + 1)};
}

struct FlagTexts {
  std::optional<std::string> log_level;
  std::optional<std::string> runtime_api;
  std::optional<std::string> front_door;
  InitCaching init_caching = InitCaching::disabled;
  std::vector<std::string> command;
};

std::optional<std::string>* value_of(std::string_view name, FlagTexts& texts) {
  if (name == "--log-level") return &texts.log_level;
  if (name == "--runtime-api-address") return &texts.runtime_api;
  if (name == "--runtime-interface-emulator-address") return &texts.front_door;
  return nullptr;
}

tl::expected<FlagTexts, RieOptionsError> split_arguments(
    const std::vector<std::string>& arguments) {
  FlagTexts texts;
  for (std::size_t i = 0; i < arguments.size(); ++i) {
    const auto flag = as_flag(arguments[i]);
    if (flag && flag->name == "--enable-init-caching") {
      if (flag->value) return refuse("the flag --enable-init-caching takes no value; leave it out");
      texts.init_caching = InitCaching::enabled;
      continue;
    }
    auto* into = flag ? value_of(flag->name, texts) : nullptr;
    if (into == nullptr) {
      texts.command.push_back(arguments[i]);
    } else if (flag->value) {
      *into = std::string(*flag->value);
    } else if (i + 1 < arguments.size() && !as_flag(arguments[i + 1])) {
      *into = arguments[++i];
    } else {
      return refuse("expected argument for flag `" + std::string(flag->name) +
                    "'; write the value behind it, or as " + std::string(flag->name) + "=VALUE");
    }
  }
  return texts;
}

tl::expected<void, RieOptionsError> read_variables(const Variables& environment,
                                                   RieOptions& options) {
  const auto timeout = parse_count(environment,
                                   "AWS_LAMBDA_FUNCTION_TIMEOUT",
                                   options.timeout.count(),
                                   kMaxRieTimeoutSeconds,
                                   "seconds");
  if (!timeout) return tl::unexpected(timeout.error());
  options.timeout = std::chrono::seconds(*timeout);
  const auto memory = parse_count(environment,
                                  "AWS_LAMBDA_FUNCTION_MEMORY_SIZE",
                                  options.memory.mebibytes,
                                  kMaxRieMemoryMb,
                                  "megabytes");
  if (!memory) return tl::unexpected(memory.error());
  options.memory = {*memory};
  const auto text = [&](const char* name, std::string otherwise) {
    return variable(environment, name).value_or(std::move(otherwise));
  };
  options.function_name = text("AWS_LAMBDA_FUNCTION_NAME", options.function_name);
  options.function_version = text("AWS_LAMBDA_FUNCTION_VERSION", options.function_version);
  options.access_key_id = text("AWS_ACCESS_KEY_ID", {});
  options.secret_access_key = text("AWS_SECRET_ACCESS_KEY", {});
  options.session_token = text("AWS_SESSION_TOKEN", {});
  options.handler = text("AWS_LAMBDA_FUNCTION_HANDLER", text("_HANDLER", {}));
  return {};
}

}  // namespace

tl::expected<RieOptions, RieOptionsError> parse_rie_options(
    const std::vector<std::string>& arguments, const Variables& environment) {
  auto texts = split_arguments(arguments);
  if (!texts) return tl::unexpected(std::move(texts.error()));

  RieOptions options;
  // RIE looks only whether the variable is there.
  if (const auto found = environment.find("AWS_LAMBDA_MAX_CONCURRENCY");
      found != environment.end()) {
    options.max_concurrency = found->second;
  }
  options.init_caching = texts->init_caching;
  const auto level =
      parse_level(texts->log_level.value_or(variable(environment, "LOG_LEVEL").value_or("info")));
  if (!level) return tl::unexpected(level.error());
  options.log_level = *level;
  if (texts->runtime_api) {
    const auto address = parse_address("--runtime-api-address", *texts->runtime_api);
    if (!address) return tl::unexpected(address.error());
    options.runtime_api = *address;
  }
  if (texts->front_door) {
    const auto address = parse_address("--runtime-interface-emulator-address", *texts->front_door);
    if (!address) return tl::unexpected(address.error());
    options.front_door = *address;
  }
  if (auto read = read_variables(environment, options); !read) {
    return tl::unexpected(std::move(read.error()));
  }
  options.command = std::move(texts->command);
  if (options.command.size() >= 2) options.handler = options.command.back();
  return options;
}

std::string find_bootstrap(const std::function<bool(std::string_view path)>& is_file) {
  for (const auto path : kBootstrapPaths) {
    if (is_file(path)) return std::string(path);
  }
  return std::string(kBootstrapPaths.front());
}

Variables rie_runtime_environment(const RieOptions& options,
                                  const Variables& inherited,
                                  std::string_view runtime_api) {
  auto variables = inherited;
  // With init caching the credentials come from the Runtime API; inherited ones still pass through.
  if (options.init_caching == InitCaching::disabled) {
    variables["AWS_ACCESS_KEY_ID"] = options.access_key_id;
    variables["AWS_SECRET_ACCESS_KEY"] = options.secret_access_key;
    variables["AWS_SESSION_TOKEN"] = options.session_token;
  }
  if (!options.handler.empty()) variables["_HANDLER"] = options.handler;
  variables["AWS_LAMBDA_FUNCTION_NAME"] = options.function_name;
  variables["AWS_LAMBDA_FUNCTION_VERSION"] = options.function_version;
  variables["AWS_LAMBDA_FUNCTION_MEMORY_SIZE"] = std::to_string(options.memory.mebibytes);
  variables["AWS_LAMBDA_LOG_GROUP_NAME"] = "/aws/lambda/Functions";
  variables["AWS_LAMBDA_LOG_STREAM_NAME"] = "$LATEST";
  variables["AWS_LAMBDA_RUNTIME_API"] = runtime_api;
  return variables;
}

}  // namespace emulator::app
