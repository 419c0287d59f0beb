import asyncio
import io
import json
import os
from dataclasses import replace
from ipaddress import ip_network
from pathlib import Path

import pytest
from rich.console import Console

from dryrun_local.images.folder_build import BuiltImage
from dryrun_local.images.programs import ProgramError
from dryrun_local.machine.installation import Installation
from dryrun_local.replicas import needed_images, planning, shared_root
from dryrun_local.replicas.installed import ReplicaError
from dryrun_local.replicas.plan_screen import PlanScreen
from dryrun_local.replicas.planning import (
    ImportOptions,
    ImportRefusedError,
    installed_targets,
    make_matcher,
    names_known_to,
    plan_only,
    plan_replica,
    show_plan,
)
from dryrun_local.terminal.screen import Screen
from dryrun_replica.levels import LEVELS, Level
from dryrun_replica.planning.plan import PlannedCredential
from dryrun_replica.recipes import banners

ROOT = Path(__file__).resolve().parents[3]
TABLE = """\
host,ip,port,protocol,product,version,tls
www1.pinehub.example,10.20.0.11,443,tcp,nginx,1.26.3,yes
www1.pinehub.example,10.20.0.11,22,tcp,OpenSSH,9.2p1,
www2.pinehub.example,10.20.0.12,443,tcp,nginx,1.26.3,yes
www2.pinehub.example,10.20.0.12,22,tcp,OpenSSH,9.2p1,
app.pinehub.example,10.20.0.31,8080,tcp,Apache Tomcat,9.0.83,
billing.pinehub.example,10.20.0.61,9443,tcp,pinehub-billing,4.1,yes
printer.pinehub.example,10.20.0.71,,,,,
"""

COLLECTOR = "discovery/test-collector-net:2"


@pytest.fixture
def installation(tmp_path):
    return Installation(ROOT, tmp_path / "state")


@pytest.fixture
def table(tmp_path):
    path = tmp_path / "hosts.csv"
    path.write_text(TABLE)
    return path


def drawn(planned, *, width: int = 100, encoding: str = "utf-8") -> str:
    screen = Screen()
    screen.console = Console(width=width, highlight=False, markup=False, file=io.StringIO())
    PlanScreen(screen, planned.plan).show()
    return screen.console.file.getvalue()


def test_a_plan_matches_the_inventory_with_the_recipes_of_the_checkout(installation, table):
    planned = plan_replica(installation, ImportOptions((table,), "acme"))
    plan = planned.plan
    assert (plan.hosts, plan.coverage.services) == (5, 6)
    assert sum(plan.coverage.levels.values()) == 6
    by_label = {row.label: row.level for row in plan.coverage.rows}
    assert by_label["nginx 1.26.3"] in {Level.SAME_VERSION, Level.SAME_PRODUCT}
    assert by_label["Product-1 4.1"] is Level.NOTHING


def test_what_is_not_scanned_is_in_no_plan(installation, tmp_path):
    table = tmp_path / "hosts.csv"
    table.write_text("ip,port,product\n10.0.0.7,443,nginx\n10.9.0.9,80,nginx\n")
    options = ImportOptions((table,), "acme", exclude=(ip_network("10.9.0.0/16"),))
    plan = plan_replica(installation, options).plan
    assert plan.hosts == 1
    assert "hosts that --exclude leaves out: 1" in [note.shown for note in plan.notes]


async def test_columns_that_nobody_reads_are_on_the_screen_and_not_in_the_plan(
    installation, tmp_path, monkeypatch, capsys
):
    monkeypatch.setattr(planning, "is_built", no_engine)
    table = tmp_path / "hosts.csv"
    table.write_text("host,port,Prodcut\nweb1,443,nginx\n")
    options = ImportOptions((table,), "acme")
    await plan_only(installation, options, Screen(), as_json=False)
    assert "hosts.csv: nothing is read from the column: 'Prodcut'" in capsys.readouterr().out
    await plan_only(installation, options, Screen(to_error=True), as_json=True)
    shown = capsys.readouterr()
    assert ("Prodcut" in shown.err, "Prodcut" in shown.out) == (True, False)


async def no_engine(*_):
    return None


