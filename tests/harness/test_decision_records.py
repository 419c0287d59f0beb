"""Decision records are cited by number, so each number belongs to one of them."""

from named_code import ROOT

RECORDS = sorted((ROOT / "docs" / "adr").glob("0*.md"))


def test_no_two_records_have_one_number():
    numbers = [path.name[:4] for path in RECORDS]

    assert len(set(numbers)) == len(numbers)
