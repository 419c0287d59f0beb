"""What each command of `dryrun-local` hands on: its words, the installation, and where it prints."""

import tarfile
from pathlib import Path

import pytest
from typer.testing import CliRunner

from dryrun_local.machine.installation import Installation
from dryrun_local.main import app
from dryrun_local.terminal.interruption import Interruption
from dryrun_local.terminal.screen import Screen
from dryrun_local.terminal.timings import Timings

EXIT_CODE = 7
OUT, ERR = "prints to standard output", "prints to standard error"
HERE, ADDED = "this installation", "this installation and what was added"
FILE = Path("a.yml")
COMMANDS = [
    ("up", "runs.up.up", (HERE, OUT, Timings, Interruption), {}),
    ("up --add own", "runs.up.up", (ADDED, OUT, Timings, Interruption), {}),
    ("doctor", "doctor.examination.examine", (HERE, OUT), {"as_json": False}),
    ("doctor --json", "doctor.examination.examine", (HERE, ERR), {"as_json": True}),
    ("reset", "runs.reset.reset", (HERE, OUT), {}),
    ("images build --add own", "images.commands.build", (ADDED, OUT), {"force": False}),
    ("images build --force", "images.commands.build", (HERE, OUT), {"force": True}),
    ("images services", "images.commands.build_services", (HERE, OUT), {}),
    ("images list --add own", "images.commands.show", (ADDED, OUT), {"as_json": False}),
    ("images list --json", "images.commands.show", (HERE, ERR), {"as_json": True}),
    ("images export a.yml --add own", "images.commands.export", (ADDED, OUT, FILE, None), {}),
    ("images import a.yml --add own", "images.commands.take", (ADDED, OUT, FILE), {}),
    ("images distribute ssh://a ssh://b", "images.commands.spread", (HERE, OUT, ["ssh://a", "ssh://b"]), {}),
    ("fleet list --file a.yml", "fleet.commands.show", (FILE, OUT), {}),
    ("fleet drain beta --file a.yml", "fleet.commands.drain", (FILE, "beta", OUT), {"minutes": None}),
    ("fleet drain beta --file a.yml --wait 35", "fleet.commands.drain", (FILE, "beta", OUT), {"minutes": 35}),
    ("fleet undrain beta --file a.yml", "fleet.commands.undrain", (FILE, "beta", OUT), {}),
    ("network list", "replicas.commands.list_replicas", (HERE, OUT), {"as_json": False}),
    ("network list --json", "replicas.commands.list_replicas", (HERE, ERR), {"as_json": True}),
    ("network show acme", "replicas.commands.show_replica", (HERE, OUT, "acme"), {"as_json": False}),
    ("network show acme --json", "replicas.commands.show_replica", (HERE, ERR, "acme"), {"as_json": True}),
    ("network layers", "replicas.moving.list_layers", (OUT,), {}),
    ("network remove acme", "replicas.commands.remove_replica", (HERE, OUT, "acme"), {}),
    ("template verify acme", "replicas.commands.verify_replica", (HERE, OUT, "acme"), {}),
    ("network export acme -o a.yml", "replicas.moving.export_network", (HERE, OUT, "acme", FILE, None), {}),
    ("collector remove mine", "runs.trial.remove", (HERE, OUT, "mine"), {}),
    (
        "collector add mine:1 --manifest a.yml --tmpfs /t=1m --no-trial --add own",
        "runs.trial.add_and_try",
        (ADDED, OUT, Interruption),
        {"image": "mine:1", "manifest": FILE, "tmpfs": ("/t=1m",), "trial": False},
    ),
]
"""Words, the function below `dryrun_local` that does the work, and what that function is given."""


def kind_of(value):
    """Return what stands for a value in the table."""
    if isinstance(value, Installation):
        return HERE if value.added == () else ADDED if [each.name for each in value.added] == ["own"] else ""
    if isinstance(value, Screen):
        return ERR if value.console.stderr else OUT
    return type(value) if isinstance(value, Interruption | Timings) else value


@pytest.fixture(autouse=True)
def place(monkeypatch, tmp_path):
    """Run where there is a folder to add."""
    monkeypatch.setenv("DRYRUN_LOCAL_STATE", str(tmp_path / "state"))
    monkeypatch.chdir(tmp_path)
    (tmp_path / "own" / "images").mkdir(parents=True)


@pytest.fixture
def call(monkeypatch):
    """Give `call(words, function)`: the result, and what the function was given."""

    def made(words, function, returns=EXIT_CODE):
        given = []

        async def work(*values, **named):
            given.append((tuple(map(kind_of, values)), named))
            return returns

        monkeypatch.setattr(f"dryrun_local.{function}", work)
        return CliRunner().invoke(app, words.split()), given

    return made


@pytest.mark.parametrize(("words", "function", "values", "named"), COMMANDS)
def test_a_command_hands_on_what_it_was_given_and_ends_with_the_exit_code(
    call, words, function, values, named
):
    result, given = call(words, function)
    assert result.exit_code == EXIT_CODE, result.output
    assert given == [(values, named)]


