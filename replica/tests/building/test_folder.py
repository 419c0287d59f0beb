import json
import re
from pathlib import Path

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from made_networks import host, service

from dryrun_replica.building.composition import MOST_PATTERN, Composition, compose
from dryrun_replica.building.folder import StandIn, stand_in
from dryrun_replica.inventory.model import Service, TlsFacts
from dryrun_replica.recipes.banners import BannerTable
from dryrun_replica.recipes.loading import load_recipes
from dryrun_replica.recipes.matching import Matcher
from dryrun_replica.recipes.model import MAX_TMPFS_BYTES
from dryrun_replica.recipes.probes import Pattern, Probe

BOOK = load_recipes(Path(__file__).parents[3] / "images" / "recipes")
VERSIONS = {recipe.name: "1.2.3" for recipe in BOOK}
BANNERS = BannerTable(
    [Pattern(Probe("tcp", "NULL", b"", 1), "tool", rb"^Tool (\S+)\r\n", "", "Tool telnetd", "$1")]
)
ROOT = "f" * 64
SHELL = re.compile(r"^(?:[A-Z_]+=(?:'[^']*'|[A-Za-z0-9@%+=:,./-]*)\n)+$")


def composed(*services: Service) -> Composition:
    made = host("web-1", *services)
    return compose(made, Matcher(BOOK, VERSIONS, BANNERS).match_host(made), BOOK, VERSIONS, BANNERS)


def image_of(*services: Service) -> StandIn:
    return stand_in(composed(*services), ROOT)


def test_several_services_stand_in_one_image_on_the_inventorys_ports() -> None:
    made = image_of(
        service(8080, "nginx", name="http", title="Shop"),
        service(2222, "OpenSSH", name="ssh"),
        service(16379, "Redis", name="redis"),
    )
    folders = {name.split("/")[1] for name in made.files if name.startswith("stand-in/")}
    assert folders == {"01-openssh-2222", "02-nginx-8080", "03-redis-16379"}
    keys = [fact["key"] for fact in made.ground_truth if fact["kind"] == "service"]
    assert keys == [":2222/tcp", ":8080/tcp", ":16379/tcp"]
    assert {"kind": "web_app", "key": ":8080/tcp", "data": {"title": "Shop"}} in made.ground_truth
    assert made.capabilities == ()


def test_the_same_hosts_are_the_same_image_whatever_their_certificates() -> None:
    one, two = (image_of(service(443, "nginx", name="https", tls=TlsFacts(subject="CN=a"))) for _ in "ab")
    assert one.image == two.image
    assert one.files["stand-in/01-nginx-443/key.pem"] != two.files["stand-in/01-nginx-443/key.pem"]
    other = image_of(service(443, "nginx", name="https", tls=TlsFacts(subject="CN=b")))
    assert other.image != one.image


def test_another_shared_root_is_another_image() -> None:
    made = composed(service(80, "nginx", name="http"))
    assert stand_in(made, "a" * 64).image != stand_in(made, "b" * 64).image


def test_stunnel_stands_before_what_knows_no_tls_and_the_service_listens_to_nobody_else() -> None:
    made = image_of(service(990, "ProFTPD", name="ftp", tls=TlsFacts()))
    front = made.files["stand-in/01-proftpd-990/front.stunnel"].decode()
    assert "accept = 0.0.0.0:990\nconnect = 127.0.0.1:61001\n" in front
    configuration = made.files["stand-in/01-proftpd-990/proftpd.conf"].decode()
    assert "Port 61001" in configuration
    assert "DefaultAddress 127.0.0.1" in configuration
    kinds = [fact["kind"] for fact in made.ground_truth]
    assert kinds == ["host", "service", "certificate"]


