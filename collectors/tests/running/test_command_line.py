import json
import subprocess
import sys

import pytest

from discovery_collectors.running.command_line import read_command
from dryrun_contract.collector_config import CollectorConfig, Credential, to_environment
from dryrun_contract.discovery import Discovery


def test_takes_over_what_the_orchestrator_configured():
    config = CollectorConfig(
        cidr="10.0.0.0/27",
        self="10.0.0.30",
        exclude=("10.0.0.8/30",),
        profile="full",
        max_rate=500,
        credentials=(Credential(engine="redis", password="p"),),
        discoveries=(Discovery(kind="service", key="10.0.0.3:6379/tcp"),),
    )
    command = read_command(["run", "database"], to_environment(config))
    taken = command.assignment
    assert command.collector == "database"
    assert (taken.profile, taken.max_rate) == ("full", 500)
    assert (taken.credentials, taken.discoveries) == (config.credentials, config.discoveries)
    assert list(map(str, taken.scope.excluded)) == ["10.0.0.8/30", "10.0.0.30/32"]


def test_by_hand_takes_several_targets_and_exclusions():
    words = [
        "--targets",
        "10.0.0.0/24",
        "--targets",
        "10.1.0.0/24",
        "--exclude",
        "10.0.0.7",
        "--max-rate",
        "500",
    ]
    command = read_command(["network", *words], {})
    assert list(map(str, command.assignment.scope.targets)) == ["10.0.0.0/24", "10.1.0.0/24"]
    assert (command.assignment.max_rate, command.assignment.profile) == (500, "quick")


def test_by_hand_reads_credentials_and_what_the_network_collector_wrote(tmp_path):
    credentials, output = tmp_path / "credentials.json", tmp_path / "found.ndjson"
    credentials.write_text('[{"engine": "postgresql", "username": "u", "password": "p"}]')
    output.write_text(
        '{"type":"progress","done":0,"message":"x"}\n'
        '{"type":"discovery","kind":"service","key":"10.0.0.3:5432/tcp","data":{}}\n\n'
        '{"type":"end","discoveries":1}\n'
    )
    words = ["--targets", "10.0.0.0/24", "--credentials", str(credentials), "--from", str(output)]
    taken = read_command(["database", *words], {}).assignment
    assert [each.username for each in taken.credentials] == ["u"]
    assert [each.key for each in taken.discoveries] == ["10.0.0.3:5432/tcp"]


def collect(*words: str, environ=None) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "discovery_collectors", *words]
    return subprocess.run(command, env=environ or {}, capture_output=True, text=True, timeout=60, check=False)


@pytest.mark.parametrize(
    ("words", "environ", "complaint"),
    [
        (["run", "network"], {}, "DISCOVERY_CONFIG is not set"),
        (["run", "network"], {"DISCOVERY_CONFIG": "{"}, "DISCOVERY_CONFIG: the document: Invalid JSON"),
        (["run", "network"], {"DISCOVERY_CONFIG": '{"version":1}'}, "DISCOVERY_CONFIG: cidr: is missing"),
        (
            ["run", "network"],
            {"DISCOVERY_CONFIG": '{"cidr":"shop.example"}'},
            "'shop.example' is not an IPv4",
        ),
        (["run", "webs"], {}, "invalid choice: 'webs'"),
        (["network"], {}, "--targets"),
        (["network", "--targets", "router.example"], {}, "names are not resolved"),
        (["network", "--targets", "127.0.0.0/24", "--exclude", "x"], {}, "exclusion 'x'"),
        (
            ["network", "--targets", "127.0.0.0/31", "--exclude", "127.0.0.0", "--exclude", "127.0.0.1"],
            {},
            "all targets are excluded, so that nothing would be scanned; leave a target\n",
        ),
        (
            ["run", "network"],
            {"DISCOVERY_CONFIG": '{"cidr":"127.0.0.1/32","exclude":["127.0.0.1"]}'},
            "all targets are excluded",
        ),
        (["network", "--targets", "127.0.0.0/24", "--max-rate", "0"], {}, "not a whole number above 0"),
        (
            ["database", "--targets", "127.0.0.0/24", "--from", "/nowhere"],
            {},
            "cannot read discoveries from /nowhere: No such file or directory\n",
        ),
        (
            ["database", "--targets", "127.0.0.0/24", "--from", "-", "--credentials", "/nowhere"],
            {},
            "cannot read the credentials in /nowhere: No such file or directory\n",
        ),
        ([], {}, "COMMAND"),
    ],
)
def test_a_wrong_call_ends_with_2_a_sentence_and_no_line(words, environ, complaint):
    run = collect(*words, environ=environ)
    assert run.returncode == 2
    assert run.stdout == ""
    assert complaint in run.stderr
    assert "Traceback" not in run.stderr


