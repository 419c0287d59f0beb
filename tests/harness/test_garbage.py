"""Tests run with garbage collection, which leaves alone what was there before the first of them."""

import gc


def test_garbage_is_collected_while_tests_run() -> None:
    assert gc.isenabled()


def test_what_was_imported_and_collected_is_left_alone() -> None:
    assert gc.get_freeze_count() > 10_000