def test_the_screen_says_what_the_plan_says(installation, table):
    text = drawn(plan_replica(installation, ImportOptions((table,), "acme")))
    assert "Replica acme: 5 hosts, 6 services, from a table" in text
    assert "443/tcp nginx 1.26.3 over TLS" in text
    assert "answers nowhere" in text
    assert "Product-1 4.1" in text
    assert "pinehub" not in text


def test_the_screen_says_what_a_scan_saw_of_ports_that_it_could_not_name(installation, tmp_path):
    services = {
        9000: '<service name="cslistener" method="table" conf="3"/>',
        9001: '<service name="tor-orport" method="table" conf="3" servicefp="SF-Port"/>',
        9002: '<service name="tcpwrapped" method="probed" conf="8"/>',
        9003: "",
        9100: '<service name="jetdirect" method="table" conf="3"/>',
    }
    ports = "".join(
        f'<port protocol="tcp" portid="{port}"><state state="open"/>{service}</port>'
        for port, service in services.items()
    )
    scan = tmp_path / "scan.xml"
    scan.write_text(
        '<nmaprun args="nmap -sV"><host><status state="up"/><address addr="10.0.0.5" addrtype="ipv4"/>'
        f'<ports>{ports}</ports></host><runstats><finished time="1"/></runstats></nmaprun>'
    )
    text = drawn(plan_replica(installation, ImportOptions((scan,), "acme")))
    assert "9000/tcp open, no answer" in text
    assert "9001/tcp open, answer not recognised" in text
    assert "9002/tcp open, hangs up at once (tcpwrapped)" in text
    assert "9003/tcp open, not identified" in text
    assert "9100/tcp open, not asked: a printer would print it" in " ".join(text.split())
    assert "0 of 5 services stand on real software, 5 on an open port" in text
    assert "unknown" not in text
    assert "on a banner" not in text


@pytest.mark.parametrize("width", [60, 80, 100, 160])
def test_a_screen_of_any_width_cuts_no_class_and_no_figure(installation, table, width):
    text = drawn(plan_replica(installation, ImportOptions((table,), "acme")), width=width)
    for word in ("web-a", "OpenSSH", "answers nowhere", "Product-1"):
        assert word in text.replace("\n", " ")
    assert all(len(line) <= max(width, 130) for line in text.splitlines())


async def test_a_plan_says_whether_the_engine_has_the_image_below_all_stand_ins(
    installation, table, monkeypatch, capsys
):
    digest = shared_root.root_digest(installation, make_matcher(installation).book)
    images, is_down = {}, False

    async def inspect(names, seconds):
        if is_down:
            raise ProgramError("the engine does not answer")
        return {name: images[name] for name in names if name in images}

    monkeypatch.setattr(shared_root, "inspect_images", inspect)

    async def said():
        await plan_only(installation, ImportOptions((table,), "acme"), Screen(), as_json=False)
        [line] = [line for line in capsys.readouterr().out.splitlines() if line.startswith("All stand on")]
        return line.removeprefix("All stand on one shared image of about 1,600 MB")

    first = ", which is built first, once, in some minutes"
    assert await said() == first
    images[shared_root.IMAGE] = BuiltImage("sha256:1", 1, digest, ())
    assert await said() == ", which is there"
    # Of other recipes.
    images[shared_root.IMAGE] = BuiltImage("sha256:1", 1, "sha256:0", ())
    assert await said() == first
    is_down = True
    assert await said() == ""


async def test_a_plan_waits_some_seconds_for_an_engine_that_hangs(
    installation, table, monkeypatch, capsys, tmp_path
):
    docker = tmp_path / "programs" / "docker"
    docker.parent.mkdir()
    docker.write_text("#!/bin/sh\nexec sleep 100\n")
    docker.chmod(0o755)
    monkeypatch.setenv("PATH", str(docker.parent), prepend=os.pathsep)
    assert shared_root.ANSWER_SECONDS <= 10
    monkeypatch.setattr(shared_root, "ANSWER_SECONDS", 0.2)
    async with asyncio.timeout(10):
        await plan_only(installation, ImportOptions((table,), "acme"), Screen(), as_json=False)
    shown = " ".join(capsys.readouterr().out.split())
    assert "The engine does not answer" in shown
    assert "see: dryrun-local doctor" in shown


