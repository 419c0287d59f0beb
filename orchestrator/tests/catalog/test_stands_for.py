"""What a template says of the real network that it stands for."""

import pytest
from small_template import SMALL, catalog, faults

STANDS_FOR = """\
  stands_for:
    made_from: a scan by nmap
    made_on: '2026-11-26'
    hosts: 38
    levels: {same_version: 30, same_product: 30, relative: 5, banner: 1, nothing: 1}
    weights: {web: '37.5', twin: '1'}
    census:
      network: n0123456789abcdef
      classes:
        web-a: {hosts: 37, targets: [web], services: [443/tcp same_version nginx, 22/tcp nothing]}
        host-a: {hosts: 1, targets: [twin]}
      services: [37 443/tcp same_version nginx, 37 22/tcp nothing]
      beyond: 2
"""


def made_of(text=STANDS_FOR):
    return SMALL.replace("services:\n", f"{text}services:\n", 1)


def test_a_template_says_which_network_it_stands_for(folder):
    (folder / "small.yml").write_text(made_of())
    known = catalog(folder).get("small").summary().stands_for
    assert known is not None
    assert (known.made_from, str(known.made_on), known.hosts) == ("a scan by nmap", "2026-11-26", 38)
    assert known.levels.sentence == (
        "60 of 67 services stand on real software, 5 on a relative, 1 on a banner, 1 on nothing"
    )
    assert known.weights == {"web": 37.5, "twin": 1.0}
    assert known.census is None, "in lists it is left out"
    census = catalog(folder).get("small").full().stands_for.census
    assert [(each.name, each.hosts, each.targets) for each in census.classes] == [
        ("web-a", 37, ("web",)),
        ("host-a", 1, ("twin",)),
    ]
    assert [(each.place, each.level, each.product) for each in census.classes[0].services] == [
        ("443/tcp", "same_version", "nginx"),
        ("22/tcp", "nothing", None),
    ]
    assert (census.total, census.beyond) == (76, 2)


@pytest.mark.parametrize(
    ("old", "new", "fault"),
    [
        ("hosts: 38", "hosts: 0", "stands_for.hosts: is 0; it can be 1 to 1000000"),
        ("hosts: 38", "size: 38", "stands_for: the key 'hosts' is missing"),
        ("nothing: 1", "nothing: -1", "stands_for.levels.nothing: is -1; it can be 0 to 100000000"),
        (", nothing: 1", "", "stands_for.levels: the key 'nothing' is missing"),
        ("nothing: 1", "nothing: 1, open_ports: 2", "stands_for.levels: open_ports counts some of banner"),
        ("nothing: 1", "nothing: 1, open_ports: x", "stands_for.levels.open_ports: "),
        ("'2026-11-26'", "'2026-13-01'", "stands_for.made_on: is '2026-13-01'; expected a date"),
        ("'2026-11-26'", "2026-11-26", "stands_for.made_on: is a date; expected a text; write it in quotes"),
        ("web: '37.5'", "web: '-1'", "stands_for.weights.web: is '-1'; expected a number above 0"),
        ("web: '37.5'", "web: '0.0'", "stands_for.weights.web: is '0.0'; expected a number above 0"),
        ("web: '37.5'", "web: 'nan'", "stands_for.weights.web: is 'nan'; expected a number above 0"),
        ("web: '37.5'", "www: '1'", "stands_for.weights.www: there is no service 'www'"),
        ("n0123456789abcdef", "acme", "stands_for.census: is not valid: network: must match the pattern"),
        ("hosts: 37", "hosts: 0", "census.classes.web-a.hosts: is 0; it can be 1 to 1000000"),
        ("targets: [web]", "targets: [www]", "web-a.targets[0]: there is no service 'www'"),
        ("[443/tcp same", "[443 same", "web-a.services[0]: is '443 same_version nginx'; expected"),
        ("[37 443", "[443", "census.services[0]: is '443/tcp same_version nginx'; expected a text like"),
        ("beyond: 2", "beyond: -2", "census.beyond: is -2; it can be 0 to 100000000"),
        ("22/tcp nothing]}", "70000/tcp nothing]}", "web-a: is not valid"),
        (
            "[37 443/tcp same_version nginx, ",
            f"[{'1 1/tcp nothing, ' * 600}",
            "601 rows; at most 600 are allowed",
        ),
    ],
)
def test_what_a_template_says_of_a_network_is_checked(folder, old, new, fault):
    assert any(fault in each for each in faults(folder, made_of(STANDS_FOR.replace(old, new))))
