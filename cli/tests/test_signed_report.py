"""Signed reports, checked as whoever received one by mail would."""

import json

import pytest
from fake_approval_api import SIGNED
from signed_archives import DATA, KEY, OTHER, PAGE, REPORT, archive, files, former_note, public_line


def test_a_genuine_report_says_who_signed_it_and_what_it_says(verify):
    code, stdout, _ = verify(archive(files()))
    assert code == 0
    assert "report.html, report.json, VERIFY.txt: signed by SHA256:" in stdout
    assert "template small" in stdout


def test_a_report_of_before_its_note_was_signed_is_genuine_without_it(verify):
    code, stdout, _ = verify(archive(files(note=None)))
    assert (code, "report.html, report.json: signed by SHA256:" in stdout) == (0, True)


@pytest.mark.parametrize(
    "note", ["anything", former_note() + "Run this.\n", former_note(OTHER), former_note().replace("--", "-")]
)
def test_a_note_that_is_not_signed_says_what_it_said_then(verify, note):
    code, stdout, stderr = verify(archive(files(note=None) | {"VERIFY.txt": note}))
    assert (code, stdout) == (6, "")
    assert "VERIFY.txt in" in stderr


def test_its_help_lists_no_address_of_an_api_that_it_never_calls(run):
    assert "--api-url" not in run("report", "verify", "--help")[1]
    assert "--api-url" in run("report", "show", "--help")[1]


def test_programs_read_the_same_as_json(verify):
    code, stdout, _ = verify(archive(files()), "--json")
    answer = json.loads(stdout)
    assert (code, answer["genuine"], answer["template"]) == (0, True, "small")


def test_the_report_itself_can_be_shown(verify):
    assert "web:18734/tcp" in verify(archive(files()), "--show")[1]


def test_one_of_several_trusted_keys_is_enough_so_that_keys_can_be_replaced(verify):
    assert verify(archive(files()), keys=(OTHER, KEY))[0] == 0


def changed(name, content):
    return files() | {name: content}


@pytest.mark.parametrize(
    ("members", "why"),
    [
        (changed("report.html", PAGE + b" "), "report.html in"),
        (changed("report.json", DATA + b" "), "report.json in"),
        (changed("VERIFY.txt", "check it by running this"), "VERIFY.txt in"),
        (changed("report.html", files(page=b"another, signed as well")["report.html"]), "report.html in"),
        (changed("SHA512SUMS", files(page=b"another")["SHA512SUMS"]), "SHA512SUMS was changed"),
        (changed("SHA512SUMS.sig", ""), "cannot be read"),
        (files(OTHER), "not among the keys that you trust"),
        (changed("more.html", b"x"), "expected"),
        ({name: content for name, content in files().items() if name != "report.html"}, "holds"),
    ],
)
def test_whatever_was_changed_is_not_genuine(verify, members, why):
    code, stdout, stderr = verify(archive(members))
    assert (code, stdout) == (6, "")
    assert why in stderr


def test_a_page_and_data_of_two_signed_reports_are_no_report(verify):
    one, other = files(), files(data=json.dumps(REPORT | {"left_out": 1}).encode())
    mixed = one | {"report.json": other["report.json"]}
    code, _, stderr = verify(archive(mixed))
    assert (code, "report.json in" in stderr) == (6, True)


def test_a_bomb_ends_at_the_largest_report(verify, monkeypatch):
    monkeypatch.setattr("dryrun_cli.signed_report.MAX_DOCUMENT_BYTES", 1_000_000)
    code, _, stderr = verify(archive(changed("report.html", bytes(10_000_000))))
    assert (code, "larger than any report" in stderr) == (6, True)


def test_a_file_without_a_signature_is_not_genuine(run, tmp_path):
    (tmp_path / "report.html").write_text("page")
    (tmp_path / "key.pub").write_text(public_line(KEY))
    code, _, stderr = run("report", "verify", tmp_path / "report.html", "--key", tmp_path / "key.pub")
    assert (code, "is not a signed report" in stderr) == (6, True)


@pytest.mark.parametrize("line", ["ssh-rsa AAAA me\n", "ssh-ed25519 AAAA me\n", "nonsense\n", "", "# none\n"])
def test_a_file_that_holds_no_key_is_wrong_use(run, tmp_path, line):
    (tmp_path / "report.zip").write_bytes(archive(files()))
    (tmp_path / "key.pub").write_text(line)
    code, _, stderr = run("report", "verify", tmp_path / "report.zip", "--key", tmp_path / "key.pub")
    assert (code, str(tmp_path / "key.pub") in stderr) == (2, True)


def test_a_signed_report_is_written_as_it_came(run, api, tmp_path):
    api.add_session()
    file = tmp_path / "report.zip"
    assert run("report", "last", "-o", file)[0] == 0
    assert file.read_bytes() == SIGNED


def test_without_a_key_it_is_said_which_one_and_where_it_is(run):
    code, out, err = run("report", "verify", "report.zip")
    said = " ".join(err.replace("│", " ").split())
    assert (code, out) == (2, "")
    assert "give the service's public key, report-key.pub, as its operator hands it out" in said
    assert "Then: dryrun report verify report.zip --key report-key.pub" in said
