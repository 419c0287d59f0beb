"""The examples in docstrings hold."""

import doctest

import pytest

from dryrun_contract import template
from dryrun_replica.classes import grouping
from dryrun_replica.inventory import findings, table, well_known, words
from dryrun_replica.planning import summary


@pytest.mark.parametrize("module", [findings, grouping, summary, table, template, well_known, words])
def test_the_examples_in_the_docstrings_hold(module):
    failed, tried = doctest.testmod(module)
    assert (failed, tried > 0) == (0, True)
