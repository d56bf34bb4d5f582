#include "emulator/template/resource_names.h"

#include <algorithm>
#include <array>

namespace emulator::templates {
namespace {

enum class RefGives { name, arn, url };

struct ResourceType {
  std::string_view type;
  std::string_view name_property;
  std::string_view service;
  std::string_view arn_prefix;  // before the name, after the account
  RefGives ref = RefGives::name;
};

constexpr std::array kTypes = {
    ResourceType{"AWS::Serverless::Function", "FunctionName", "lambda", "function:"},
    ResourceType{"AWS::Lambda::Function", "FunctionName", "lambda", "function:"},
    ResourceType{"AWS::Serverless::CapacityProvider",
                 "CapacityProviderName",
                 "lambda",
                 "capacity-provider:"},
    ResourceType{
        "AWS::Lambda::CapacityProvider", "CapacityProviderName", "lambda", "capacity-provider:"},
    ResourceType{"AWS::Serverless::LayerVersion", "LayerName", "lambda", "layer:", RefGives::arn},
    ResourceType{"AWS::Lambda::LayerVersion", "LayerName", "lambda", "layer:", RefGives::arn},
    ResourceType{"AWS::S3::Bucket", "BucketName", "s3", ""},
    ResourceType{"AWS::SQS::Queue", "QueueName", "sqs", "", RefGives::url},
    ResourceType{"AWS::SNS::Topic", "TopicName", "sns", "", RefGives::arn},
    ResourceType{"AWS::DynamoDB::Table", "TableName", "dynamodb", "table/"},
    ResourceType{"AWS::Serverless::SimpleTable", "TableName", "dynamodb", "table/"},
    ResourceType{"AWS::Kinesis::Stream", "Name", "kinesis", "stream/"},
    ResourceType{"AWS::KinesisFirehose::DeliveryStream",
                 "DeliveryStreamName",
                 "firehose",
                 "deliverystream/"},
    ResourceType{"AWS::IAM::Role", "RoleName", "iam", "role/"},
    ResourceType{"AWS::Events::EventBus", "Name", "events", "event-bus/"},
    ResourceType{"AWS::Logs::LogGroup", "LogGroupName", "logs", "log-group:"},
    ResourceType{"AWS::SSM::Parameter", "Name", "ssm", "parameter/"},
    ResourceType{"AWS::SecretsManager::Secret", "Name", "secretsmanager", "secret:", RefGives::arn},
    ResourceType{"AWS::StepFunctions::StateMachine",
                 "StateMachineName",
                 "states",
                 "stateMachine:",
                 RefGives::arn},
    ResourceType{"AWS::Serverless::StateMachine", "Name", "states", "stateMachine:", RefGives::arn},
};

const ResourceType* find_type(std::string_view type) {
  const auto* found = std::find_if(
      kTypes.begin(), kTypes.end(), [&](const ResourceType& known) { return known.type == type; });
  return found == kTypes.end() ? nullptr : found;
}

std::string lower_case(std::string text) {
  std::transform(text.begin(), text.end(), text.begin(), [](char c) {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  });
  return text;
}

// AWS::Foo::Bar → foo
std::string service_of(std::string_view type) {
  const auto first = type.find("::");
  if (first == std::string_view::npos) return "unknown";
  type.remove_prefix(first + 2);
  return lower_case(std::string(type.substr(0, type.find("::"))));
}

std::string arn(const ResourceIdentity& resource, const Deployment& deployment) {
  const auto* type = find_type(resource.type);
  const auto service = type ? std::string(type->service) : service_of(resource.type);
  const bool global = service == "s3";
  std::string text = "arn:" + deployment.partition() + ":" + service + ":";
  text.append(global || service == "iam" ? "" : deployment.region).append(":");
  text.append(global ? "" : deployment.account).append(":");
  if (type) text.append(type->arn_prefix);
  text.append(physical_name(resource, deployment));
  if (is_layer_type(resource.type)) text.append(":1");
  return text;
}

std::string queue_url(const ResourceIdentity& resource, const Deployment& deployment) {
  return "https://sqs." + deployment.region + "." + deployment.url_suffix() + "/" +
         deployment.account + "/" + physical_name(resource, deployment);
}

std::optional<std::string> bucket_attribute(const ResourceIdentity& resource,
                                            std::string_view attribute,
                                            const Deployment& deployment) {
  const auto name = physical_name(resource, deployment);
  const auto suffix = deployment.url_suffix();
  if (attribute == "DomainName") return name + ".s3." + suffix;
  if (attribute == "RegionalDomainName") return name + ".s3." + deployment.region + "." + suffix;
  if (attribute == "WebsiteURL") {
    return "http://" + name + ".s3-website-" + deployment.region + "." + suffix;
  }
  return std::nullopt;
}

}  // namespace

std::string Deployment::partition() const {
  if (region.starts_with("cn-")) return "aws-cn";
  if (region.starts_with("us-gov-")) return "aws-us-gov";
  return "aws";
}

std::string Deployment::url_suffix() const {
  return region.starts_with("cn-") ? "amazonaws.com.cn" : "amazonaws.com";
}

std::string Deployment::stack_id() const {
  return "arn:" + partition() + ":cloudformation:" + region + ":" + account + ":stack/" +
         stack_name + "/00000000-0000-0000-0000-000000000000";
}

bool is_function_type(std::string_view type) {
  return type == "AWS::Serverless::Function" || type == "AWS::Lambda::Function";
}

bool is_layer_type(std::string_view type) {
  return type == "AWS::Serverless::LayerVersion" || type == "AWS::Lambda::LayerVersion";
}

std::string_view name_property(std::string_view type) {
  const auto* known = find_type(type);
  return known ? known->name_property : std::string_view{};
}

std::string physical_name(const ResourceIdentity& resource, const Deployment& deployment) {
  if (resource.given_name) return *resource.given_name;
  if (resource.type != "AWS::S3::Bucket") return resource.logical_id;
  return lower_case(deployment.stack_name + "-" + resource.logical_id + "-" + deployment.account);
}

std::string reference_value(const ResourceIdentity& resource, const Deployment& deployment) {
  const auto* type = find_type(resource.type);
  if (type && type->ref == RefGives::arn) return arn(resource, deployment);
  if (type && type->ref == RefGives::url) return queue_url(resource, deployment);
  return physical_name(resource, deployment);
}

std::string attribute_value(const ResourceIdentity& resource,
                            std::string_view attribute,
                            const Deployment& deployment) {
  if (attribute == "Arn" || attribute == "TopicArn" || attribute == "LayerVersionArn") {
    return arn(resource, deployment);
  }
  if (attribute == "QueueName" || attribute == "TopicName") {
    return physical_name(resource, deployment);
  }
  if (attribute == "QueueUrl") return queue_url(resource, deployment);
  if (attribute == "RoleId") return "AROA" + resource.logical_id;
  if (attribute == "StreamArn") {
    return arn(resource, deployment) + "/stream/2024-01-01T00:00:00.000";
  }
  if (resource.type == "AWS::S3::Bucket") {
    if (auto value = bucket_attribute(resource, attribute, deployment)) return *value;
  }
  return resource.logical_id + "." + std::string(attribute);
}

}  // namespace emulator::templates
