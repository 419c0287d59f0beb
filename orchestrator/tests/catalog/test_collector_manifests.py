import pytest
from hypothesis import given
from hypothesis import strategies as st

from dryrun_contract.collector_config import CONFIG_KEYS
from dryrun_orchestrator.catalog.allowlist import AllowedImage, Allowlist
from dryrun_orchestrator.catalog.collector_manifest import CollectorManifest
from dryrun_orchestrator.catalog.collector_manifests import CollectorManifestsError, load_collector_manifests
from dryrun_orchestrator.catalog.collector_order import CollectorOrderError, order_collectors

IMAGES = (
    AllowedImage("discovery/test-collector-network:1", f"sha256:{'1' * 64}", frozenset(CONFIG_KEYS)),
    AllowedImage("discovery/test-collector-database:1", f"sha256:{'2' * 64}", frozenset(CONFIG_KEYS)),
    AllowedImage("discovery/test-collector-deaf:1", f"sha256:{'3' * 64}"),
    AllowedImage("discovery/test-nginx:1.26", f"sha256:{'4' * 64}"),
    AllowedImage(
        "discovery/test-collector-foreign:1",
        f"sha256:{'5' * 64}",
        capabilities=("NET_RAW",),
        arguments=(("-oX", "-", "{cidr}"), ("--rate={rate}", "{cidr}")),
        max_rate=5000,
    ),
)
ALLOWLIST = Allowlist("allowlist.json", {image.name: image for image in IMAGES})
NETWORK = """
name: network
image: discovery/test-collector-network:1
summary: Finds hosts and what listens on them.
provides: [host, service]
timeout_seconds: 600
"""
DATABASE = """
name: database
image: discovery/test-collector-database:1
summary: Reads schemas.
provides: [database, table]
needs: [service]
timeout_seconds: 300
profile: full
"""


def test_a_collector_is_given_the_logins_of_the_engines_it_names_and_a_rate(load):
    limits = "credentials: [postgresql, redis]\nmax_rate: 500\n"
    manifests = load(a=NETWORK, b=DATABASE + limits).by_name
    assert manifests["database"].credentials == {"postgresql", "redis"}
    assert manifests["database"].max_rate == 500
    assert (manifests["network"].credentials, manifests["network"].max_rate) == (frozenset(), None)


@pytest.fixture
def load(tmp_path):
    def load_files(**files):
        folder = tmp_path / "manifests"
        folder.mkdir()
        for name, text in files.items():
            (folder / f"{name}.yml").write_text(text)
        return load_collector_manifests(folder, ALLOWLIST)

    return load_files


def faults(load, **files):
    with pytest.raises(CollectorManifestsError) as raised:
        load(**files)
    return [f"{fault.where}: {fault.what}" for fault in raised.value.faults]


def test_a_collector_comes_after_what_provides_its_needs(load):
    network, database = load(a=DATABASE, b=NETWORK).in_order()
    assert (network.name, network.profile, network.timeout_seconds) == ("network", "quick", 600)
    assert network.image == IMAGES[0]
    assert (database.name, database.profile) == ("database", "full")
    assert database.needs == {"service"}


def test_some_of_them_run_when_their_needs_are_met(load):
    manifests = load(a=DATABASE, b=NETWORK)
    assert [each.name for each in manifests.in_order(["network"])] == ["network"]
    with pytest.raises(CollectorOrderError, match="database needs service, which no other"):
        manifests.in_order(["database"])


