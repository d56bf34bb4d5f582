"""A small HTTP service. Behind a REST API (payload 1.0) or an HTTP API (2.0) it is the same."""

import base64
import json
import re


def handler(event, context):
    request = read(event)
    for method, pattern, action in ROUTES:
        match = re.fullmatch(pattern, request["path"])
        if match and method == request["method"]:
            return action(request, *match.groups())
    return reply(404, {"error": f"there is no {request['method']} {request['path']}"})


def read(event):
    """What the two payload formats have in common, in one form."""
    if event.get("version") == "2.0":
        context = event["requestContext"]
        method = context["http"]["method"]
        path = event["rawPath"]
        if context.get("stage", "$default") != "$default":
            path = path.removeprefix("/" + context["stage"])  # 2.0 leaves the stage in the path
        cookies = event.get("cookies", [])
    else:
        method = event["httpMethod"]
        path = event["path"]
        cookies = []
    headers = {name.lower(): value for name, value in (event.get("headers") or {}).items()}
    cookies = cookies or [pair for pair in headers.get("cookie", "").split("; ") if pair]
    body = event.get("body") or ""
    return {
        "method": method,
        "path": path or "/",
        "query": event.get("queryStringParameters") or {},
        "headers": headers,
        "cookies": dict(pair.split("=", 1) for pair in cookies if "=" in pair),
        "body": base64.b64decode(body) if event.get("isBase64Encoded") else body.encode("utf-8"),
    }


def hello(request):
    name = request["query"].get("name") or request["cookies"].get("name") or "world"
    return reply(200, {"message": f"Hello, {name}!"})


def add(request):
    try:
        numbers = json.loads(request["body"])["numbers"]
        return reply(200, {"sum": sum(numbers)})
    except (ValueError, KeyError, TypeError):
        return reply(400, {"error": 'send a JSON object such as {"numbers": [1, 2]}'})


def show_item(request, item):
    return reply(200, {"item": item})


def size(request):
    return reply(200, {"bytes": len(request["body"])})


def reply(status, value):
    return {
        "statusCode": status,
        "headers": {"Content-Type": "application/json"},
        "body": json.dumps(value, ensure_ascii=False, separators=(",", ":")),
        "isBase64Encoded": False,
    }


ROUTES = [
    ("GET", "/hello", hello),
    ("POST", "/sum", add),
    ("GET", "/items/([^/]+)", show_item),
    ("PUT", "/size", size),
]
