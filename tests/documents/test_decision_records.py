"""Decision records are referred to by number, so each has one of its own."""

from named_code import ROOT


def test_every_record_has_a_number_of_its_own():
    numbers = [record.name[:4] for record in (ROOT / "docs" / "adr").glob("[0-9]*.md")]
    assert numbers
    assert [number for number in numbers if numbers.count(number) > 1] == []
