"""The drawing of a template's network."""

from itertools import combinations

from hypothesis import given
from hypothesis import strategies as st

from approval_api.pages.topology import NODE_HEIGHT, NODE_WIDTH, draw
from dryrun_contract.template import TemplateService


def service(name, *needs):
    return TemplateService(name=name, image=f"discovery/test-{name}:1", depends_on=needs)


@st.composite
def networks(draw_):
    count = draw_(st.integers(min_value=0, max_value=20))
    names = [f"s{number}" for number in range(count)]
    needs = st.lists(st.sampled_from([*names, "unknown"]), max_size=3, unique=True)
    return [service(name, *draw_(needs)) for name in names]


@given(networks())
def test_no_machine_covers_another_and_none_lies_outside(services):
    drawing = draw(services)
    assert sorted(node.name for node in drawing.nodes) == sorted(each.name for each in services)
    for node in drawing.nodes:
        assert 0 <= node.x <= drawing.width - NODE_WIDTH
        assert 0 <= node.y <= drawing.height - NODE_HEIGHT
    for one, other in combinations(drawing.nodes, 2):
        apart = abs(one.x - other.x) >= NODE_WIDTH or abs(one.y - other.y) >= NODE_HEIGHT
        assert apart, (one, other)


@given(networks())
def test_every_dependency_on_a_machine_of_the_network_is_drawn(services):
    names = {each.name for each in services}
    expected = sorted(
        f"{each.name} needs {needed}" for each in services for needed in each.depends_on if needed in names
    )
    assert sorted(curve.title for curve in draw(services).dependencies) == expected


def test_what_is_needed_stands_further_down():
    order = [node.name for node in draw([service("db"), service("app", "db"), service("web", "app")]).nodes]
    assert order == ["web", "app", "db"]
