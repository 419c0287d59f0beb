import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from discovery_collectors.protocols import ber

arcs = st.lists(st.integers(0, 2**32 - 1), max_size=20)


@given(st.integers(-(2**63), 2**63 - 1))
def test_a_number_reads_back_as_it_was_written(value):
    assert ber.read_integer(ber.the_element(ber.integer(value), ber.INTEGER)) == value


@given(st.integers(0, 1), st.integers(0, 39), arcs)
def test_an_object_identifier_reads_back_as_it_was_written(first, second, others):
    dotted = ".".join(map(str, [first, second, *others]))
    written = ber.the_element(ber.object_identifier(dotted), ber.OBJECT_IDENTIFIER)
    assert ber.read_object_identifier(written) == dotted


@given(st.lists(st.binary(max_size=300), max_size=5))
def test_a_sequence_reads_back_as_it_was_written(contents):
    written = ber.element(ber.SEQUENCE, *(ber.element(ber.OCTET_STRING, each) for each in contents))
    assert ber.whole_size(written[:6]) == len(written)
    inside = ber.the_element(written, ber.SEQUENCE)
    assert list(ber.elements(inside)) == [(ber.OCTET_STRING, each) for each in contents]


@given(st.binary(max_size=60))
def test_whatever_comes_it_is_read_or_refused(content):
    for read in (
        lambda: list(ber.elements(content)),
        lambda: ber.whole_size(content),
        lambda: ber.read_integer(content),
        lambda: ber.read_object_identifier(content),
    ):
        with contextlib.suppress(ber.BerError):
            read()


@pytest.mark.parametrize(
    "content",
    [b"\x30\x05\x02\x01", b"\x30\x80\x02\x01\x01\x00\x00", b"\x1f\x81\x01", b"\x04\x85\x01\x00\x00\x00\x00"],
)
def test_what_is_cut_indefinite_or_oversized_is_refused(content):
    with pytest.raises(ber.BerError):
        list(ber.elements(content))


def test_a_length_is_unknown_until_its_bytes_are_there():
    assert ber.whole_size(b"\x30\x82\x01") is None
    assert ber.whole_size(b"\x30\x82\x01\x00") == 260


def test_elements_beyond_those_wanted_are_left_out():
    content = ber.integer(1) + ber.element(ber.NULL) + ber.integer(2)
    assert ber.fields(content, ber.INTEGER, None) == [b"\x01", b""]
