"""Signed reports whose archive unpackers may read otherwise than `dryrun report verify` does."""

import io
import stat
import struct
import zlib

import pytest
from signed_archives import NOTE, PAGE, archive, files


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
    assert (code, "to none of its files" in stderr) == (6, True)


def listing_of(content, name):
    """Return where the directory lists a file."""
    return content.rindex(name.encode()) - 46


def changed_heads(content, at, listed_at, said):
    """Return an archive with other bytes in both heads of its page."""
    head, listing = content.index(b"PK\x03\x04"), listing_of(content, "report.html")
    return patched(patched(content, head + at, said), listing + listed_at, said)


@pytest.mark.parametrize(
    ("at", "said"),
    [(28, 150), (30, 22), (32, 22)],
    ids=["name", "extra field", "comment"],
)
def test_a_listing_that_runs_into_the_directorys_end_is_refused(verify, at, said):
    """Python cuts it off there; others take the end's bytes for more of the name."""
    content = archive(files())
    last = content.rindex(b"PK\x01\x02")
    code, stdout, _ = verify(patched(content, last + at, struct.pack("<H", said)))
    assert (code, stdout) == (6, "")


def test_a_name_that_some_would_cut_off_is_refused(verify):
    members = {name.replace("VERIFY.txt", "VERIFY.txt-more"): content for name, content in files().items()}
    code, stdout, _ = verify(archive(members).replace(b"VERIFY.txt-more", b"VERIFY.txt\0more"))
    assert (code, stdout) == (6, "")


@pytest.mark.parametrize("system", [0, 3])
@pytest.mark.parametrize("attribute", [0x08, 0x10, 0x40, 0x400])
def test_a_file_that_dos_would_call_something_else_is_refused(verify, system, attribute):
    """`bsdtar` and 7-Zip make an empty folder of 0x10, `unzip` nothing of 0x08 (a volume's label)."""
    content = archive(files())
    at = listing_of(content, "report.html")
    told = patched(patched(content, at + 5, bytes([system])), at + 38, struct.pack("<L", attribute))
    code, stdout, stderr = verify(told)
    assert (code, stdout) == (6, "")
    assert "report.html" in stderr
    assert "not a plain file" in stderr


@pytest.mark.parametrize("attribute", [0, 0x01, 0x20])
def test_a_file_that_dos_calls_plain_is_genuine(verify, attribute):
    content = archive(files())
    at = listing_of(content, "report.html")
    told = patched(patched(content, at + 5, b"\0"), at + 38, struct.pack("<L", attribute))
    assert verify(told)[0] == 0


@pytest.mark.parametrize(
    ("at", "said"),
    [(5, b"\x01"), (5, b"\x06"), (34, b"\x01\x00"), (36, b"\x01\x00")],
    ids=["Amiga", "OS/2", "on another disk", "text"],
)
def test_a_listing_by_which_unpackers_may_change_a_file_is_refused(verify, at, said):
    content = archive(files())
    code, stdout, stderr = verify(patched(content, listing_of(content, "report.html") + at, said))
    assert (code, stdout) == (6, "")
    assert "in several ways" in stderr


@pytest.mark.parametrize(
    ("at", "said"),
    [(4, 63), (6, 1 << 4), (6, 1 << 13), (6, 1 << 3), (6, 1), (8, 9)],
    ids=["a later format", "enhanced", "masked", "sizes behind", "encrypted", "Deflate64"],
)
def test_what_only_some_unpackers_can_unpack_is_refused(verify, at, said):
    """`unzip` leaves out what needs a format later than its own."""
    code, stdout, stderr = verify(changed_heads(archive(files()), at, at + 2, struct.pack("<H", said)))
    assert (code, stdout) == (6, "")
    assert "in several ways" in stderr


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
    swapped = files(note=None)
    assert verify(archive_with_extras(swapped, {}, {}))[0] == 0
    code, stdout, _ = verify(archive_with_extras(swapped, local, listed))
    assert (code, stdout) == (6, "")


@pytest.mark.parametrize(
    ("at", "said"),
    [(-18, b"\x05\x00\x05\x00"), (-14, b"\x01\x00"), (-12, b"\x04\x00"), (-14, b"\x04\x00\x04\x00")],
    ids=["another disk", "fewer here", "fewer in all", "fewer"],
)
def test_a_directory_of_which_the_end_says_something_else_is_refused(verify, at, said):
    code, stdout, stderr = verify(patched(archive(files()), at, said))
    assert (code, stdout) == (6, "")
    assert "is not the one that its end states" in stderr


def test_a_directory_that_lies_elsewhere_than_its_end_says_is_refused(verify):
    """Python reads the directory in front of the end; who goes by the place that is told, another one."""
    first = 46 + len("report.html")
    code, stdout, stderr = verify(told_further_on(archive(files()), first))
    assert (code, stdout) == (6, "")
    assert "is not where its end states" in stderr


def test_a_flag_that_only_one_head_of_a_file_has_is_refused(verify):
    code, stdout, stderr = verify(patched(archive(files()), 6, b"\x01\x00"))
    assert (code, stdout) == (6, "")
    assert "in two different ways" in stderr


@pytest.mark.parametrize("kind", [stat.S_IFLNK, stat.S_IFDIR, stat.S_IFIFO])
@pytest.mark.parametrize("note", [NOTE, None], ids=["signed", "not signed"])
def test_a_file_that_is_to_be_unpacked_as_a_link_is_refused(verify, kind, note):
    content = archive(files(note=note))
    at = content.rindex(b"VERIFY.txt") - 46
    code, stdout, stderr = verify(patched(content, at + 38, struct.pack("<L", (kind | 0o777) << 16)))
    assert (code, stdout) == (6, "")
    assert "VERIFY.txt" in stderr
    assert "not a plain file" in stderr


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
