"""The commands besides `serve`, as an operator types them."""

import ast
import asyncio
import io
import json
import re
import tokenize
from pathlib import Path

import pytest
from guard_stage import WEB, WEB_ID, Words

from docker_guard.main import main

NOT_CODE = {
    tokenize.COMMENT,
    tokenize.NL,
    tokenize.NEWLINE,
    tokenize.INDENT,
    tokenize.DEDENT,
    tokenize.ENDMARKER,
}
CREATE = "/v1.45/containers/create?name=dryrun-a"


@pytest.fixture
def check(allowlist_file, tmp_path, capsys):
    def run(method, path, body=None):
        arguments = ["check", method, path]
        if body is not None:
            file = tmp_path / "body.json"
            file.write_text(json.dumps(body))
            arguments.append(str(file))
        code = main([*arguments, "--allowlist", str(allowlist_file)])
        return code, json.loads(capsys.readouterr().out)

    return run


def test_check_explains_a_refusal(check):
    code, answer = check("POST", CREATE, Words().with_host(Privileged=True))
    assert code == 1
    assert (answer["verdict"], answer["rule"]) == ("refused", "body")
    assert "Privileged" in answer["reason"]
    assert check("GET", "/v1.45/info")[1]["rule"] == "route"
    assert check("GET", "/v1.45//info")[1]["rule"] == "framing"


def test_check_shows_what_the_engine_would_get_and_no_values(check):
    code, answer = check("POST", CREATE, Words().container(Env=["GREETING=hush"]))
    assert code == 0
    assert answer["body"]["Image"] == WEB_ID
    assert answer["body"]["Env"] == ["GREETING=[hidden]"]
    assert answer["query"] == {"name": "dryrun-a"}


def test_check_judges_networks_and_calls_by_reference(check):
    code, answer = check("POST", "/v1.45/networks/create", Words().network())
    assert (code, answer["body"]["Internal"]) == (0, True)
    code, answer = check("DELETE", "/v1.45/containers/abc?force=true")
    assert (code, answer["query"]) == (0, {"force": "1"})
    assert "404" in answer["if"]


def test_allowlist_is_shown_as_a_table(allowlist_file, capsys):
    assert main(["allowlist", "--allowlist", str(allowlist_file)]) == 0
    heading, web, *_ = capsys.readouterr().out.splitlines()
    assert heading.split()[:3] == ["IMAGE", "ID", "ROLE"]
    assert web.split() == [WEB, "a" * 12, "target", "read-only", "CHOWN", "GREETING", "/run=1024K"]


def test_an_unusable_setting_is_reported(tmp_path, allowlist_file, capsys):
    policy = tmp_path / "policy.toml"
    policy.write_text("memory_bytes = -1\nunheard = 1\n")
    assert main(["allowlist", "--allowlist", str(allowlist_file), "--policy", str(policy)]) == 2
    errors = capsys.readouterr().err
    assert "memory_bytes" in errors
    assert "unheard" in errors
    assert main(["serve", "--allowlist", str(tmp_path / "none.json")]) == 2


async def test_pin_writes_ids_and_choices(engine, tmp_path, capsys):
    path = tmp_path / "new.json"
    arguments = ["--allowlist", str(path), "--docker", f"unix://{tmp_path / 'engine.sock'}"]
    chosen = ["--environment", "A", "--capability", "CHOWN", "--tmpfs", "/run:1048576:33:33:0700"]
    assert await asyncio.to_thread(main, ["pin", WEB, *arguments, *chosen]) == 0
    row = json.loads(path.read_text())["images"][WEB]
    assert (row["id"], row["environment"], row["capabilities"]) == (WEB_ID, ["A"], ["CHOWN"])
    assert row["tmpfs"] == {"/run": {"size": 1048576, "uid": 33, "gid": 33, "mode": "0700"}}
    assert await asyncio.to_thread(main, ["pin", "discovery/test-none:1", *arguments]) == 2
    engine.image_configs[WEB_ID] = {"Volumes": {"/d": {}}}
    assert await asyncio.to_thread(main, ["pin", WEB, *arguments]) == 2
    assert "VOLUME" in capsys.readouterr().err


async def test_healthcheck_needs_guard_and_engine(guard, tmp_path):
    listen = ["--listen", f"unix://{guard.socket}"]
    assert await asyncio.to_thread(main, ["healthcheck", *listen]) == 0
    guard.engine.refuse["GET", "/_ping"] = (500, "away")
    assert await asyncio.to_thread(main, ["healthcheck", *listen]) == 1
    assert await asyncio.to_thread(main, ["healthcheck", "--listen", f"unix://{tmp_path}/none.sock"]) == 1


FOLDER = Path(__file__).parents[1]


def lines_of_code(source: str) -> int:
    """Count lines that hold more than blanks, comments and docstrings."""
    said: set[int] = set()
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type not in NOT_CODE:
            said.update(range(token.start[0], token.end[0] + 1))
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            said.difference_update(range(node.lineno, (node.end_lineno or node.lineno) + 1))
    return len(said)


def test_the_readme_states_the_size_of_the_code():
    page = (FOLDER / "README.md").read_text()
    table = page.partition("| module | decides |")[2].partition("\n\n")[0]
    deciding = re.findall(r"`[a-z]+/([a-z_]+)\.py`", table)
    modules = {
        module.stem: lines_of_code(module.read_text())
        for module in (FOLDER / "src" / "docker_guard").rglob("*.py")
    }
    said = re.search(r"^([0-9,]+) lines of code .*, of which ([0-9,]+) decide", page, re.MULTILINE)
    assert said is not None
    all_of_it, part = (int(number.replace(",", "")) for number in said.groups())
    assert abs(sum(modules.values()) - all_of_it) <= 50
    assert abs(sum(modules[name] for name in deciding) - part) <= 50


def test_the_table_of_routes_fits_a_screen():
    source = (FOLDER / "src" / "docker_guard" / "calls" / "routes.py").read_text()
    table = source.partition("\nROUTES = (\n")[2].partition("\n)\n")[0]
    assert len(table.splitlines()) <= 50
