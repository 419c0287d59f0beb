"""Baseline files: what was written is read, and every fault of a file is reported at once."""

import json

import pytest

from dryrun_cli.errors import WrongUseError
from dryrun_contract.baseline import BASELINE_BOUNDS, Baseline, BaselineArm, FactCount, ScannerImage
from dryrun_contract.experiment import ExperimentRequest
from dryrun_local.ci.baseline_file import faults_of, faults_of_digests, read_baseline, write_baseline

DIGEST = "sha256:" + "a" * 64
REQUEST = ExperimentRequest(
    name="bench", templates=("small",), seeds=(0, 1), collectors={"ours": ("network",)}, repetitions=5
)
BASELINE = Baseline(
    experiment=REQUEST,
    templates={"small": {"0": DIGEST, "1": DIGEST}},
    arms={
        "ours": BaselineArm(
            collectors={
                "network": ScannerImage(image="discovery/test-collector-network:1.0", image_id=DIGEST)
            },
            runs=10,
            facts=(
                FactCount(template="small", kind="host", key="web", found=10, of=10),
                FactCount(
                    template="small",
                    kind="service",
                    key="web:80/tcp",
                    attribute="version",
                    found=9,
                    of=10,
                    values={"1.26": 9, 'a "quoted" \x1b[31m\u202e text': 1},
                    expected="1.26",
                ),
            ),
        )
    },
)


def test_what_was_written_is_read(tmp_path):
    path = tmp_path / "baseline.json"
    write_baseline(path, BASELINE)
    assert read_baseline(path) == BASELINE
    before = path.read_bytes()
    write_baseline(path, BASELINE)
    assert path.read_bytes() == before
    assert before.isascii(), "nothing in it can steer a terminal that shows what changed"


def test_a_fact_is_a_line_so_that_a_comparison_of_versions_shows_it(tmp_path):
    path = tmp_path / "baseline.json"
    write_baseline(path, BASELINE)
    lines = [line for line in path.read_text().splitlines() if '"found"' in line]
    assert [json.loads(line.strip().rstrip(","))["key"] for line in lines] == ["web", "web:80/tcp"]


def test_every_fault_is_reported_with_its_place_and_what_to_do(tmp_path):
    path = tmp_path / "baseline.json"
    write_baseline(path, BASELINE)
    whole = json.loads(path.read_text())
    whole["version"] = 2
    whole["surprise"] = 1
    whole["experiment"]["seeds"] = [0, 0]
    whole["templates"]["small"]["0"] = "sha256:short"
    arm = whole["arms"]["ours"]
    arm["runs"] = 0
    arm["collectors"]["network"]["image_id"] = 5
    arm["facts"][0]["found"] = 11
    arm["facts"][1]["of"] = -1
    del arm["facts"][1]["kind"]
    arm["facts"].append("a text")
    path.write_text(json.dumps(whole))
    with pytest.raises(WrongUseError) as raised:
        read_baseline(path)
    words = str(raised.value)
    for place in (
        "version",
        "surprise",
        "experiment",
        "templates.small.0",
        "arms.ours.runs",
        "arms.ours.collectors.network.image_id",
        "arms.ours.facts.0",
        "arms.ours.facts.1.of",
        "arms.ours.facts.1.kind",
        "arms.ours.facts.2",
    ):
        assert f"\n{place}: " in words, words
    assert "--update-baseline" in words


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "Invalid JSON"),
        (b"\xff\xfe", "Invalid JSON"),
        (b"[]", "must be a map of names to values"),
        (b"[" * 100, "nested deeper"),
        (b'{"' + b"k" * 1000 + b'": 1}', "an object key is longer"),
        (b" " * (BASELINE_BOUNDS.size + 1), "longer than"),
        (b"[" + b"[]," * 1_000_001 + b"1]", "more than 1000000 values"),
    ],
)
def test_what_is_no_baseline_is_refused_within_bounds(tmp_path, content, words):
    path = tmp_path / "baseline.json"
    path.write_bytes(content)
    with pytest.raises(WrongUseError, match=words):
        read_baseline(path)


def test_a_missing_one_says_how_to_make_it(tmp_path):
    with pytest.raises(WrongUseError, match="--update-baseline"):
        read_baseline(tmp_path / "nothing.json")


def test_another_experiment_does_not_fit():
    assert faults_of(BASELINE, REQUEST) == []
    assert faults_of(BASELINE, REQUEST.model_copy(update={"repetitions": 1})) == []
    other = REQUEST.model_copy(
        update={"seeds": (0, 2), "templates": ("large",), "collectors": {"ours": (), "new": ()}}
    )
    assert faults_of(BASELINE, other) == [
        "templates: the experiment has large, and the baseline was measured on small",
        "seeds: the experiment has 0, 2, and the baseline was measured on 0, 1",
        "arms: the baseline has ours, and the experiment also new",
    ]


def test_a_template_in_which_something_else_is_to_be_found_is_named():
    assert faults_of_digests(BASELINE, {"small": {"0": DIGEST, "1": DIGEST}}) == []
    (fault,) = faults_of_digests(BASELINE, {"small": {"0": DIGEST, "1": "sha256:" + "b" * 64}})
    assert fault.startswith("small: what is to be found there has changed since (seed 1: sha256:aaaa")
