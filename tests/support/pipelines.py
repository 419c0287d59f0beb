"""Runs GitHub's composite action and GitLab's template as their runners do: the real scripts, in a folder."""

import os
import re
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml
from local_stack import ROOT

ACTION = ROOT / "ci" / "github" / "action.yml"
TEMPLATE = ROOT / "ci" / "gitlab" / "template.yml"
_EXPRESSION = re.compile(r"\$\{\{\s*(.*?)\s*\}\}")
_INPUT = re.compile(r"\$\[\[\s*inputs\.([\w-]+)\s*\]\]")
_SECONDS = 500


@dataclass
class Ran:
    """What came of a job."""

    code: int
    log: str
    outputs: dict[str, dict[str, str]] = field(default_factory=dict)
    summary: str = ""
    used: list[dict[str, Any]] = field(default_factory=list)
    """Steps of other actions, with their inputs: they are not run."""


def run_github_action(
    workspace: Path, given: Mapping[str, str], environ: Mapping[str, str], home: Path = ROOT
) -> Ran:
    """Run every step of the action in `workspace`, each by the shell command of GitHub's runner."""
    action = yaml.safe_load(ACTION.read_text(encoding="utf-8"))
    assert set(given) <= set(action["inputs"])
    inputs = {name: str(each.get("default", "")) for name, each in action["inputs"].items()} | dict(given)
    ran = Ran(0, "")
    summary = workspace.parent / "summary.md"
    summary.write_text("")
    runner = {
        **environ,
        "GITHUB_ACTIONS": "true",
        "GITHUB_ACTION_PATH": str(home / "ci" / "github"),
        "GITHUB_WORKSPACE": str(workspace),
        "GITHUB_STEP_SUMMARY": str(summary),
    }
    for number, step in enumerate(action["runs"]["steps"]):
        if not _is_due(step.get("if", "success()"), inputs, ran):
            continue
        outputs = ran.outputs.setdefault(step.get("id", str(number)), {})
        if "uses" in step:
            ran.used.append(
                {"uses": step["uses"], **{k: _fill(v, inputs, ran) for k, v in step["with"].items()}}
            )
            continue
        output = workspace.parent / f"output-{number}"
        output.write_text("")
        variables = {name: _fill(text, inputs, ran) for name, text in step.get("env", {}).items()}
        assert step["shell"] == "bash"
        code, log = _bash(
            ("--noprofile", "--norc", "-e", "-o", "pipefail"),
            step["run"],
            workspace,
            {**runner, **variables, "GITHUB_OUTPUT": str(output)},
        )
        outputs.update(line.split("=", 1) for line in output.read_text().splitlines())
        outputs["outcome"] = "failure" if code else "success"
        ran.log += log
        ran.code = ran.code or code
    ran.summary = summary.read_text(encoding="utf-8")
    return ran


def _is_due(condition: str, inputs: Mapping[str, str], ran: Ran) -> bool:
    terms = [term.strip() for term in condition.split("&&")]
    if "always()" not in terms and ran.code:
        return False
    for term in terms:
        if term in {"always()", "success()"}:
            continue
        left, operator, right = re.fullmatch(r"(\S+) (==|!=) '(\w*)'", term).groups()
        if (_value(left, inputs, ran) == right) != (operator == "=="):
            return False
    return True


def _fill(text: str, inputs: Mapping[str, str], ran: Ran) -> str:
    return _EXPRESSION.sub(lambda found: _value(found[1], inputs, ran), text)


def _value(name: str, inputs: Mapping[str, str], ran: Ran) -> str:
    match name.split("."):
        case ["inputs", each]:
            return inputs[each]
        case ["steps", step, "outputs", each]:
            return ran.outputs.get(step, {}).get(each, "")
        case ["steps", step, "outcome"]:
            return ran.outputs.get(step, {}).get("outcome", "skipped")
    raise AssertionError(f"an expression that this runner does not know: {name}")


def run_gitlab_job(project: Path, given: Mapping[str, str], environ: Mapping[str, str]) -> Ran:
    """Run the job of the template in `project`: one shell for all lines of its script."""
    head, body = yaml.safe_load_all(TEMPLATE.read_text(encoding="utf-8"))
    known = head["spec"]["inputs"]
    assert set(given) <= set(known)
    inputs = {name: each["default"] for name, each in known.items() if "default" in each} | dict(given)
    assert set(inputs) == set(known), "an input without a default has to be given"
    for name, each in known.items():
        assert inputs[name] in each.get("options", [inputs[name]])
    job = _interpolated(body["dryrun"], inputs)
    variables = {}
    for name, each in job["variables"].items():
        assert each["expand"] is False
        variables[name] = each["value"]
    script = "\n".join(job["script"])
    code, log = _bash(
        ("--noprofile", "--norc", "-eo", "pipefail"),
        script,
        project,
        {**environ, **variables, "CI_PROJECT_DIR": str(project)},
    )
    return Ran(code, log)


def _interpolated(value: Any, inputs: Mapping[str, Any]) -> Any:
    if isinstance(value, dict):
        return {name: _interpolated(each, inputs) for name, each in value.items()}
    if isinstance(value, list):
        return [_interpolated(each, inputs) for each in value]
    if isinstance(value, str):
        if whole := _INPUT.fullmatch(value):
            return inputs[whole[1]]
        return _INPUT.sub(lambda found: str(inputs[found[1]]), value)
    return value


def _bash(
    options: tuple[str, ...], script: str, folder: Path, variables: Mapping[str, str]
) -> tuple[int, str]:
    path = folder.parent / "step.sh"
    path.write_text(script, encoding="utf-8")
    done = subprocess.run(
        ["bash", *options, str(path)],
        cwd=folder,
        env={"PATH": os.environ["PATH"], "HOME": str(folder.parent), "LANG": "C.UTF-8", **variables},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        timeout=_SECONDS,
        check=False,
    )
    return done.returncode, done.stdout.decode(errors="replace")
