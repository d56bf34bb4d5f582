"""Calls Lambda's API through boto3, as any program would.

lambda_client.py ENDPOINT < CALLS: CALLS is a JSON list of {operation: arguments}; printed is the
list of what came of them, an exception as {"error": code, ...}. Bytes become text.
"""

import json
import sys

import boto3
import botocore.config
import botocore.exceptions


def client(endpoint):
    return boto3.client(
        "lambda",
        endpoint_url=endpoint,
        region_name="us-east-1",
        aws_access_key_id="any",
        aws_secret_access_key="any",
        config=botocore.config.Config(retries={"total_max_attempts": 1}),
    )


def outcome(service, operation, arguments):
    try:
        answer = getattr(service, operation)(**arguments)
    except botocore.exceptions.ClientError as error:
        return {
            "error": error.response["Error"]["Code"],
            "message": error.response["Error"]["Message"],
            "exception": type(error).__name__,
            "reason": error.response.get("Reason"),
            "status": error.response["ResponseMetadata"]["HTTPStatusCode"],
        }
    if "Payload" in answer:
        answer["Payload"] = answer["Payload"].read().decode("utf-8")
    answer["headers"] = answer.pop("ResponseMetadata")["HTTPHeaders"]
    return answer


def main():
    service = client(sys.argv[1])
    calls = json.load(sys.stdin)
    results = [outcome(service, *pair) for call in calls for pair in call.items()]
    json.dump(results, sys.stdout)


if __name__ == "__main__":
    main()
