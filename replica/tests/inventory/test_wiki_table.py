"""Tables of wikis, as people paste them."""

import pytest
from read_files import read, services_of

from dryrun_replica.inventory.faults import InventoryError

READ = {"web-1": ["80/tcp nginx 1.26", "443/tcp nginx 1.26"], "database-1": ["5432/tcp PostgreSQL 15"]}
MARKDOWN = (
    "| **Host** | IP | Ports | Product |\n|------|:--:|-------|---|\n"
    "| web01 | `10.0.0.5` | 80<br>443 | nginx 1.26 |\n| | 10.0.0.6 | 5432 | PostgreSQL 15 |\n"
)
CONFLUENCE = (
    "||Host||IP||Ports||Product||\n|web01|10.0.0.5|80, 443|nginx 1.26|\n||10.0.0.6|5432|PostgreSQL 15|\n"
)


@pytest.mark.parametrize("text", [MARKDOWN, CONFLUENCE, "\n\n" + MARKDOWN, MARKDOWN.replace("\n", "\r\n")])
def test_a_wikis_table_is_read_as_a_table(text):
    inventory = read(text)
    assert [source.format for source in inventory.sources] == ["csv"]
    assert services_of(inventory) == READ


def test_text_under_a_wikis_table_is_a_fault_with_its_line_and_no_host():
    with pytest.raises(InventoryError) as refused:
        read(MARKDOWN + "\nAs of November.\n")
    assert "file1:6: 'As of November.' is no row of the table; save the table alone" in str(refused.value)


def test_a_fault_of_a_row_names_its_line():
    with pytest.raises(InventoryError, match="file1:3: '70000' in the column 'port' is not a port"):
        read("| Host | Port |\n|---|---|\n| a | 70000 |\n")


def test_bars_alone_separate_a_wikis_cells_and_a_quote_is_a_part_of_one():
    assert services_of(read('||Port||Host||Owner, team, or site||\n|22|a|"Red" team|\n|23|b|"|\n')) == {
        "remote-1": ["22/tcp ssh"],
        "network-1": ["23/tcp telnet"],
    }


def test_a_table_that_bars_separate_and_that_begins_with_an_empty_cell_is_no_wikis():
    assert services_of(read("|host|port\n|a|22\n|b|80\n")) == {
        "remote-1": ["22/tcp ssh"],
        "web-1": ["80/tcp http"],
    }
