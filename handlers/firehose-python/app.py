"""Firehose data transformation: Apache access-log lines in, JSON lines out."""

import base64
import re

import access_log

BASE64 = re.compile(r"(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?")


def handler(event, context):
    return {"records": [transform(record) for record in event["records"]]}


def transform(record):
    """Firehose wants every record back, under its own id and in its place."""
    entry = parse(record["data"])
    if entry is None:
        return answer(record, "ProcessingFailed", record["data"])
    if access_log.is_health_check(entry):
        return answer(record, "Dropped", record["data"])
    line = access_log.to_json(entry).encode("utf-8")
    return answer(record, "Ok", base64.b64encode(line).decode("ascii"))


def parse(data):
    if not BASE64.fullmatch(data):
        return None
    try:
        line = base64.b64decode(data).decode("utf-8")
    except UnicodeDecodeError:
        return None
    return access_log.parse(re.sub(r"\r?\n\Z", "", line))


def answer(record, result, data):
    return {"recordId": record["recordId"], "result": result, "data": data}
