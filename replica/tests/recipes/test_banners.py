import re
from pathlib import Path

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from dryrun_replica.inventory.model import Service
from dryrun_replica.recipes.answers import NoAnswerError, generate
from dryrun_replica.recipes.banners import MAX_BANNERS, BannerTable
from dryrun_replica.recipes.probes import read_table

TABLE = r"""
# a table of the same form
Probe TCP NULL q||
match ftp m|^220 Tool FTP \(special\)| p/Tool FTP special edition/
match ftp m|^220 Tool FTP (\d[.\d]+) ready\r\n|i p/Tool FTP/ v/$1/ o/Linux/ cpe:/a:tool:ftp:$1/
match ftp m|^220[- ].*Other| p/Other FTP/
softmatch ftp m|^220 |
Probe TCP GetRequest q|GET / HTTP/1.0\r\n\r\n|
rarity 1
match http m|^HTTP/1\.[01] \d\d\d .*\r\nServer: Board/([\w.]+)\r\n|s p/Board httpd/ v/$1/
match http m=^HTTP/1\.0 200 OK\r\n(?!x)= p=Odd / httpd=
Probe UDP Rare q|\x00\x01|
rarity 9
match odd m|^\x00| p/Rare thing/
"""


@pytest.fixture
def table(tmp_path: Path) -> BannerTable:
    path = tmp_path / "nmap-service-probes"
    path.write_text(TABLE)
    return BannerTable(read_table(path))


def test_a_greeting_names_product_and_version_as_the_inventory_does(table: BannerTable) -> None:
    banner = table.find(Service(port=21, name="ftp", product="tool ftp", version="4.2.1"))
    assert banner is not None
    assert (banner.product, banner.version, banner.trigger) == ("Tool FTP", "4.2.1", b"")
    assert banner.answer == b"220 Tool FTP 4.2.1 ready\r\n"


def test_an_answer_waits_for_its_question(table: BannerTable) -> None:
    banner = table.find(Service(port=80, name="http", product="Board httpd", version="7"))
    assert banner is not None
    assert (banner.trigger, banner.version) == (b"GET ", "7")
    assert banner.answer.endswith(b"\r\n\r\n")


def test_a_version_that_the_pattern_cannot_show_is_not_reported(table: BannerTable) -> None:
    banner = table.find(Service(port=21, name="ftp", product="Tool FTP", version="four"))
    assert banner is not None
    assert banner.version != "four"
    assert re.fullmatch(rb"220 Tool FTP [\d.]+ ready\r\n", banner.answer)


def test_a_product_that_an_earlier_line_would_name_otherwise_has_no_banner(tmp_path: Path) -> None:
    path = tmp_path / "nmap-service-probes"
    path.write_text("Probe TCP NULL q||\nmatch ftp m|^220 | p/First/\nmatch ftp m|^220 Second| p/Second/\n")
    assert not BannerTable(read_table(path)).has(Service(port=21, product="Second"))


@pytest.mark.parametrize("product", ["Rare thing", "Nobody knows it", "Odd / httpd"])
def test_what_a_scan_would_not_find_is_left_out(table: BannerTable, product: str) -> None:
    found = table.has(Service(port=1, transport="tcp", product=product))
    assert found == (product == "Odd / httpd")


@given(st.from_regex(r"\A[a-z]{1,5}(\([a-z0-9.\\d]{1,4}\)|\[a-z\]|x\{2,3\}|a\|b){0,3}\Z"))
def test_what_is_generated_matches_or_is_refused(expression: str) -> None:
    assume("\\b" not in expression)  # the caller checks what only the whole answer shows
    try:
        pattern = re.compile(expression.encode())
        answer = generate(expression.encode(), {})
    except (NoAnswerError, re.error):
        return
    assert pattern.search(answer)


def test_an_answer_is_bounded() -> None:
    for expression in (b"x{5000}", b"(?:x{2000}){2000}", b"(?:(?:x{4000}){4000}){4000}"):
        with pytest.raises(NoAnswerError):
            generate(expression, {})


def test_the_number_of_banners_is_bounded_and_what_came_later_is_counted(table: BannerTable) -> None:
    services = [
        Service(port=21, name="ftp", product="Tool FTP", version=f"4.{number}") for number in range(600)
    ]
    made = [table.find(service) for service in services]
    assert all(made[:MAX_BANNERS])
    assert not any(made[MAX_BANNERS:])
    assert table.not_tried == 600 - MAX_BANNERS
    assert table.find(services[0]) is made[0]
