"""proto/openapi.yaml as a judge: is this exchange one that the document allows?"""
import json
import pathlib
import re

import jsonschema
import yaml

ROOT = pathlib.Path(__file__).resolve().parents[2]


def _closed(node):
    """The document lets answers grow; the tests do not: a field it does not name is a fault."""
    if isinstance(node, dict):
        node = {key: _closed(value) for key, value in node.items()}
        if "properties" in node and node.get("type") == "object":
            node.setdefault("additionalProperties", False)
        return node
    if isinstance(node, list):
        return [_closed(value) for value in node]
    return node


class Contract:
    def __init__(self):
        with open(ROOT / "proto/openapi.yaml", encoding="utf-8") as file:
            self.document = yaml.safe_load(file)
        with open(ROOT / "proto/errors.yaml", encoding="utf-8") as file:
            self.errors = {entry["code"]: entry for entry in yaml.safe_load(file)["errors"]}
        self.components = _closed(self.document["components"])
        # A whole OCI configuration goes through /oci.
        self.components["schemas"]["OciConfig"] = self.document["components"]["schemas"]["OciConfig"]

    def resolve(self, node):
        while "$ref" in node:
            target = self.document
            for part in node["$ref"][2:].split("/"):
                target = target[part]
            node = target
        return node

    def validate(self, value, schema):
        wrapped = {"components": self.components, "allOf": [_closed(schema)]}
        jsonschema.Draft202012Validator(wrapped).validate(value)

    def operation(self, method, path):
        """The operation for a path without its query; None when the document has none."""
        for pattern, item in self.document["paths"].items():
            regex = "^" + re.sub(r"\{\w+\}", "[^/]+", pattern.replace(".", r"\.")) + "$"
            if re.match(regex, path) and method.lower() in item:
                return item[method.lower()]
        return None

    def check(self, method, target, status, headers, body):
        """Raises AssertionError or ValidationError unless the answer is in the document."""
        path = target.split("?")[0]
        content_type = headers.get("Content-Type", "").split(";")[0]
        if status >= 400:
            return self.check_problem(path, status, content_type, body)
        operation = self.operation(method, path)
        assert operation is not None, f"{method} {path} succeeded, but is not in openapi.yaml"
        assert str(status) in operation["responses"], f"{method} {path}: status {status} is not in openapi.yaml"
        content = self.resolve(operation["responses"][str(status)]).get("content")
        if content is None:
            assert body == b"", f"{method} {path}: {status} has a body"
            return None
        assert content_type in content, f"{method} {path}: content type {content_type} is not in openapi.yaml"
        schema = content[content_type].get("schema")
        if content_type == "application/x-ndjson":
            for line in body.splitlines():
                self.validate(json.loads(line), schema)
        elif content_type == "text/plain":
            self.validate(body.decode(), schema)
        elif schema is not None:
            self.validate(json.loads(body), schema)
        return None

    def check_problem(self, path, status, content_type, body):
        assert content_type == "application/problem+json", content_type
        problem = json.loads(body)
        self.validate(problem, {"$ref": "#/components/schemas/Problem"})
        assert problem["status"] == status
        assert problem["type"] == "/v1/errors/" + problem["code"]
        if status != 405:
            assert self.errors[problem["code"]]["status"] == status, problem
        assert problem["instance"] in (path, ""), problem
