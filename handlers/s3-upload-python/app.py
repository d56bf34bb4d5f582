"""Describes each object that S3 says was uploaded."""

import hashlib
import json
import posixpath
from urllib.parse import unquote_plus

CONTENT_TYPES = {
    ".csv": "text/csv",
    ".gif": "image/gif",
    ".gz": "application/gzip",
    ".html": "text/html",
    ".jpeg": "image/jpeg",
    ".jpg": "image/jpeg",
    ".json": "application/json",
    ".pdf": "application/pdf",
    ".png": "image/png",
    ".txt": "text/plain",
    ".zip": "application/zip",
}


def handler(event, context):
    # S3's test message, which a queue may pass on, has no records.
    objects = [describe(record["s3"]) for record in event.get("Records", [])]
    for described in objects:
        print(json.dumps(described, ensure_ascii=False))
    return {"objects": objects}


def describe(s3):
    bucket = s3["bucket"]["name"]
    key = unquote_plus(s3["object"]["key"])  # in events, keys are form-encoded
    extension = posixpath.splitext(key)[1].lower()
    return {
        "id": object_id(bucket, key),
        "bucket": bucket,
        "key": key,
        "size": s3["object"].get("size", 0),
        "content_type": CONTENT_TYPES.get(extension, "application/octet-stream"),
    }


def object_id(bucket, key):
    """The same object has the same id, whenever and wherever it is uploaded again."""
    return hashlib.sha256(f"{bucket}/{key}".encode("utf-8")).hexdigest()[:32]