async def test_a_plan_counts_the_images_that_are_there_and_those_to_build(
    installation, table, monkeypatch, capsys
):
    book = make_matcher(installation).book
    installation.state.mkdir()
    versions = {"versions": dict.fromkeys(book.recipes, "1.0")}
    (installation.state / "stand-in-versions.json").write_text(json.dumps(versions))
    planned = plan_replica(installation, ImportOptions((table,), "acme"))
    digest = shared_root.root_digest(installation, book)
    root = shared_root.BuiltRoot(digest, planned.matcher.versions)
    needed = needed_images.images_of(planned.plan, planned.inventory, planned.matcher, root).made
    assert len(needed) > 1
    images = {shared_root.IMAGE: BuiltImage("sha256:1", 1, digest, ())}

    async def inspect(names, seconds):
        return {name: images[name] for name in names if name in images}

    monkeypatch.setattr(shared_root, "inspect_images", inspect)
    monkeypatch.setattr(needed_images, "inspect_images", inspect)

    async def said():
        await plan_only(installation, ImportOptions((table,), "acme"), Screen(), as_json=False)
        [line] = [line for line in capsys.readouterr().out.splitlines() if line.startswith("1 template")]
        return line.partition(f"{len(needed)} images: ")[2]

    assert (await said()).startswith(f"{len(needed)} to build, ")
    *others, last = needed
    images |= {name: BuiltImage("sha256:2", 1, needed[name].digest, ()) for name in others}
    assert (await said()).startswith(f"{len(others)} there, 1 to build, ")
    # Of the same name, with another content.
    images[last] = BuiltImage("sha256:3", 1, "sha256:0", ())
    assert (await said()).startswith(f"{len(others)} there, 1 to build, ")
    images[last] = BuiltImage("sha256:3", 1, needed[last].digest, ())
    assert await said() == "all are there, none to build"


def test_a_narrow_screen_breaks_no_word_of_what_has_no_software(installation, table):
    rows = "".join(f"h{n},{n},tcp,http,Golang net/http server\n" for n in range(8090, 8094))
    table.write_text("host,port,protocol,service,product\n" + rows)
    text = drawn(plan_replica(installation, ImportOptions((table,), "acme", keep_names=True)), width=80)
    _, gaps = text.split("Services without software of their own")
    assert {"Golang", "net/http", "8092/tcp", "Alertmanager", "products", "built"} <= {*gaps.split()}
    assert max(map(len, text.splitlines())) <= 80


def test_one_of_a_kind_is_counted_in_the_singular(installation, table):
    table.write_text("host,port,product\na,80,nginx\n")
    text = drawn(plan_replica(installation, ImportOptions((table,), "acme")))
    assert "Replica acme: 1 host, 1 service, from a table" in text
    assert "1 class of hosts stands for the network, by 1 target\n" in text
    assert "1 template with 1 target on 1 image" in text


def test_a_stand_in_is_called_as_people_call_it(installation, table):
    table.write_text("host,port,product\na,9090,Prometheus\n")
    text = drawn(plan_replica(installation, ImportOptions((table,), "acme")))
    assert "9090/tcp Prometheus  ▓ Prometheus" in text
    assert "Golang" not in text


def test_a_title_that_a_recipe_goes_by_identifies_its_product(installation, tmp_path):
    scan = tmp_path / "scan.xml"
    titles = {
        title: recipe.name for recipe in make_matcher(installation).book for title in recipe.names.titles
    }
    ports = "".join(
        f'<port protocol="tcp" portid="{number}"><state state="open"/><service name="http" '
        'product="Golang net/http server" method="probed" conf="10"/><script id="http-title">'
        f'<elem key="title">{title}</elem></script></port>'
        for number, title in enumerate(titles, 9001)
    )
    scan.write_text(
        '<nmaprun args="nmap -sV"><host><status state="up"/><address addr="10.0.0.1" addrtype="ipv4"/>'
        f"<ports>{ports}</ports></host><runstats><finished/></runstats></nmaprun>"
    )
    planned = plan_replica(installation, ImportOptions((scan,), "acme"))
    services = planned.inventory.hosts[0].services
    assert [service.title for service in services] == list(titles)
    assert [planned.matcher.match(service).recipe for service in services] == list(titles.values())


@pytest.mark.parametrize("name", ["small", "templates"])
async def test_a_plan_is_refused_a_name_that_an_import_could_not_have(installation, table, name):
    with pytest.raises(ReplicaError, match="choose another name"):
        await plan_only(installation, ImportOptions((table,), name), Screen(), as_json=False)


