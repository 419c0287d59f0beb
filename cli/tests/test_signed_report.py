"""Signed reports, checked as whoever received one by mail would."""

import base64
import hashlib
import io
import json
import stat
import struct
import zipfile
import zlib

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from fake_approval_api import SIGNED, FakeApi
from recorded_report import small_report

from dryrun_contract.ssh_signature import SshSignature, public_key_blob, signed_data, write_signature

KEY = Ed25519PrivateKey.generate()
OTHER = Ed25519PrivateKey.generate()
REPORT = small_report(FakeApi().add_session())


def signature(key, content):
    signed = key.sign(signed_data(hashlib.sha512(content).digest()))
    return write_signature(SshSignature(key.public_key().public_bytes_raw(), signed))


def public_line(key, comment="reports"):
    blob = base64.b64encode(public_key_blob(key.public_key().public_bytes_raw())).decode()
    return f"ssh-ed25519 {blob} {comment}\n"


PAGE = b"<!doctype html>"
DATA = json.dumps(REPORT).encode()


NOTE = b"how to check this"


def files(key=KEY, page=PAGE, data=DATA, note=NOTE):
    """What an archive holds; without a note, one of before it was signed too."""
    signed = {"report.html": page, "report.json": data} | ({"VERIFY.txt": note} if note else {})
    digests = "".join(f"{hashlib.sha512(content).hexdigest()}  {name}\n" for name, content in signed.items())
    return {
        "report.html": page,
        "report.json": data,
        "SHA512SUMS": digests,
        "SHA512SUMS.sig": signature(key, digests.encode()),
        "VERIFY.txt": note or "anything",
    }


def archive(members):
    written = io.BytesIO()
    with zipfile.ZipFile(written, "w", zipfile.ZIP_DEFLATED) as file:
        for name, content in members.items():
            file.writestr(name, content)
    return written.getvalue()


@pytest.fixture
def verify(run, tmp_path):
    """Write an archive and the trusted keys, and run `dryrun report verify`."""

    def verify(content, *options, keys=(KEY,)):
        (tmp_path / "report.zip").write_bytes(content)
        (tmp_path / "report-key.pub").write_text("".join(map(public_line, keys)))
        return run(
            "report", "verify", tmp_path / "report.zip", "--key", tmp_path / "report-key.pub", *options
        )

    return verify


def test_a_genuine_report_says_who_signed_it_and_what_it_says(verify):
    code, stdout, _ = verify(archive(files()))
    assert code == 0
    assert "report.html, report.json, VERIFY.txt: signed by SHA256:" in stdout
    assert "template small" in stdout


def test_a_report_of_before_its_note_was_signed_is_genuine_without_it(verify):
    code, stdout, _ = verify(archive(files(note=None)))
    assert (code, "report.html, report.json: signed by SHA256:" in stdout) == (0, True)


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
        (changed("report.html", PAGE + b" "), "report.html of"),
        (changed("report.json", DATA + b" "), "report.json of"),
        (changed("VERIFY.txt", "check it by running this"), "VERIFY.txt of"),
        (changed("report.html", files(page=b"another, signed as well")["report.html"]), "report.html of"),
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
    assert (code, "report.json of" in stderr) == (6, True)


def patched(content, at, changed):
    """Return an archive with other bytes at a place, from its end where that is negative."""
    at += len(content) if at < 0 else 0
    return content[:at] + changed + content[at + len(changed) :]


def told_further_on(content, by):
    """Return an archive that tells each place in it as so many bytes further on."""
    (begin,) = struct.unpack("<L", content[-6:-2])
    told, at = patched(content, -6, struct.pack("<L", begin + by)), begin
    while at >= 0:
        (local,) = struct.unpack("<L", told[at + 42 : at + 46])
        told = patched(told, at + 42, struct.pack("<L", local + by))
        at = told.find(b"PK\x01\x02", at + 4)
    return told


@pytest.mark.parametrize("counted", [False, True])
def test_bytes_that_the_directory_does_not_list_are_refused(verify, counted):
    forged = archive({"report.html": b"<!doctype html>forged"})
    forged = forged[: forged.index(b"PK\x01\x02")]
    code, _, stderr = verify(forged + told_further_on(archive(files()), len(forged) if counted else 0))
    assert (code, "beside its files" in stderr) == (6, True)


def unicode_path(name, other):
    """Return the extra field by which unpackers give a file another name (0x7075 of the specification)."""
    said = struct.pack("<BL", 1, zlib.crc32(name.encode())) + other.encode()
    return struct.pack("<HH", 0x7075, len(said)) + said


def archive_with_extras(members, local, listed):
    """Write an archive with extra fields, by name of the file, in its local heads and in its directory."""
    written, directory = io.BytesIO(), b""
    for name, content in members.items():
        raw = content.encode() if isinstance(content, str) else content
        here, there = local.get(name, b""), listed.get(name, b"")
        told = (20, 0, 0, 0, 33, zlib.crc32(raw), len(raw), len(raw), len(name))
        at = written.tell()
        written.write(struct.pack("<4s5H3L2H", b"PK\x03\x04", *told, len(here)) + name.encode() + here + raw)
        directory += struct.pack("<4s6H3L5H2L", b"PK\x01\x02", 20, *told, len(there), 0, 0, 0, 0, at)
        directory += name.encode() + there
    end = (0, 0, len(members), len(members), len(directory), written.tell(), 0)
    return written.getvalue() + directory + struct.pack("<4s4H2LH", b"PK\x05\x06", *end)


FORGED = b"<!doctype html>forged"


def deflated(content):
    compressor = zlib.compressobj(wbits=-15)
    return compressor.compress(content) + compressor.flush()