def test_what_stunnel_stands_before_listens_where_nothing_else_of_its_host_does() -> None:
    made = composed(
        service(990, "ProFTPD", name="ftp", tls=TlsFacts()),
        service(992, "telnetd", name="telnets", tls=TlsFacts()),
        service(9000, "Tool telnetd", name="tool", tls=TlsFacts()),
        service(9001, "Tool telnetd", name="tool", tls=TlsFacts()),
        service(61001, "nginx", name="http"),
        service(61300, "Redis", name="redis"),
    )
    ports = {each.port for each in made.services}
    inner = [each.values.port for each in made.services if each.has_front]
    inner += [each.inner_port for each in made.banners if each.inner_port is not None]
    assert len(inner) == len(set(inner)) == 4
    assert not ports & set(inner)


def test_a_name_server_is_on_both_transports_and_stands_once() -> None:
    made = image_of(
        service(53, "ISC BIND", name="domain"), service(53, "ISC BIND", name="domain", transport="udp")
    )
    keys = [fact["key"] for fact in made.ground_truth if fact["kind"] == "service"]
    assert keys == [":53/tcp", ":53/udp"]
    assert sum(name.endswith("/start") for name in made.files) == 1


def test_what_needs_root_brings_its_rights_and_the_others_stay_without() -> None:
    made = image_of(service(25, "Postfix smtpd", name="smtp"), service(80, "nginx", name="http"))
    assert "USER 0" in made.files["Dockerfile"].decode()
    assert {"SETGID", "SETUID"} <= set(made.capabilities)
    assert b"ROOT=1" in made.files["stand-in/01-postfix-25/settings"]
    assert b"ROOT=''" in made.files["stand-in/02-nginx-80/settings"]


def test_a_banner_is_data_that_one_program_sends() -> None:
    made = image_of(service(23, "Tool telnetd", "4.2", name="tool"))
    (banner,) = json.loads(made.files["stand-in/00-banners/banners.json"])
    answer = {"question": "", "answer": "VG9vbCA0LjINCg=="}
    place = {"transport": "tcp", "address": "0.0.0.0", "port": 23}
    assert banner == place | answer | {"hangs_up": "when asked"}
    fact = {"kind": "service", "key": ":23/tcp", "data": {"product": "Tool telnetd", "version": "4.2"}}
    assert fact in made.ground_truth


def test_stunnel_stands_before_banners_that_speak_tls_each_with_its_certificate() -> None:
    plain = service(22, "Tool telnetd", "4.2", name="tool")
    shut = service(992, "Tool telnetd", "4.2", name="tool", tls=TlsFacts(subject="CN=a"))
    unknown = service(993, None, tls=TlsFacts(subject="CN=b"))
    made = image_of(plain, shut, unknown)
    banners = json.loads(made.files["stand-in/00-banners/banners.json"])
    places = [(each["address"], each["port"]) for each in banners]
    assert places == [("0.0.0.0", 22), ("127.0.0.1", 61301), ("127.0.0.1", 61302)]
    assert b"PORT='61301 61302'\n" in made.files["stand-in/00-banners/settings"]
    front = made.files["stand-in/00-banners/front.stunnel"].decode()
    for outer, inner in ((992, 61301), (993, 61302)):
        assert f"accept = 0.0.0.0:{outer}\nconnect = 127.0.0.1:{inner}\n" in front
        assert f"stand-in/00-banners/key-{outer}.pem" in made.files
    subjects = {
        fact["key"]: fact["data"]["subject"] for fact in made.ground_truth if fact["kind"] == "certificate"
    }
    assert subjects == {":992/tcp": "CN=a", ":993/tcp": "CN=b"}


def test_a_port_of_which_nothing_is_known_is_open_and_says_nothing() -> None:
    mute, wrapped = service(8, None, is_mute=True), service(10, None, name="tcpwrapped")
    made = image_of(mute, service(9, None), wrapped)
    rows = json.loads(made.files["stand-in/00-banners/banners.json"])
    assert [(each["port"], each["answer"], each["hangs_up"]) for each in rows] == [
        (8, "", "never"),
        (9, "", "when asked"),
        (10, "", "at once"),
    ]
    assert {"kind": "service", "key": ":9/tcp", "data": {}} in made.ground_truth


