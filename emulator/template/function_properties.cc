#include "emulator/template/function_properties.h"

#include <array>

namespace emulator::templates {
namespace {

constexpr std::array<std::string_view, 21> kSharedProperties = {"Architectures",
                                                                "CapacityProviderConfig",
                                                                "CodeSigningConfigArn",
                                                                "Description",
                                                                "DurableConfig",
                                                                "Environment",
                                                                "EphemeralStorage",
                                                                "FileSystemConfigs",
                                                                "FunctionName",
                                                                "Handler",
                                                                "ImageConfig",
                                                                "KmsKeyArn",
                                                                "Layers",
                                                                "LoggingConfig",
                                                                "MemorySize",
                                                                "PackageType",
                                                                "RecursiveLoop",
                                                                "Role",
                                                                "Runtime",
                                                                "RuntimeManagementConfig",
                                                                "Timeout"};
constexpr std::array<std::string_view, 7> kMoreSharedProperties = {"PublishToLatestPublished",
                                                                   "ReservedConcurrentExecutions",
                                                                   "SnapStart",
                                                                   "Tags",
                                                                   "TenancyConfig",
                                                                   "VpcConfig",
                                                                   "FunctionScalingConfig"};
constexpr std::array<std::string_view, 26> kServerlessProperties = {"AssumeRolePolicyDocument",
                                                                    "AutoPublishAlias",
                                                                    "AutoPublishAliasAllProperties",
                                                                    "AutoPublishCodeSha256",
                                                                    "CodeUri",
                                                                    "DeadLetterQueue",
                                                                    "DeploymentPreference",
                                                                    "EventInvokeConfig",
                                                                    "Events",
                                                                    "FunctionUrlConfig",
                                                                    "ImageUri",
                                                                    "InlineCode",
                                                                    "PermissionsBoundary",
                                                                    "Policies",
                                                                    "PropagateTags",
                                                                    "ProvisionedConcurrencyConfig",
                                                                    "RolePath",
                                                                    "SourceKMSKeyArn",
                                                                    "Tracing",
                                                                    "VersionDeletionPolicy",
                                                                    "VersionDescription",
                                                                    "Connectors",
                                                                    "LoggingConfig",
                                                                    "SnapStart",
                                                                    "RecursiveLoop",
                                                                    "TenancyConfig"};
constexpr std::array<std::string_view, 3> kPlainProperties = {
    "Code", "DeadLetterConfig", "TracingConfig"};

}  // namespace

std::vector<std::string> known_properties(std::string_view type) {
  std::vector<std::string> names(kSharedProperties.begin(), kSharedProperties.end());
  names.insert(names.end(), kMoreSharedProperties.begin(), kMoreSharedProperties.end());
  if (type == "AWS::Serverless::Function") {
    names.insert(names.end(), kServerlessProperties.begin(), kServerlessProperties.end());
  } else {
    names.insert(names.end(), kPlainProperties.begin(), kPlainProperties.end());
  }
  return names;
}

}  // namespace emulator::templates