def archive_of(members, page, listed, local):
    """Write an archive in which the bytes of the page are `page`; both heads have method and sizes."""
    written, directory = io.BytesIO(), b""
    for name, content in members.items():
        raw = content.encode() if isinstance(content, str) else content
        said, heard = (0, len(raw), len(raw)), (0, len(raw), len(raw))
        checksum = zlib.crc32(raw)
        if name == "report.html":
            said, heard, raw = listed, local, page
        at = written.tell()
        told, tell = (
            (20, 0, method, 0, 33, checksum, packed, size, len(name), 0)
            for method, packed, size in (said, heard)
        )
        written.write(struct.pack("<4s5H3L2H", b"PK\x03\x04", *tell) + name.encode() + raw)
        directory += struct.pack("<4s6H3L5H2L", b"PK\x01\x02", 20, *told, 0, 0, 0, 0, at) + name.encode()
    end = (0, 0, len(members), len(members), len(directory), written.tell(), 0)
    return written.getvalue() + directory + struct.pack("<4s4H2LH", b"PK\x05\x06", *end)


@pytest.mark.parametrize(
    ("page", "listed", "local"),
    [
        (PAGE + FORGED, (0, len(PAGE + FORGED), len(PAGE)), None),
        (deflated(PAGE) + FORGED, (8, len(deflated(PAGE) + FORGED), len(PAGE)), None),
        (deflated(PAGE), (8, len(deflated(PAGE)), len(PAGE)), (0, len(deflated(PAGE)), len(deflated(PAGE)))),
        (deflated(PAGE), (8, len(deflated(PAGE)), len(PAGE)), (8, len(deflated(PAGE)), 1)),
    ],
    ids=["behind a plain page", "behind a compressed page", "another method", "another size"],
)
def test_bytes_of_a_file_that_unpackers_may_read_otherwise_are_refused(verify, page, listed, local):
    plain = len(PAGE)
    packed = deflated(PAGE)
    assert verify(archive_of(files(), PAGE, (0, plain, plain), (0, plain, plain)))[0] == 0
    assert verify(archive_of(files(), packed, (8, len(packed), plain), (8, len(packed), plain)))[0] == 0
    code, stdout, _ = verify(archive_of(files(), page, listed, local or listed))
    assert (code, stdout) == (6, "")


SWAPPED = {
    "report.html": unicode_path("report.html", "VERIFY.txt"),
    "VERIFY.txt": unicode_path("VERIFY.txt", "report.html"),
}


@pytest.mark.parametrize(
    ("local", "listed"),
    [(SWAPPED, {}), ({}, SWAPPED), (SWAPPED, SWAPPED), ({"VERIFY.txt": b"any"}, {})],
    ids=["local", "listed", "both", "anything else"],
)
def test_what_unpackers_may_take_for_other_names_is_refused(verify, local, listed):
    forged = files(note=None) | {"VERIFY.txt": "<!doctype html>forged"}
    assert verify(archive_with_extras(forged, {}, {}))[0] == 0
    code, stdout, _ = verify(archive_with_extras(forged, local, listed))
    assert (code, stdout) == (6, "")


@pytest.mark.parametrize(
    ("at", "said"),
    [(-18, b"\x05\x00\x05\x00"), (-14, b"\x01\x00"), (-12, b"\x04\x00"), (-14, b"\x04\x00\x04\x00")],
    ids=["another disk", "fewer here", "fewer in all", "fewer"],
)
def test_a_directory_of_which_the_end_says_something_else_is_refused(verify, at, said):
    code, stdout, stderr = verify(patched(archive(files()), at, said))
    assert (code, stdout) == (6, "")
    assert "another directory" in stderr


def test_a_directory_that_lies_elsewhere_than_its_end_says_is_refused(verify):
    """Python reads the directory in front of the end; who goes by the place that is told, another one."""
    first = 46 + len("report.html")
    code, stdout, stderr = verify(told_further_on(archive(files()), first))
    assert (code, stdout) == (6, "")
    assert "another place" in stderr


def test_a_flag_that_only_one_head_of_a_file_has_is_refused(verify):
    code, stdout, stderr = verify(patched(archive(files()), 6, b"\x01\x00"))
    assert (code, stdout) == (6, "")
    assert "in two ways" in stderr


@pytest.mark.parametrize("kind", [stat.S_IFLNK, stat.S_IFDIR, stat.S_IFIFO])
@pytest.mark.parametrize("note", [NOTE, None], ids=["signed", "not signed"])
def test_a_file_that_is_to_be_unpacked_as_a_link_is_refused(verify, kind, note):
    content = archive(files(note=note))
    at = content.rindex(b"VERIFY.txt") - 46
    code, stdout, stderr = verify(patched(content, at + 38, struct.pack("<L", (kind | 0o777) << 16)))
    assert (code, stdout) == (6, "")
    assert "VERIFY.txt" in stderr
    assert "no plain file" in stderr


def test_two_files_of_one_name_are_refused(verify):
    content = archive(files() | {"report.htmm": b"another"}).replace(b"report.htmm", b"report.html")
    assert verify(content)[0] == 6


def test_a_directory_of_many_entries_is_refused_before_it_is_read(verify):
    many = archive({f"{number}": b"" for number in range(300)})
    code, _, stderr = verify(many)
    assert (code, "is not a signed report" in stderr) == (6, True)
    size = len(many)
    zip64 = many[:-22] + struct.pack("<4sLQL", b"PK\x06\x07", 0, size, 1)
    end = struct.pack("<4s4H2LH", b"PK\x05\x06", 0, 0, 1, 1, 46, 0, 0)
    assert verify(zip64 + end)[0] == 6


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