@pytest.mark.parametrize(
    ("old", "new", "fault"),
    [
        ("name: network", "name: Net work", ":2: name: is not a collector name"),
        (
            "collector-network:1",
            "collector-netwrk:1",
            ":3: image: the image 'discovery/test-collector-netwrk:1'",
        ),
        ("collector-network:1", "nginx:1.26", ":3: image: discovery/test-nginx:1.26 is a target"),
        (
            "collector-network:1",
            "collector-deaf:1",
            ":3: image: discovery/test-collector-deaf:1 does not allow",
        ),
        ("[host, service]", "[host, servic]", ":5: provides[1]: is 'servic'; known kinds are host"),
        ("[host, service]", "[]", ":5: provides: is empty"),
        (
            "timeout_seconds: 600",
            "timeout_seconds: 1501",
            ":6: timeout_seconds: is 1501; it can be 1 to 1500",
        ),
        ("timeout_seconds: 600", "timeout_seconds: 10m", ":6: timeout_seconds: is a text; expected a whole"),
        ("timeout_seconds: 600", "timeout: 600", ":6: timeout: the key 'timeout' is outside the subset"),
        (
            "name: network",
            "name: network\nprofile: fast",
            ":3: profile: is 'fast'; known are quick and full",
        ),
        (
            "name: network",
            "name: network\ncommand: sh",
            ":3: command: the key 'command' is outside the subset",
        ),
        ("name: network", "name: network\nname: x", ":3: name: the key 'name' occurs here twice"),
    ],
)
def test_an_invalid_manifest_is_reported_with_its_place(load, old, new, fault):
    assert NETWORK.replace(old, new) != NETWORK
    found = faults(load, network=NETWORK.replace(old, new))
    assert any(each.startswith(f"manifests/network.yml{fault}") for each in found)


FOREIGN = """
name: theirs
image: discovery/test-collector-foreign:1
summary: Somebody else's.
provides: [host, service]
timeout_seconds: 60
arguments: ["-oX", "-", "{cidr}"]
capabilities: [NET_RAW]
output: nmap-xml
purpose: comparison
"""


def test_a_foreign_program_gets_its_arguments_from_the_allowlist(load):
    manifests = load(a=DATABASE, b=NETWORK, c=FOREIGN)
    theirs = manifests.by_name["theirs"]
    assert (theirs.arguments, theirs.output) == (("-oX", "-", "{cidr}"), "nmap-xml")
    assert theirs.capabilities == ("NET_RAW",)
    assert [each.name for each in manifests.in_order()] == ["network", "database"]
    assert len(manifests.in_order(["network", "database", "theirs"])) == 3
    with pytest.raises(CollectorOrderError, match="database needs service, which no other"):
        manifests.in_order(["database", "theirs"])


@pytest.mark.parametrize(
    ("old", "new", "fault"),
    [
        (
            '"-oX", "-", "{cidr}"',
            '"-oX", "-"',
            (
                ":7: arguments: is not an argument list that the allowlist has for "
                "discovery/test-collector-foreign:1: argument 3 is missing, the allowlist has "
                "'{cidr}' there; it has [-oX - {cidr}] and [--rate={rate} {cidr}]"
            ),
        ),
        ('["-oX", "-", "{cidr}"]', '"-oX"', ":7: arguments: is a text; expected a list"),
        ('"{cidr}"', "17", ":7: arguments[2]: is a number; expected a text"),
        (
            'arguments: ["-oX", "-", "{cidr}"]',
            "",
            ":3: image: discovery/test-collector-foreign:1 does not allow",
        ),
        ("[NET_RAW]", "[NET_RAW, NET_ADMIN]", ":8: capabilities[1]: 'NET_ADMIN' is not granted"),
        ("nmap-xml", "xml", ":9: output: is 'xml'; known are ndjson and nmap-xml"),
        ("comparison", "fun", ":10: purpose: is 'fun'; known are discovery and comparison"),
    ],
)
def test_arguments_and_capabilities_are_held_against_the_allowlist(load, old, new, fault):
    [found] = faults(load, b=NETWORK, c=FOREIGN.replace(old, new))
    assert found.startswith(f"manifests/c.yml{fault}")


PACED = FOREIGN.replace('"-oX", "-", "{cidr}"', '"--rate={rate}", "{cidr}"')


def test_a_foreign_program_whose_arguments_hold_a_rate_takes_one(load):
    manifests = load(
        a=NETWORK, b=FOREIGN, c=PACED.replace("name: theirs", "name: paced\nmax_rate: 5000")
    ).by_name
    assert (manifests["paced"].takes_rate, manifests["paced"].max_rate) == (True, 5000)
    assert (manifests["theirs"].takes_rate, manifests["theirs"].max_rate) == (False, None)