HOSTILE = st.one_of(
    st.sampled_from(
        [
            "$(id)",
            "`id`",
            "a'; reboot #",
            'x" && id',
            "${PATH}",
            "@here@",
            "]]>",
            "\\n RUN id",
            "% include /",
            "{{a}}",
        ]
    ),
    st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"]), min_size=1, max_size=80),
)


@settings(max_examples=150, deadline=None)
@given(title=HOSTILE, subject=HOSTILE, issuer=HOSTILE, banner=HOSTILE, recipe=st.sampled_from(list(BOOK)))
def test_no_text_of_an_inventory_reaches_a_dockerfile_a_shell_or_a_name(
    title: str, subject: str, issuer: str, banner: str, recipe: object
) -> None:
    neutral = composed_with(recipe, None, TlsFacts(), None)
    hostile = composed_with(recipe, title, TlsFacts(subject=subject, issuer=issuer), banner)
    assert hostile.files["Dockerfile"] == neutral.files["Dockerfile"]
    assert sorted(hostile.files) == sorted(neutral.files)
    for name, content in hostile.files.items():
        part = name.rpartition("/")[2]
        if part in {"start", "fill", "settings", "front.stunnel"}:
            assert content == neutral.files[name]
        if part == "settings":
            assert SHELL.match(content.decode())
        if not part.endswith(".pem"):
            assert set(content) - set(neutral.files[name]) <= set(
                b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789 .,:()_-"
            )
    assert yaml.safe_load(yaml.safe_dump(hostile.ground_truth)) == hostile.ground_truth


def composed_with(recipe: object, title: str | None, tls: TlsFacts, banner: str | None) -> StandIn:
    assert hasattr(recipe, "names")
    titles = recipe.names.titles
    return image_of(
        service(
            7777,
            recipe.names.nmap[0],
            name=recipe.protocol,
            transport=recipe.transports[0],
            title=titles[0] if titles else title,
            tls=tls if recipe.transports[0] == "tcp" else None,
            banner=banner,
        )
    )


@pytest.mark.parametrize("recipe", list(BOOK), ids=lambda recipe: recipe.name)
def test_every_recipe_makes_an_image_that_an_allowlist_takes(recipe: object) -> None:
    made = composed_with(recipe, "Title", TlsFacts(), None)
    assert re.fullmatch(r"discovery/test-stand-in:[0-9a-f]{16}", made.image)
    assert all(mount["size"] <= 256 * 1024**2 for mount in made.tmpfs.values())
    assert made.memory_mib <= 448


def test_all_rooms_of_a_host_fit_into_one_mount() -> None:
    made = image_of(*(service(port, "PostgreSQL", name="postgresql") for port in (5432, 5433, 5434)))
    assert made.tmpfs["/run/stand-in"]["size"] <= MAX_TMPFS_BYTES
    keys = [fact["key"] for fact in made.ground_truth if fact["kind"] == "service"]
    assert keys == [":5432/tcp", ":5433/tcp"]


def test_failed_logins_are_counted_where_services_log_them_and_none_where_nobody_can_log_in() -> None:
    ssh, page = service(22, "OpenSSH", name="ssh"), service(80, "nginx", name="http")
    unknown, banner = service(8000, "Icecast", name="http"), service(23, "Tool telnetd", version="1")
    database = service(5432, "PostgreSQL", name="postgresql")
    both = composed(ssh, database, unknown).log_patterns()["failed_logins"]
    for line in ("Failed password for root from 10.213.0.2", "FATAL:  password authentication failed for"):
        assert re.search(both, line)
    assert not re.search(both, "Connection closed by 127.0.0.1")
    none = composed(page).log_patterns()["failed_logins"]
    assert not any(re.search(none, line) for line in ("", "failed", "GET / HTTP/1.0"))
    assert composed(page, unknown).log_patterns() == {}
    assert composed(page, banner).log_patterns() == {}
    assert image_of(ssh).log_patterns == composed(ssh).log_patterns()


def test_the_patterns_of_all_recipes_together_fit_into_an_allowlist() -> None:
    joined = "|".join({recipe.failed_logins for recipe in BOOK if recipe.failed_logins})
    assert re.compile(joined)
    assert len(joined) <= MOST_PATTERN
