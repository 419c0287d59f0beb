import pytest
from read_files import notes, read, services_of

from dryrun_replica.inventory.faults import InventoryError


def refused(text: str | bytes) -> str:
    with pytest.raises(InventoryError) as error:
        read(text, file_format="compose")
    return str(error.value)


def test_services_are_hosts_their_images_products_and_their_tags_versions():
    inventory = read(
        """
services:
  shop:
    image: registry.pinehub.example:5000/pinehub/shop:3.2
    ports: ["8080:80", {target: 8443, published: 443, protocol: tcp}]
    environment: {PASSWORD: secret-pinehub}
  db: {image: "postgres:16.2-alpine", deploy: {replicas: 2}}
  cache: {image: "docker.io/library/redis:${TAG:-7.2}@sha256:00", expose: ["6379"]}
  dns: {image: "${DNS}", ports: ["53:53/udp", "127.0.0.1:9100-9101:9100-9101"]}
  job: {build: .}
"""
    )
    assert services_of(inventory) == {
        "host-1": ["80/tcp Product-1 3.2", "8443/tcp Product-1 3.2"],
        "database-1": ["5432/tcp postgres 16.2"],
        "database-2": ["5432/tcp postgres 16.2"],
        "cache-1": ["6379/tcp redis 7.2"],
        "dns-1": ["53/udp unknown", "9100/tcp unknown", "9101/tcp unknown"],
        "host-2": [],
    }
    assert [source.format for source in inventory.sources] == ["compose"]
    assert "pinehub" not in inventory.model_dump_json()
    assert notes(inventory)["services of the Compose file without an image, whose product is unknown"] == 1


def test_faults_name_their_path():
    message = refused(
        'services:\n  a: {image: nginx, ports: ["80:70000", "0", "x", "1-9999"]}\n  b: []\n'
        "  c: {image: [x]}\n  d: {image: x, scale: 5000}\n  e: {image: x, ports: {a: b}}\n"
    )
    assert message.splitlines()[1:] == [
        "  file1: services.a.ports[0]: '70000' is not a port; ports are 1 to 65535",
        "  file1: services.a.ports[1]: '0' is not a port; ports are 1 to 65535",
        "  file1: services.a.ports[2]: 'x' is not a port; expected 8080:80, 80/tcp or a target",
        "  file1: services.a.ports[3]: '1-9999' is not a range of at most 200 ports",
        "  file1: services.b: is not a service; expected a map with an image",
        "  file1: services.c.image: is a list; expected a text",
        "  file1: services.d: has '5000' replicas; at most 1,000 are allowed",
        "  file1: services.e.ports: is an object; expected a list",
    ]


BOMB = "a0: &a0 [x]\n" + "".join(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]\n" for n in range(1, 9))


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        (BOMB + "services: {a: {image: *a8}}", "too large with its aliases replaced"),
        ("services: " + "[" * 500, "nested deeper than 24 levels"),
        ("services: {a: {image: nginx}", "file1:1: is not YAML"),
        ("services: &a {a: *a}", "too large with its aliases replaced"),
        ("x: 1\n", "has no services"),
        ("", "is empty"),
        (b"services: \xff", "is not UTF-8 at byte 10"),
        ("services: {a: {image: x}}\n" + "#" * 1024**2, "larger than 1024 KiB"),
    ],
)
def test_a_file_beyond_bounds_is_refused(text, fault):
    assert fault in refused(text)


def test_tags_construct_nothing():
    inventory = read("services: {b: {image: !x nginx}}")
    assert services_of(inventory) == {"web-1": ["80/tcp nginx"]}
    assert "expected a text" in refused('services: {a: {image: !!python/object/apply:os.system ["reboot"]}}')


def test_merge_keys_are_followed():
    inventory = read(
        "x-a: &a {image: redis, expose: [1]}\nservices: {a: {<<: *a, image: nginx}, b: {<<: [*a]}}"
    )
    assert services_of(inventory) == {"web-1": ["1/tcp nginx"], "cache-1": ["1/tcp redis"]}


@pytest.mark.parametrize(
    ("image", "served"),
    [
        ("quay.io/keycloak/keycloak:24.0", "8080/tcp keycloak 24.0"),
        ("traefik:v3.0", "80/tcp traefik 3.0"),
        ("tomcat:10.1", "8080/tcp tomcat 10.1"),
        ("phpmyadmin", "80/tcp phpmyadmin"),
        ("mongo-express:1.0", "8081/tcp mongo-express 1.0"),
        ("prometheuscommunity/postgres-exporter:v0.15.0", "9187/tcp postgres-exporter 0.15.0"),
        ("zookeeper:3.9", "2181/tcp zookeeper 3.9"),
        ("bitnami/pgbouncer:1.22.1", "6432/tcp pgbouncer 1.22.1"),
    ],
)
def test_an_image_without_ports_is_served_where_its_software_usually_listens(image, served):
    inventory = read(f"services:\n  a: {{image: '{image}'}}\n")
    assert [*services_of(inventory).values()] == [[served]]


@pytest.mark.parametrize(("port", "name"), [(9000, "http"), (9187, "http"), (10000, None), (9999, None)])
def test_a_port_alone_is_what_most_networks_use_it_for(port, name):
    assert read(f"host,port\na,{port}\n").hosts[0].services[0].name == name


def test_a_file_without_a_port_says_where_a_compose_file_has_them():
    assert read("services:\n  job: {image: 'own/job:1'}\n").unread == (
        "no file names an open port; in a Compose file, list them under ports or expose",
    )