async def test_json_has_no_passwords_of_the_template_that_was_rehearsed(installation, table, capsys):
    planned = plan_replica(installation, ImportOptions((table,), "acme"))
    credential = PlannedCredential(engine="redis", username="app", password="quay-lantern", hosts=("web-1",))
    plan = planned.plan.model_copy(update={"credentials": (credential,)})
    await show_plan(installation, replace(planned, plan=plan), Screen(to_error=True), as_json=True)
    [shown] = json.loads(capsys.readouterr().out)["credentials"]
    assert shown == {"engine": "redis", "username": "app", "hosts": ["web-1"]}


async def test_json_is_one_object_on_one_line(installation, table, capsys):
    await plan_only(installation, ImportOptions((table,), "acme"), Screen(to_error=True), as_json=True)
    [line] = capsys.readouterr().out.splitlines()
    plan = json.loads(line)
    assert plan["coverage"]["levels"].keys() == {level.value for level in LEVELS}
    assert plan["templates"][0]["id"] == "acme"


@pytest.mark.parametrize("name", ["", "Acme", "acme_1", "a--b", "-a", "a" * 31, "../x", "a\n", "1a"])
def test_a_name_that_is_no_id_is_refused(installation, table, name):
    with pytest.raises(ImportRefusedError, match="is not a name of a replica"):
        plan_replica(installation, ImportOptions((table,), name))


def test_an_unknown_format_is_refused_with_those_that_are_known(installation, table):
    with pytest.raises(ImportRefusedError, match="known are nmap-xml, masscan-xml, netbox, csv"):
        plan_replica(installation, ImportOptions((table,), "acme", "xlsx"))


def test_every_fault_of_the_files_is_in_the_message(installation, table):
    table.write_text("host,port\na,x\nb,70000\n")
    with pytest.raises(ImportRefusedError) as error:
        plan_replica(installation, ImportOptions((table,), "acme"))
    assert "hosts.csv:2: 'x' in the column 'port' is not a port" in str(error.value)
    assert "hosts.csv:3: '70000' in the column 'port' is not a port" in str(error.value)


def test_kept_names_are_said(installation, table):
    text = drawn(plan_replica(installation, ImportOptions((table,), "acme", keep_names=True)))
    assert "names of the network are kept, in templates, images and reports" in text


def test_names_that_everybody_may_use_are_those_of_recipes_and_of_nmaps_tables(installation, tmp_path):
    table = tmp_path / "nmap-service-probes"
    table.write_text("Probe TCP NULL q||\nmatch toolish m|^220| p/Tool ftpd/\nmatch http m|^(.*)| p/$1/\n")
    known = names_known_to(make_matcher(installation), [table])
    assert all(map(known.is_software, ("Tool ftpd", "nginx", "Icecast streaming media server")))
    assert not known.is_software("PineHub-Billing/4.1 (Pine Harbour Ltd)")
    assert (known.is_protocol("toolish"), known.is_protocol("pinehub")) == (True, False)


def test_a_host_of_a_report_never_stands_on_a_collector(installation):
    installation.prepare()
    ids = {name: {"id": f"sha256:{name[-1] * 64}"} for name in ("discovery/test-web:1", COLLECTOR)}
    installation.allowlist.write_text(json.dumps({"version": 1, "images": ids}))
    assert installed_targets(installation) == {"discovery/test-web:1": "sha256:" + "1" * 64}


def test_a_plan_says_for_how_many_products_no_banner_was_tried(installation, tmp_path, monkeypatch):
    table = tmp_path / "nmap-service-probes"
    table.write_text("Probe TCP NULL q||\nmatch toolish m|^220 Tool\\r\\n| p/Tool thing/\n")
    monkeypatch.setattr(planning, "PLACES", (table,))
    monkeypatch.setattr(banners, "MAX_BANNERS", 1)
    rows = tmp_path / "hosts.csv"
    rows.write_text(
        "host,port,product,version\n" + "".join(f"h{n},9999,Tool thing,{n}\n" for n in range(1, 5))
    )
    plan = plan_replica(installation, ImportOptions((rows,), "acme", keep_names=True)).plan
    (note,) = (note for note in plan.notes if "banners are tried" in note.what)
    assert note.count == 3
