from pathlib import Path

from dryrun_replica.recipes.probes import read_names

PROBES = r"""
Probe TCP NULL q||
rarity 9
match ftp m|^220 Tool (\S+)\r\n|s p/Tool ftpd/ v/$1/ cpe:/a:tool:ftpd/
match http m%^Server: (.*)\r\n%i p/$1 made/
"""


def test_names_are_those_that_a_table_holds_literally(tmp_path: Path) -> None:
    path = tmp_path / "nmap-service-probes"
    path.write_text(PROBES)
    path.with_name("nmap-services").write_text("# comment\nms-sql-s\t1433/tcp\t0.007929\n")
    names = read_names(path)
    assert names.products == {"tool ftpd"}
    assert names.services == {"ftp", "http", "ms-sql-s"}
