from made_networks import host, network, service

from dryrun_replica.classes.grouping import group


def test_hosts_with_the_same_services_are_one_class_whatever_their_titles():
    classes = group(
        network(
            host("db-1", service(5432, "PostgreSQL", "15")),
            host("web-1", service(80, "nginx", title="Page-1"), service(22, "OpenSSH")),
            host("web-2", service(22, "OpenSSH"), service(80, "nginx", title="Page-2")),
        )
    )
    assert [(each.name, each.members) for each in classes] == [
        ("web-a", ("web-1", "web-2")),
        ("db-a", ("db-1",)),
    ]


def test_port_version_tls_transport_and_titles_of_products_distinguish_classes():
    plain = service(80, "nginx", "1.26")
    others = (
        service(81, "nginx", "1.26"),
        service(80, "nginx", "1.24"),
        service(80, "nginx", "1.26", tls={}),
        service(80, "nginx", "1.26", transport="udp"),
        service(80, "nginx", "1.26", title="Grafana"),
        service(80, "Apache", "1.26"),
    )
    classes = group(network(*(host(f"web-{n}", each) for n, each in enumerate((plain, *others), 1))))
    assert [each.name for each in classes] == [f"web-{letter}" for letter in "abcdefg"]


def test_a_mute_port_and_one_that_answers_are_two_classes_where_nobody_can_name_them():
    for product, name, expected in (
        (None, None, ["host-a", "host-b"]),
        ("nginx", None, ["web-a"]),
        (None, "smtp", ["mail-a"]),
    ):
        ports = (service(9, product, name=name, is_mute=mute) for mute in (False, True))
        role = expected[0].removesuffix("-a")
        classes = group(network(*(host(f"{role}-{n}", each) for n, each in enumerate(ports, 1))))
        assert [each.name for each in classes] == expected
