import pytest
from pydantic import ValidationError

from dryrun_contract.discovery import COLLECTOR_LINE, DiscoveryLine, EndLine, ProgressLine


def test_each_kind_of_line_parses_to_its_own_type():
    line = b'{"type":"discovery","kind":"service","key":"10.213.0.3:5432/tcp","data":{"a":[1]}}'
    assert isinstance(COLLECTOR_LINE.validate_json(line), DiscoveryLine)
    assert isinstance(COLLECTOR_LINE.validate_json(b'{"type":"progress","done":3}'), ProgressLine)
    assert COLLECTOR_LINE.validate_json(b'{"type":"end","discoveries":57}') == EndLine(discoveries=57)


def test_an_end_line_has_what_was_not_covered_only_when_there_is_something():
    for text in (
        '{"type":"end","discoveries":57}',
        '{"type":"end","discoveries":0,"not_covered":["10.0.0.9/32"]}',
    ):
        assert COLLECTOR_LINE.validate_json(text).model_dump_json() == text


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
        b'{"type":"end","discoveries":1,"not_covered":["10.0.0.9/24"]}',
        b'{"type":"end","discoveries":1,"not_covered":["%s"]}' % b'","'.join([b"10.0.0.9"] * 257),
    ],
)
def test_any_other_line_is_refused(line):
    with pytest.raises(ValidationError):
        COLLECTOR_LINE.validate_json(line)
