from itertools import permutations

import pytest
from read_files import notes, read

from dryrun_replica.inventory.found_service import Greeted


def test_software_in_the_column_of_services_is_a_product():
    table = (
        "host,ip,port,service\na,10.0.0.1,9200,elasticsearch\nb,10.0.0.2,9090,prometheus\nc,10.0.0.3,22,ssh\n"
    )
    found = [host.services[0] for host in read(table).hosts]
    assert [(each.product, each.name) for each in found] == [
        ("elasticsearch", "http"),
        ("prometheus", "http"),
        (None, "ssh"),
    ]


@pytest.mark.parametrize(
    "name", ["mysql", "kafka", "docker", "http server", "HTTP/1.1", "nginx/1.26.3", "Windows RDP", "ssl/http"]
)
def test_other_words_in_the_column_of_services_are_no_product(name):
    [host] = read(f"host,port,service\na,7000,{name}\n").hosts
    assert host.services[0].product is None


SCAN = (
    '<?xml version="1.0"?>\n<nmaprun scanner="nmap" args="{args}"><host><status state="up"/>'
    '<address addr="10.0.0.3" addrtype="ipv4"/><ports><port protocol="tcp" portid="25">'
    '<state state="open"/><service {service}/></port></ports></host>'
    '<runstats><finished exit="success"/></runstats></nmaprun>'
)
BARE, STATED = "host,ip,port\na,10.0.0.3,25\n", "host,ip,port,service\na,10.0.0.3,25,smtp\n"
MUTE = SCAN.format(args="nmap -sV", service='name="smtp" method="table" conf="3"')
HEARD = SCAN.format(args="nmap -sV", service='name="smtp" method="table" conf="3" servicefp="x"')
UNASKED = SCAN.format(args="nmap -sS", service='name="smtp" method="table" conf="3"')


@pytest.mark.parametrize(
    ("files", "name"),
    [
        ((BARE, STATED, MUTE), "smtp"),
        ((UNASKED, MUTE), None),
        ((UNASKED, BARE), "smtp"),
        ((BARE, MUTE), None),
        ((BARE, HEARD), None),
    ],
)
def test_only_a_name_by_number_gives_way_to_silence_in_any_order(files, name):
    for order in permutations(files):
        [host] = read(*order).hosts
        assert [each.name for each in host.services] == [name]


def test_an_answer_in_one_scan_counts_more_than_silence_in_others():
    for order in permutations((MUTE, HEARD, MUTE)):
        [host] = read(*order).hosts
        assert host.services[0].is_mute is False


def test_what_a_scan_found_counts_more_than_software_under_services():
    probed = 'name="http" product="Grafana http" version="10.2" method="probed" conf="10"'
    scan, table = (
        SCAN.format(args="nmap -sV", service=probed),
        "host,ip,port,service\na,10.0.0.3,25,grafana\n",
    )
    for files in ((scan, table), (table, scan)):
        [host] = read(*files).hosts
        assert host.services[0].version == "10.2"


GUESSED = "services that nobody names, guessed by the number of their port"


def test_a_row_that_says_more_than_its_port_is_no_guess():
    inventory = read("host,ip,port,cpe\na,10.0.0.1,25,cpe:/a:exim:exim:4.98\n")
    assert GUESSED not in notes(inventory)
    assert inventory.hosts[0].services[0].name is None


def test_a_port_whose_banner_nobody_reads_is_guessed_by_its_number_and_called_a_guess():
    inventory = read("host,ip,port,banner\na,10.0.0.1,25,ready\nb,10.0.0.2,7777,ready\n")
    [[smtp], [other]] = [host.services for host in inventory.hosts]
    assert (smtp.name, smtp.product, smtp.confidence, other.name) == ("smtp", None, 0.3, None)
    assert notes(inventory)[GUESSED] == 1


def test_what_a_banner_shows_of_the_protocol_counts_more_than_the_number_of_its_port():
    inventory = read("host,ip,port,banner\na,10.0.0.1,25,SSH-2.0-x\n", named_by=lambda _: Greeted("ssh"))
    [service] = inventory.hosts[0].services
    assert (service.name, service.product, service.confidence) == ("ssh", None, 0.8)
    assert not {GUESSED, "services that their banners identify"} & {*notes(inventory)}


def test_what_somebody_says_is_spoken_counts_more_than_a_banner_without_a_product():
    table = "host,ip,port,service,banner\na,10.0.0.1,25,submission,220 x\n"
    [service] = read(table, named_by=lambda _: Greeted("ftp")).hosts[0].services
    assert (service.name, service.confidence) == ("smtp", 1.0)


def test_what_has_a_title_speaks_http_whatever_its_port_is_for():
    inventory = read("host,ip,port,title\na,10.0.0.1,5432,Grafana\n")
    assert GUESSED not in notes(inventory)
    assert inventory.hosts[0].services[0].name == "http"


ROW = "host,ip,port,service\na,10.0.0.3,25,{}\n"
PROBED = 'name="http" product="{}" version="{}" method="probed" conf="10"'


