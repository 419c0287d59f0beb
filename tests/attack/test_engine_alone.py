"""The vectors are worth their name: an engine without a guard creates what they ask for."""

import pytest
from engine_alone import engine_accepts
from guard_lab import Lab
from vectors import ALL
from vectors.row import CREATE

pytestmark = pytest.mark.engine


def test_engine_without_a_guard_accepts_what_the_vectors_say_it_accepts(lab: Lab) -> None:
    refused = {}
    for vector in ALL:
        if vector.alone and vector.path == CREATE:
            accepted, answer = engine_accepts(lab, vector, lab.vector_facts())
            if not accepted:
                refused[vector.id] = answer
    assert not refused
