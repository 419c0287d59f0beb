"""The reference shows every operation of the OpenAPI document, with what it needs and takes."""

import re

import pytest

from approval_api.identity.roles import Permission
from approval_api.pages.reference.reading import operations_of, tags_of


@pytest.fixture
def document(api):
    return api.app.openapi()


async def test_every_operation_has_its_place(api, document):
    listed = [each for tag in tags_of(document) for each in operations_of(document, tag, {})]
    described = {(method.upper(), path) for path, methods in document["paths"].items() for method in methods}
    assert {(each.method, each.path) for each in listed} == described
    assert all(each.summary for each in listed)
    for tag in tags_of(document):
        shown = await api.client.get("/reference", params={"tag": tag}, headers={"Accept": "text/html"})
        assert shown.status_code == 200
        for each in operations_of(document, tag, {}):
            assert f"<code>{each.path}</code>" in shown.text


async def test_it_says_which_permission_each_needs(api):
    shown = (await api.client.get("/reference?tag=audit", headers={"Accept": "text/html"})).text
    assert f"<code>{Permission.ADMINISTER}</code>, which you do not have" in shown
    assert "data-try" not in shown, "what would be refused has no form"
    shown = (await api.client.get("/reference?tag=health", headers={"Accept": "text/html"})).text
    assert "Open to all." in shown


async def test_an_unknown_group_shows_a_known_one(api):
    shown = (await api.client.get("/reference?tag=<i>x", headers={"Accept": "text/html"})).text
    assert "<i>x" not in shown
    assert re.search(r'aria-current="page">sessions<', shown)


def test_a_type_that_holds_itself_ends():
    node = {
        "type": "object",
        "required": ["next"],
        "properties": {"next": {"$ref": "#/components/schemas/N"}},
    }
    body = {"content": {"application/json": {"schema": {"$ref": "#/components/schemas/N"}}}}
    document = {
        "paths": {"/x": {"post": {"tags": ["t"], "description": "Do.", "requestBody": body}}},
        "components": {"schemas": {"N": node}},
    }
    (operation,) = operations_of(document, "t", {("POST", "/x"): "run"})
    assert operation.example.count("next") <= 7
    assert (operation.permission, operation.fields[0].type) == ("run", "N")