@pytest.mark.parametrize(
    ("manifest", "fault"),
    [
        (PACED, ":7: arguments: holds {rate}; max_rate has to say how many packets per second that is"),
        (PACED + "max_rate: 5001", ":11: max_rate: is 5001; it can be 1 to 5000"),
        (PACED + "max_rate: 0", ":11: max_rate: is 0; it can be 1 to 5000"),
        (FOREIGN + "max_rate: 50", ":11: max_rate: has no effect: no argument holds {rate}"),
    ],
)
def test_a_rate_needs_its_place_and_stays_within_the_images(load, manifest, fault):
    assert faults(load, b=NETWORK, c=manifest) == [f"manifests/c.yml{fault}"]


def test_problems_of_all_files_are_reported_at_once(load):
    found = faults(
        load, a=NETWORK.replace("host,", "hots,"), b=NETWORK.replace("600", "0"), c="[", d=DATABASE
    )
    assert [each.partition(":")[0] for each in found] == [
        "manifests/a.yml",
        "manifests/b.yml",
        "manifests/c.yml",
    ]


def test_two_collectors_cannot_share_a_name(load):
    assert faults(load, a=NETWORK, b=NETWORK) == [
        "manifests/b.yml: the name network already belongs to another collector"
    ]


def test_an_unmet_need_is_a_problem(load):
    assert faults(load, database=DATABASE) == [
        "manifests: the collector database needs service, which no other of these collectors provides"
    ]


def test_a_missing_or_empty_folder_is_a_problem(load, tmp_path):
    assert "holds no collector manifest" in faults(load)[0]
    with pytest.raises(CollectorManifestsError, match="No such file"):
        load_collector_manifests(tmp_path / "nowhere", ALLOWLIST)


def collector(name, provides, needs=()):
    return CollectorManifest(name, IMAGES[0], "x", frozenset(provides), frozenset(needs), 1, "quick")


def test_a_cycle_is_reported_with_its_members_only():
    with pytest.raises(CollectorOrderError) as raised:
        order_collectors(
            [
                collector("first", ["host"]),
                collector("a", ["service"], ["host", "table"]),
                collector("b", ["table"], ["service"]),
                collector("last", ["certificate"], ["table"]),
            ]
        )
    assert raised.value.problems == ("these collectors wait for each other in a circle: a, b",)


def test_a_collector_may_refine_its_own_kind_when_another_provides_it_too():
    ordered = order_collectors([collector("a", ["service"], ["service"]), collector("b", ["service"])])
    assert [each.name for each in ordered] == ["b", "a"]
    with pytest.raises(CollectorOrderError, match="needs service, which no other"):
        order_collectors([collector("a", ["service"], ["service"])])


kinds = st.sets(st.sampled_from(["host", "service", "database", "table"]), max_size=2)


@given(st.lists(st.tuples(kinds, kinds), max_size=6))
def test_an_order_meets_every_need_and_leaves_nobody_out(rows):
    collectors = [collector(f"c{number}", *row) for number, row in enumerate(rows)]
    try:
        ordered = order_collectors(collectors)
    except CollectorOrderError as error:
        problems = error.problems
    else:
        problems = ()
        assert sorted(each.name for each in ordered) == sorted(each.name for each in collectors)
        for place, each in enumerate(ordered):
            before = frozenset().union(*(other.provides for other in ordered[:place]))
            after = frozenset().union(*(other.provides for other in ordered[place + 1 :]))
            assert each.needs <= before
            assert not each.needs & after
    assert len(problems) == len(set(problems))


def test_without_claims_a_collector_is_judged_by_all_that_it_reports(load):
    assert load(a=NETWORK).by_name["network"].claims is None


def test_claims_say_by_what_a_collector_is_judged(load):
    manifests = load(a=NETWORK + "claims: {host: [], service: [product]}\n")
    assert manifests.by_name["network"].claims == {"host": (), "service": ("product",)}


@pytest.mark.parametrize(
    ("claims", "fault"),
    [
        ("{hosts: []}", "'hosts' is not a kind; known are host, service"),
        ("{table: []}", "table is claimed but missing in 'provides'"),
        (
            "{service: [product, verison]}",
            "'verison' is not a scored attribute of service; it has product, version",
        ),
        ("{host: [name]}", "'name' is not a scored attribute of host; it has none, its presence alone"),
        ("{}", "is empty; leave it out"),
        ("[host]", "expected a map"),
    ],
)
def test_claims_of_what_cannot_be_scored_are_faults(load, claims, fault):
    assert fault in " ".join(faults(load, a=NETWORK + f"claims: {claims}\n"))
