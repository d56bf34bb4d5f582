#!/usr/bin/env python3
"""Writes lambda_model.json: the facts of the public service model that Hearth goes by.

    .venv/bin/python extract_model.py [--check]

The model is that of the installed botocore, whose version tests/end_to_end/requirements.txt pins.
Kept are names, methods, paths, statuses, places on the wire, types and constraints; the model's
documentation is not. With --check nothing is written: the exit status is 1 when the file would be
another.
"""
import argparse
import gzip
import json
import pathlib
import sys

import botocore

SHAPE_FACTS = ("type", "required", "payload", "min", "max", "pattern", "enum", "sensitive")
MEMBER_FACTS = ("shape", "location", "locationName")


def kept(facts, names):
    return {name: facts[name] for name in names if name in facts}


def shape_facts(shape):
    facts = kept(shape, SHAPE_FACTS)
    if "members" in shape:
        facts["members"] = {
            name: kept(member, MEMBER_FACTS) for name, member in shape["members"].items()}
    for part in ("member", "key", "value"):
        if part in shape:
            facts[part] = shape[part]["shape"]
    return facts


def reachable(shapes, roots):
    found, left = set(), list(roots)
    while left:
        name = left.pop()
        if name in found:
            continue
        found.add(name)
        facts = shape_facts(shapes[name])
        left += [member["shape"] for member in facts.get("members", {}).values()]
        left += [facts[part] for part in ("member", "key", "value") if part in facts]
    return found


def error_facts(shape):
    keys = [name for name in shape["members"] if name.lower() == "message"]
    return {"status": shape["error"]["httpStatusCode"], "message": keys[0] if keys else "message"}


def operation_facts(operation):
    facts = {"method": operation["http"]["method"],
             "path": operation["http"]["requestUri"],
             "status": operation["http"]["responseCode"]}
    for part in ("input", "output"):
        if part in operation:
            facts[part] = operation[part]["shape"]
    facts["errors"] = sorted(error["shape"] for error in operation.get("errors", []))
    return facts


def extracted(model):
    operations = {name: operation_facts(model["operations"][name])
                  for name in sorted(model["operations"])}
    roots = [facts[part] for facts in operations.values()
             for part in ("input", "output") if part in facts]
    errors = {error for facts in operations.values() for error in facts["errors"]}
    shapes = model["shapes"]
    return {"operations": operations,
            "errors": {name: error_facts(shapes[name]) for name in sorted(errors)},
            "shapes": {name: shape_facts(shapes[name])
                       for name in sorted(reachable(shapes, roots))}}


def as_text(model):
    """One fact sheet a line, so that a new model's differences can be read."""
    parts = []
    for part, entries in model.items():
        lines = ",\n".join(f"  {json.dumps(name)}: {json.dumps(facts)}"
                           for name, facts in entries.items())
        parts.append(f" {json.dumps(part)}: {{\n{lines}\n }}")
    return "{\n" + ",\n".join(parts) + "\n}\n"


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--check", action="store_true")
    words = parser.parse_args()
    service_model = (pathlib.Path(botocore.__file__).parent /
                     "data" / "lambda" / "2015-03-31" / "service-2.json.gz")
    with gzip.open(service_model) as file:
        text = as_text(extracted(json.load(file)))
    place = pathlib.Path(__file__).with_name("lambda_model.json")
    if not words.check:
        place.write_text(text)
    elif place.read_text() != text:
        print(f"{place.name} is not what botocore {botocore.__version__} says; run "
              "extract_model.py without --check and read what has changed", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
