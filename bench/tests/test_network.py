import pytest
from bench.network.hosts import HERE, Host, Service, read_networks
from bench.network.listening import differences
from bench.network.scans import score
from bench.parts.scan import TITLES

from dryrun_replica.recipes.loading import load_recipes

WEB = Service("lighttpd", 8008, "lighttpd", ("lighttpd",))
MUTE = Service("microsocks", 1081, "microsocks", ())
HOST = Host("www", (WEB, MUTE))
LISTENING = """\
LISTEN 0 1024 0.0.0.0:8008 0.0.0.0:* users:(("worker",pid=9,fd=5),("lighttpd",pid=8,fd=5))
LISTEN 0 1024 [::]:8008 [::]:* users:(("lighttpd",pid=8,fd=6))
LISTEN 0 128 *:1081 *:* users:(("microsocks",pid=9,fd=3))
LISTEN 0 4096 127.0.0.11:34555 0.0.0.0:*
"""


def test_a_container_that_listens_as_the_table_says_has_no_problems():
    assert differences(HOST, LISTENING) == []


def test_a_port_that_lacks_one_too_many_and_another_process_are_problems():
    listening = (
        'LISTEN 0 9 *:1081 *:* users:(("sshd",pid=8,fd=5))\nLISTEN 0 9 *:9 *:* users:(("x",pid=8,fd=5))\n'
    )
    assert differences(HOST, listening) == [
        "www:9: x instead of nothing",
        "www:1081: sshd instead of microsocks",
        "www:8008: nothing instead of lighttpd",
    ]


def test_a_product_is_found_by_its_name_only():
    found = {
        ("www", 8008): "Lighttpd httpd",
        ("www", 1081): "something",
        ("www", 4): "",
        ("b", 8008): "lighttpd",
    }
    judged = score([HOST], found)
    assert (judged.ports, judged.all_ports, judged.products, judged.all_products) == (2, 2, 1, 1)
    assert judged.false_ports == 2
    assert judged.missed == ()


def test_what_is_missed_is_named():
    assert score([HOST], {("www", 8008): "nginx"}).missed == (
        "www:1081 microsocks: port",
        "www:8008 lighttpd: nginx",
    )


def test_the_networks_are_large_enough_and_every_server_can_be_started():
    networks = read_networks()
    for hosts in networks.values():
        names = [host.name for host in hosts]
        assert len(set(names)) == len(names)
        for host in hosts:
            ports = [service.port for service in host.services]
            assert len(set(ports)) == len(ports)
            assert all((HERE / "servers" / service.server).is_file() for service in host.services)
    assert len({service.server for host in networks["odd-ports"] for service in host.services}) >= 25
    assert any(len(host.services) > 2 for host in networks["default-ports"])


def test_a_host_is_given_its_servers_with_all_their_ports():
    (inbox,) = (host for host in read_networks()["odd-ports"] if host.name == "inbox")
    assert inbox.arguments == ["dovecot=1143,1110"]


def test_no_template_uses_a_server_of_these_networks():
    templates = "".join(path.read_text() for path in (HERE.parents[1] / "templates").glob("*.yml"))
    networks = read_networks()
    servers = {service.server for name in TITLES for host in networks[name] for service in host.services}
    assert not {server for server in servers if f"discovery/test-{server}:" in templates}


@pytest.mark.parametrize("network", ["company", "campus"])
def test_what_is_predicted_has_many_hosts_and_ten_products_that_no_recipe_knows(network: str):
    hosts = read_networks()[network]
    services = [service for host in hosts for service in host.services]
    assert len(hosts) >= 30
    assert len(services) >= 45
    assert sum(len(host.services) > 1 for host in hosts) > len(hosts) / 2
    recipes = load_recipes(HERE.parents[1] / "images" / "recipes")
    known = [name for recipe in recipes for name in (*recipe.names.nmap, *recipe.names.others)]
    strange = {
        service.products for service in services if service.products and not any(map(service.named_by, known))
    }
    assert len(strange) >= 10


def test_a_campus_runs_other_servers_than_the_other_networks():
    servers = {
        name: {service.server for host in hosts for service in host.services}
        for name, hosts in read_networks().items()
    }
    others = set().union(*(of for name, of in servers.items() if name != "campus"))
    assert servers["campus"] & others == {"sshd"}
