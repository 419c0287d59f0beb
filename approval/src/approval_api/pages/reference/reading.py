"""Reads this service's OpenAPI document as its reference page shows it: operations, fields, an example. Pure.

The document is this program's own, so its size is known; depths are bounded all the same, since types may
refer to themselves.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

MAX_DEPTH = 6
_METHODS = ("get", "post", "put", "patch", "delete")

type Schema = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Field:
    """A parameter, or a field of a body."""

    name: str
    type: str
    required: bool
    description: str
    where: str = "body"
    """`path`, `query`, `header` or `body`."""
    example: str = ""


@dataclass(frozen=True, slots=True)
class Operation:
    """One method of one path."""

    id: str
    method: str
    path: str
    summary: str
    more: str
    permission: str
    """Empty when it is open to all."""
    parameters: tuple[Field, ...]
    fields: tuple[Field, ...]
    """Fields of the body; empty without one."""
    example: str
    """A body, as JSON; empty without one."""
    answers: tuple[tuple[str, str], ...]
    """Status and what it holds."""


def tags_of(document: Schema) -> list[str]:
    """Return the names of the groups, in order."""
    return sorted({tag for _, _, operation in _all(document) for tag in operation.get("tags", ())})


def operations_of(
    document: Schema, tag: str, permissions: Mapping[tuple[str, str], str]
) -> tuple[Operation, ...]:
    """Return the operations of a group; `permissions` by method and path."""
    return tuple(
        _operation(document, path, method, operation, permissions.get((method.upper(), path), ""))
        for path, method, operation in _all(document)
        if tag in operation.get("tags", ())
    )


def _all(document: Schema) -> Iterator[tuple[str, str, Schema]]:
    for path, methods in document.get("paths", {}).items():
        for method in _METHODS:
            if method in methods:
                yield path, method, methods[method]


def _operation(document: Schema, path: str, method: str, operation: Schema, permission: str) -> Operation:
    summary, _, more = operation.get("description", operation.get("summary", "")).partition("\n")
    content = operation.get("requestBody", {}).get("content", {})
    body = content.get("application/json", {}).get("schema")
    return Operation(
        id=operation.get("operationId", f"{method}{path}"),
        method=method.upper(),
        path=path,
        summary=summary.replace("`", ""),
        more=" ".join(more.split()),
        permission=permission,
        parameters=tuple(_parameters(document, operation)),
        fields=tuple(_fields(document, body)) if body else (),
        example=json.dumps(_example(document, body), indent=2, ensure_ascii=False) if body else "",
        answers=tuple(_answers(document, operation)),
    )


def _parameters(document: Schema, operation: Schema) -> Iterator[Field]:
    for each in operation.get("parameters", ()):
        schema = each.get("schema", {})
        examples = schema.get("examples") or [schema.get("default")]
        example = examples[0] if each.get("required") or schema.get("default") is not None else None
        yield Field(
            name=each["name"],
            type=_type(document, schema),
            required=each.get("required", False),
            description=_words(each.get("description") or schema.get("description", "")),
            where=each["in"],
            example="" if example is None else str(example),
        )


def _fields(document: Schema, schema: Schema) -> Iterator[Field]:
    body = _resolved(document, schema)
    required = body.get("required", ())
    for name, each in body.get("properties", {}).items():
        yield Field(
            name=name,
            type=_type(document, each),
            required=name in required,
            description=_words(each.get("description", "")),
        )


def _answers(document: Schema, operation: Schema) -> Iterator[tuple[str, str]]:
    for status, answer in operation.get("responses", {}).items():
        kinds = [
            f"{_type(document, held.get('schema', {}))} ({media})"
            for media, held in answer.get("content", {}).items()
        ]
        yield status, ", ".join(kinds) or answer.get("description", "")


def _type(document: Schema, schema: Schema, depth: int = 0) -> str:
    if "$ref" in schema:
        return str(schema["$ref"]).rpartition("/")[2]
    several = schema.get("anyOf") or schema.get("oneOf")
    if several and depth < MAX_DEPTH:
        return " or ".join(dict.fromkeys(_type(document, each, depth + 1) for each in several))
    words = [schema["const"]] if "const" in schema else schema.get("enum", ())
    if words:
        return " or ".join(map(json.dumps, words))
    if schema.get("type") == "array" and depth < MAX_DEPTH:
        return f"list of {_type(document, schema.get('items', {}), depth + 1)}"
    kind = str(schema.get("type") or schema.get("title") or "anything")
    return f"{kind} ({schema['format']})" if "format" in schema else kind


def _resolved(document: Schema, schema: Schema, depth: int = 0) -> Schema:
    if "$ref" not in schema or depth >= MAX_DEPTH:
        return schema
    name = str(schema["$ref"]).rpartition("/")[2]
    found: Schema = document.get("components", {}).get("schemas", {}).get(name, {})
    return _resolved(document, found, depth + 1)


def _example(document: Schema, schema: Schema, depth: int = 0) -> Any:
    """Return a value that shows what is required, with the document's own examples where it has some."""
    schema = _resolved(document, schema)
    stated = [*schema.get("examples", ()), *schema.get("enum", ())]
    stated += [schema[known] for known in ("default", "const") if known in schema]
    if stated or depth >= MAX_DEPTH:
        return stated[0] if stated else None
    several = schema.get("anyOf") or schema.get("oneOf")
    if several:
        return _example(document, several[0], depth + 1)
    return _example_by_type(document, schema, depth)


def _example_by_type(document: Schema, schema: Schema, depth: int) -> Any:
    properties = schema.get("properties", {})
    match schema.get("type"):
        case "object":
            required = schema.get("required") or list(properties)[:3]
            return {name: _example(document, properties[name], depth + 1) for name in required}
        case "array":
            return [_example(document, schema.get("items", {}), depth + 1)]
        case "integer" | "number":
            return schema.get("minimum", 0)
        case "boolean":
            return False
        case _:
            return "00000000-0000-4000-8000-000000000000" if schema.get("format") == "uuid" else ""


def _words(text: str) -> str:
    return " ".join(text.split())
