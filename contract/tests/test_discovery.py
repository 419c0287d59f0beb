import pytest
from pydantic import ValidationError

from dryrun_contract.discovery import COLLECTOR_LINE, DiscoveryLine, EndLine, ProgressLine


def test_each_kind_of_line_parses_to_its_own_type():
    line = b'{"type":"discovery","kind":"service","key":"10.213.0.3:5432/tcp","data":{"a":[1]}}'
    assert isinstance(COLLECTOR_LINE.validate_json(line), DiscoveryLine)
    assert isinstance(COLLECTOR_LINE.validate_json(b'{"type":"progress","done":3}'), ProgressLine)
    assert COLLECTOR_LINE.validate_json(b'{"type":"end","discoveries":57}') == EndLine(discoveries=57)


@pytest.mark.parametrize(
    "line",
    [
        b"hello",
        b"{}",
        b'{"type":"discovery","kind":"host","key":"a b"}',
        b'{"type":"discovery","kind":"host","key":"h","confidence":2}',
        b'{"type":"discovery","kind":"Host!","key":"h"}',
        b'{"type":"end","discoveries":-1}',
        b'{"type":"end","discoveries":1,"extra":1}',
    ],
)
def test_any_other_line_is_refused(line):
    with pytest.raises(ValidationError):
        COLLECTOR_LINE.validate_json(line)
