"""What the bills of materials say of third-party software."""

from local_stack import ROOT

from dryrun_local.release.pinned_packages import PinnedPackage, VendoredPackage, read_pins, read_vendored

REQUIREMENTS = """\
# a comment
Wob_Bly==1.0 \\
    --hash=sha256:bb \\
    --hash=sha256:aa
anyio==4.16.0 ; sys_platform != 'emscripten' \\
    --hash=sha256:cc
tzdata==2026.6 ; sys_platform == 'win32' \\
    --hash=sha256:dd
"""


def test_reads_pins_with_their_hashes_for_the_images_platform(tmp_path):
    file = tmp_path / "some.txt"
    file.write_text(REQUIREMENTS)

    assert read_pins(file) == [
        PinnedPackage("anyio", "4.16.0", ("cc",)),
        PinnedPackage("wob-bly", "1.0", ("aa", "bb")),
    ]


def test_every_pin_of_a_service_has_hashes():
    for file in (ROOT / "requirements").glob("service-*.txt"):
        pins = read_pins(file)
        assert pins
        assert all(len(each) == 64 for pin in pins for each in pin.hashes)
        assert all(pin.hashes for pin in pins)


def test_vendored_files_of_tests_are_not_shipped(tmp_path):
    assets = tmp_path / "assets.tsv"
    assets.write_text(
        "# package\n"
        "htmx.org\t4.0.1\t0BSD\tdist/a.js\tapproval/src/approval_api/a.js\tbb\n"
        "htmx.org\t4.0.1\t0BSD\tdist/b.js\tapproval/src/approval_api/b.js\taa\n"
        "axe-core\t4.14.1\tMPL-2.0\taxe.js\tapproval/tests/browser/axe.js\tcc\n"
    )

    assert read_vendored(assets) == [VendoredPackage("htmx.org", "4.0.1", "0BSD", "approval", ("aa", "bb"))]