@pytest.mark.parametrize(
    ("words", "where"),
    [("demo", OUT), ("demo --json", ERR), ("ci --experiment a.yml --baseline b.json", OUT)],
)
def test_a_run_gets_the_same(monkeypatch, words, where):
    given = []

    class Run:
        def __init__(self, installation, _options, screen, timings):
            given.extend(map(kind_of, (installation, screen, timings)))

        async def run(self, interruption):
            given.append(kind_of(interruption))
            return EXIT_CODE

    monkeypatch.setattr("dryrun_local.runs.demo.Demo", Run)
    monkeypatch.setattr("dryrun_local.ci.command.Ci", Run)
    result = CliRunner().invoke(app, [*words.split(), "--add", "own"])
    assert result.exit_code == EXIT_CODE, result.output
    assert given == [ADDED, where, Timings, Interruption]


def test_a_network_is_planned_or_made_and_a_bundle_is_taken_as_it_is(monkeypatch):
    given = []

    def noting(name):
        async def work(*values, **named):
            given.append((name, tuple(map(kind_of, values)), named))
            return EXIT_CODE

        return work

    monkeypatch.setattr("dryrun_local.replicas.importing.import_network", noting("made"))
    monkeypatch.setattr("dryrun_local.replicas.planning.plan_only", noting("planned"))
    monkeypatch.setattr("dryrun_local.replicas.moving.import_bundle", noting("taken"))
    monkeypatch.setattr("dryrun_local.replicas.moving.is_bundle", lambda files: files == (Path("a.tar"),))
    for words in (
        "network import a.yml --name acme --exclude 10.0.0.0/8 --exclude ::ffff:192.0.2.7",
        "network import a.yml --name acme --plan --replace",
        "network import a.yml --name acme --plan --json",
        "network import a.tar --sha256 abc",
    ):
        result = CliRunner().invoke(app, words.split())
        assert result.exit_code == EXIT_CODE, result.output
    (_, (made_in, made_by, made_on), _), *plans, taken = given
    assert (made_in, made_on) == (HERE, OUT)
    assert (made_by.files, made_by.name, made_by.replace) == ((FILE,), "acme", False)
    assert list(map(str, made_by.exclude)) == ["10.0.0.0/8", "192.0.2.7/32"]
    assert [values[1].replace for _, values, _ in plans] == [True, False]
    assert [(name, values[0], values[2], named) for name, values, named in plans] == [
        ("planned", HERE, OUT, {"as_json": False}),
        ("planned", HERE, ERR, {"as_json": True}),
    ]
    assert taken == ("taken", (HERE, OUT, Path("a.tar")), {"sha256": "abc", "replace": False})


@pytest.mark.parametrize("network", ["10.0.0.5/24", "web-1", "10.0.0.1-10.0.0.9"])
def test_a_network_to_leave_out_that_is_none_is_refused_at_once(network):
    words = ["network", "import", "scan.xml", "--name", "acme", "--exclude", network]
    result = CliRunner().invoke(app, words)
    assert result.exit_code == 2
    assert (network in result.output, "--exclude" in result.output) == (True, True)


def test_a_bundle_beside_other_files_is_refused_by_name(tmp_path):
    bundle = tmp_path / "acme.bundle"
    with tarfile.open(bundle, "w") as archive:
        archive.addfile(tarfile.TarInfo("index.json"))
    result = CliRunner().invoke(app, ["network", "import", "scan.xml", str(bundle), "--name", "acme"])
    assert result.exit_code == 2
    assert "acme.bundle is a bundle, which is imported alone" in result.output


def test_what_is_checked_here_is_checked_at_once(monkeypatch):
    given = []

    def check(*values):
        given.append(tuple(map(kind_of, values)))
        return EXIT_CODE

    def command(*values, **named):
        given.append((*map(kind_of, values), named))
        return "docker run"

    monkeypatch.setattr("dryrun_local.runs.check.check", check)
    monkeypatch.setattr("dryrun_local.collectors.production.production_command", command)
    assert CliRunner().invoke(app, ["check", "--add", "own"]).exit_code == EXIT_CODE
    words = "collector command mine --rehearsed a.yml --targets 192.0.2.0/24 --add own"
    printed = CliRunner().invoke(app, words.split())
    assert (printed.exit_code, printed.stdout) == (0, "docker run\n")
    named = {"targets": "192.0.2.0/24", "exclude": (), "max_rate": None}
    assert given == [(ADDED, OUT), (ADDED, "mine", FILE, named)]


def test_an_error_that_says_what_to_do_is_shown_and_ends_with_1(tmp_path, monkeypatch):
    result = CliRunner().invoke(app, ["network", "show", "nothing", "--json"])
    assert (result.exit_code, result.stdout) == (1, "")
    assert "nothing" in result.stderr
