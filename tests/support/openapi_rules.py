"""Rules that an OpenAPI 3.1 document must keep to be readable by tools (openapis.org, 3.1.0)."""

import re
from collections import Counter
from collections.abc import Iterator
from typing import Any

METHODS = {"get", "put", "post", "delete", "options", "head", "patch", "trace"}
_RESPONSE = re.compile(r"default|[1-5](?:\d\d|XX)")
_COMPONENT = re.compile(r"[A-Za-z0-9._-]+")


def faults_of(document: dict[str, Any]) -> list[str]:
    """Return every rule that the document breaks, each with its place."""
    return [*_faults_at_the_top(document), *_faults_of_references(document), *_faults_of_operations(document)]


def _faults_at_the_top(document: dict[str, Any]) -> Iterator[str]:
    if not re.fullmatch(r"3\.1\.\d+", str(document.get("openapi"))):
        yield f"openapi: {document.get('openapi')!r} is no version 3.1"
    for name in ("title", "version"):
        if not document.get("info", {}).get(name):
            yield f"info.{name} is missing"
    for path in document.get("paths", {}):
        if not path.startswith("/"):
            yield f"paths.{path} does not begin with a slash"
    for kind, components in document.get("components", {}).items():
        yield from (
            f"components.{kind}.{name} is no name" for name in components if not _COMPONENT.fullmatch(name)
        )


def _faults_of_references(document: dict[str, Any]) -> Iterator[str]:
    for place, value in _walk(document, ""):
        if not isinstance(value, dict):
            continue
        mapping = value.get("discriminator", {})
        targets = [value.get("$ref")] if isinstance(value.get("$ref"), str) else []
        if isinstance(mapping, dict) and isinstance(mapping.get("mapping"), dict):
            targets += mapping["mapping"].values()
        for target in targets:
            if not target.startswith("#/") or not _leads_somewhere(document, target):
                yield f"{place}: {target} leads nowhere"


def _leads_somewhere(document: dict[str, Any], reference: str) -> bool:
    found: Any = document
    for step in reference.removeprefix("#/").split("/"):
        name = step.replace("~1", "/").replace("~0", "~")
        if not isinstance(found, dict) or name not in found:
            return False
        found = found[name]
    return True


def _faults_of_operations(document: dict[str, Any]) -> Iterator[str]:
    schemes = set(document.get("components", {}).get("securitySchemes", {}))
    names: Counter[str] = Counter()
    for path, item in document.get("paths", {}).items():
        for method, operation in item.items():
            place = f"{method.upper()} {path}"
            if method not in METHODS:
                yield f"{place}: this is no method"
                continue
            names[operation.get("operationId", f"none at {place}")] += 1
            yield from _faults_of_parameters(place, path, operation.get("parameters", []))
            yield from _faults_of_answers(place, operation.get("responses", {}))
            unknown = {name for needed in operation.get("security", []) for name in needed} - schemes
            yield from (f"{place}: {name} is no security scheme" for name in unknown)
    yield from (f"{name}: an operationId of {times} operations" for name, times in names.items() if times > 1)


def _faults_of_parameters(place: str, path: str, parameters: list[dict[str, Any]]) -> Iterator[str]:
    names = [(each["in"], each["name"]) for each in parameters]
    if len(set(names)) < len(names):
        yield f"{place}: a parameter stands twice"
    if {name for where, name in names if where == "path"} != set(re.findall(r"{(\w+)}", path)):
        yield f"{place}: its parameters are not those of its path"
    if any(each["in"] == "path" and each.get("required") is not True for each in parameters):
        yield f"{place}: a parameter of the path is not required"
    if any(("schema" in each) == ("content" in each) for each in parameters):
        yield f"{place}: a parameter has neither schema nor content, or both"


def _faults_of_answers(place: str, answers: dict[str, Any]) -> Iterator[str]:
    if not answers:
        yield f"{place}: no answer is described"
    for status, answer in answers.items():
        if not _RESPONSE.fullmatch(status) or ("$ref" not in answer and "description" not in answer):
            yield f"{place}: the answer {status} is not described"


def _walk(value: Any, place: str) -> Iterator[tuple[str, Any]]:
    yield place, value
    if isinstance(value, dict):
        for key, each in value.items():
            # What stands in examples and defaults is data, whatever it looks like.
            if key not in {"example", "examples", "default", "const", "enum"}:
                yield from _walk(each, f"{place}/{key}")
    elif isinstance(value, list):
        for number, each in enumerate(value):
            yield from _walk(each, f"{place}/{number}")
