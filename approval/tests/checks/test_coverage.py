"""Which missed networks later scans cover: as by comparing each with each, but without doing so."""

import asyncio
from ipaddress import ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from approval_api.checks.coverage import Part, Span, outermost, uncovered, without

_BITS = 5


@st.composite
def spans(draw):
    """A network of at most 32 addresses."""
    bits = draw(st.integers(0, _BITS))
    first = draw(st.integers(0, 2 ** (_BITS - bits) - 1)) << bits
    return Span(first, first + (1 << bits))


@st.composite
def parts(draw):
    span = draw(spans())
    excluded = outermost(draw(st.lists(spans(), max_size=4)))
    return [Part(*part, draw(st.integers(0, 5))) for part in without([span], excluded)]


def scans():
    return st.lists(parts(), max_size=8).map(lambda found: [part for each in found for part in each])


@st.composite
def missed_and_looked_at(draw):
    """Some of what was looked at are all the parts of one size of a network that was missed."""
    missed, looked_at = draw(scans()), draw(scans())
    for span, _, at in missed[:2]:
        size = (span.end - span.first) >> draw(st.integers(1, 3)) or 1
        looked_at += [
            Part(Span(first, first + size), (), at + draw(st.sampled_from([1, 1, 1, 0])))
            for first in range(span.first, span.end, size)
        ]
    return missed, looked_at


def lies_in(inner, outer):
    return outer.first <= inner.first and inner.end <= outer.end


def addresses(spans):
    return {address for span in spans for address in range(span.first, span.end)}


def is_covered(missed, looked_at):
    """Whether something covers it: compared with each, address by address."""
    later = [part for part in looked_at if part.at > missed.at]
    whole = any(
        lies_in(missed.span, part.span) and not any(lies_in(missed.span, hole) for hole in part.excluded)
        for part in later
    )
    inside = [part.span for part in later if lies_in(part.span, missed.span) and part.span != missed.span]
    return whole or addresses([missed.span]) <= addresses([*inside, *missed.excluded])


@given(missed_and_looked_at())
def test_the_same_is_left_as_by_comparing_each_with_each(both):
    missed, looked_at = both
    left = asyncio.run(uncovered(missed, looked_at))
    assert sorted(left) == sorted(part for part in missed if not is_covered(part, looked_at))


@given(span=spans(), excluded=st.lists(spans(), max_size=6))
def test_a_network_that_is_excluded_whole_is_no_part_of_a_scan(span, excluded):
    parts = list(without([span], outermost(excluded)))
    if any(lies_in(span, each) for each in excluded):
        assert parts == []
    else:
        inside = [each for each in excluded if lies_in(each, span)]
        assert [(each, addresses(holes)) for each, holes in parts] == [(span, addresses(inside))]


@pytest.mark.parametrize(
    "text", ["0.0.0.0/0", "10.0.0.0/8", "255.255.255.255/32", "::/0", "::/96", "2001:db8::/32", "ffff::1/128"]
)
def test_a_network_is_the_same_again_after_it_was_numbers(text):
    network = ip_network(text)
    assert Span.of(network).network == network


def test_no_address_of_ipv4_is_one_of_ipv6():
    four, six = Span.of(ip_network("0.0.0.0/0")), Span.of(ip_network("::/0"))
    assert four.end <= six.first


async def test_others_have_a_turn_while_many_are_looked_at():
    turns = 0

    async def take_turns():
        nonlocal turns
        while True:
            await asyncio.sleep(0)
            turns += 1

    # Each excludes another address, so that none makes another one superfluous.
    looked_at = [Part(Span(0, 1024), (Span(number, number + 1),), 1) for number in range(1000)]
    missed = [Part(Span(number, number + 1), (), 2) for number in range(1000)]
    others = asyncio.create_task(take_turns())
    assert await uncovered(missed, looked_at) == missed
    others.cancel()
    assert turns >= 125