@pytest.mark.parametrize(
    "content",
    ["{", '[{"engine":"x","password":1}]', '[{"pass":"canary-pw"}]', 'x["canary-pw"]', '{"canary-pw":1}'],
)
def test_a_wrong_credentials_file_never_shows_its_content(tmp_path, content):
    path = tmp_path / "credentials.json"
    path.write_text(content)
    run = collect("database", "--targets", "127.0.0.0/24", "--credentials", str(path), "--from", "-")
    assert run.returncode == 2
    assert "credentials.json" in run.stderr
    assert "canary-pw" not in run.stderr + run.stdout


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        ("[" * 200_000, "is nested too deeply, or a number in it is too long"),
        ("[" + "1" * 5_000 + "]", "is nested too deeply, or a number in it is too long"),
        (" " * (1024 * 1024 + 1), "has more than 1048576 bytes; that is not a file of credentials"),
    ],
)
def test_a_credentials_file_without_measure_is_refused_in_a_sentence(tmp_path, content, complaint):
    path = tmp_path / "credentials.json"
    path.write_text(content)
    run = collect("database", "--targets", "127.0.0.0/24", "--credentials", str(path), "--from", "-")
    assert (run.returncode, run.stdout) == (2, "")
    assert complaint in run.stderr
    assert "Traceback" not in run.stderr


def test_a_wrong_line_among_discoveries_is_named(tmp_path):
    path = tmp_path / "found.ndjson"
    path.write_text('{"type":"end","discoveries":0}\nnonsense\n')
    run = collect("database", "--targets", "127.0.0.0/24", "--from", str(path))
    assert (run.returncode, run.stdout) == (2, "")
    assert "line 2 is not a collector's line" in run.stderr


def test_a_collector_that_cannot_work_ends_with_1_and_without_an_end_line(tmp_path):
    run = collect("network", "--targets", "127.0.0.0/24", environ={"PATH": str(tmp_path)})
    assert run.returncode == 1
    last = json.loads(run.stdout.splitlines()[-1])
    assert last["type"] == "warning"
    assert "nmap is not installed" in last["message"]


def test_nothing_to_look_at_is_a_complete_run(tmp_path):
    path = tmp_path / "found.ndjson"
    path.write_text("")
    run = collect("database", "--targets", "127.0.0.0/24", "--from", str(path))
    assert run.returncode == 0
    assert json.loads(run.stdout.splitlines()[-1]) == {"type": "end", "discoveries": 0}


def test_what_the_earlier_scan_did_not_look_at_this_one_does_not_cover_either(tmp_path):
    path = tmp_path / "found.ndjson"
    path.write_text('{"type":"end","discoveries":0,"not_covered":["127.0.0.9"]}\n')
    run = collect("database", "--targets", "127.0.0.0/24", "--from", str(path))
    end = {"type": "end", "discoveries": 0, "not_covered": ["127.0.0.9/32"]}
    assert (run.returncode, json.loads(run.stdout.splitlines()[-1])) == (0, end)


def test_a_scan_of_what_an_unfinished_one_found_says_that_it_is_not_whole(tmp_path):
    path = tmp_path / "found.ndjson"
    path.write_text('{"type":"discovery","kind":"service","key":"10.0.0.3:80/tcp","data":{}}\n')
    run = collect("database", "--targets", "127.0.0.0/24", "--from", str(path))
    first = json.loads(run.stdout.splitlines()[0])
    assert (run.returncode, first["type"]) == (0, "warning")
    assert "the output of the earlier scan has no end line" in first["message"]


def test_a_credential_in_the_clear_without_addresses_is_reported_before_the_run(tmp_path):
    found, logins = tmp_path / "found.ndjson", tmp_path / "logins.json"
    found.write_text("")
    words = ["database", "--targets", "192.0.2.0/24", "--from", str(found), "--credentials", str(logins)]
    logins.write_text('[{"engine": "redis", "password": "p"}, {"engine": "mysql", "password": "p"}]')
    assert read_command(words, {}).notes == (
        "a credential for redis names no addresses in `at` and is not used: it travels in the clear",
    )
    logins.write_text('[{"engine": "redis", "password": "p", "at": ["192.0.2.7"]}]')
    assert read_command(words, {}).notes == ()


def test_what_only_a_rehearsed_run_or_a_found_host_needs_is_not_imported_at_the_start():
    start = (
        "import sys; import discovery_collectors.main, discovery_collectors.collectors.network.collector;"
        "print(*{'dryrun_contract.report', 'cryptography'} & set(sys.modules))"
    )
    imported = subprocess.run([sys.executable, "-c", start], capture_output=True, text=True, check=True)
    assert imported.stdout.split() == []


@pytest.mark.parametrize("words", [["--help"], ["network", "--help"], ["run", "--help"]])
def test_every_help_names_all_exit_codes(capsys, words):
    with pytest.raises(SystemExit):
        read_command(words, {})
    told = " ".join(capsys.readouterr().out.partition("Exit codes: ")[2].split())
    assert told == (
        "0 complete, 1 failed (there is no end line), 2 wrong call or configuration, 130 ended by Ctrl-C, "
        "143 by SIGTERM (no end line either)."
    )


@pytest.mark.parametrize(("collector", "engines"), [("directory", "smb"), ("snmp", "snmp")])
def test_a_help_names_the_engines_whose_credentials_its_collector_uses(capsys, collector, engines):
    with pytest.raises(SystemExit):
        read_command([collector, "--help"], {})
    assert " ".join(capsys.readouterr().out.split()).count(f"engine: {engines} ") == 1