@pytest.mark.parametrize(
    ("words", "product", "version", "expected"),
    [
        (["http", "grafana"], "nginx", "1.26.3", ("http", "nginx", "1.26.3")),
        (["http", "grafana"], "Grafana http", "10.2", ("http", "Grafana http", "10.2")),
        (["smtp"], "nginx", "1.26.3", ("http", "nginx", "1.26.3")),
        (["prometheus"], "Golang net/http server", "", ("http", "prometheus", None)),
    ],
)
def test_name_and_product_are_the_surest_ones_in_any_order_of_files(words, product, version, expected):
    files = [ROW.format(word) for word in words]
    files.append(SCAN.format(args="nmap -sV", service=PROBED.format(product, version)))
    for order in permutations(files):
        [host] = read(*order, keep_names=True).hosts
        [service] = host.services
        assert (service.name, service.product, service.version) == expected


def test_a_name_borrowed_from_another_row_gives_way_to_a_surer_one():
    files = ("host,ip,port\na,10.0.0.3,5432\n", "host,ip,port,product\na,10.0.0.3,5432,billing\n")
    for order in permutations((*files, "host,ip,port,service\na,10.0.0.3,5432,http\n")):
        [host] = read(*order, keep_names=True).hosts
        assert (host.services[0].name, host.services[0].product) == ("http", "billing")


def test_a_version_comes_with_its_product_and_a_cpe_only_with_the_same():
    word = ROW.format("grafana")
    surely = 'name="http" product="{}" version="{}" method="probed" conf="{}"'
    cpe = "<cpe>cpe:/a:igor_sysoev:nginx:1.26.3</cpe>"
    for confidence, product, version, expected in (
        (9, "Grafana http", "10.2", ("Grafana http", "10.2")),
        (8, "nginx", "", ("grafana", None)),
    ):
        service = surely.format(product, version, confidence)
        scan = SCAN.format(args="nmap -sV", service=service).replace(
            f"<service {service}/>", f"<service {service}>{cpe}</service>"
        )
        for order in permutations((word, scan)):
            [host] = read(*order, keep_names=True).hosts
            [found] = host.services
            assert (found.product, found.version) == expected
            assert bool(found.cpe) == (found.product != "grafana")


def test_a_banner_identifies_what_no_file_names_a_product_of():
    def named_by(greeting: str) -> Greeted | None:
        return Greeted("ssh", "OpenSSH", "9.2p1") if greeting == "SSH-2.0-OpenSSH_9.2p1" else None

    table = "host,ip,port,product,banner\na,10.0.0.1,22,{},{}\n"
    labels = {
        (product, banner): read(table.format(product, banner), named_by=named_by).hosts[0].services[0].label
        for product, banner in (
            ("", "SSH-2.0-OpenSSH_9.2p1"),
            ("nginx", "SSH-2.0-OpenSSH_9.2p1"),
            ("", "Hello"),
        )
    }
    assert [*labels.values()] == ["OpenSSH 9.2p1", "nginx", "ssh"]
    known = read(table.format("", "SSH-2.0-OpenSSH_9.2p1"), named_by=named_by)
    assert notes(known)["services that their banners identify"] == 1


def test_a_banner_beside_several_ports_identifies_none_of_them():
    def named_by(_: str) -> Greeted:
        return Greeted("ssh", "OpenSSH", "9.2p1")

    inventory = read(
        'host,port,banner\na,"22,80",SSH-2.0-OpenSSH_9.2p1\nb,22/tcp,SSH-2.0-OpenSSH_9.2p1\n',
        named_by=named_by,
    )
    assert [(each.port, each.name, each.product) for host in inventory.hosts for each in host.services] == [
        (22, "ssh", None),
        (80, "http", None),
        (22, "ssh", "OpenSSH"),
    ]
    said = "banners of a row with several ports, which does not say whose they are, left out"
    assert notes(inventory)[said] == 1


def by_banner(greeting: str) -> Greeted | None:
    return Greeted("ssh", greeting.partition(" ")[0], None) if " SSH" in greeting else None


def test_banners_that_contradict_each_other_are_named_with_their_line():
    rows = ["OpenSSH SSH", "OpenSSH SSH again", "Dropbear SSH", "nobody reads this", ""]
    table = "host,port,banner\n" + "".join(f"a,22,{banner}\n" for banner in rows)
    inventory = read(table, named_by=by_banner)
    assert [each.split(" ")[0] for each in inventory.contradicting] == ["file1:4:"]
    assert inventory.hosts[0].services[0].product == "OpenSSH"


def test_a_banner_that_contradicts_the_product_beside_it_is_named():
    table = "host,port,product,banner\na,22,nginx,\na,22,,OpenSSH SSH\n"
    assert "file1:3" in read(table, named_by=by_banner).contradicting[0]
    [note] = [
        each
        for each in notes(
            read(
                "host,ip,port,product\na,10.0.0.1,22,nginx\n",
                "host,ip,port,banner\na,10.0.0.1,22,OpenSSH SSH\n",
                named_by=by_banner,
            )
        )
        if each.startswith("files contradict each other:")
    ]
    assert "nginx of file 1 counts, not OpenSSH of file 2" in note


def test_a_scan_that_lists_a_port_twice_with_two_products_names_the_second_line():
    probed = 'name="http" product="{}" method="probed" conf="10"'
    scan = SCAN.format(args="nmap -sV", service=probed.format("nginx"))
    host = scan[scan.index("<host>") : scan.index("<runstats>")]
    twice = scan.replace("<runstats>", "\n" + host.replace("nginx", "Apache httpd") + "<runstats>")
    assert [each.split(" ")[0] for each in read(twice).contradicting] == ["file1:3:"]
