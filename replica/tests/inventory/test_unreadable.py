"""What people import by mistake is refused with what it is and what to import instead."""

import gzip
import io
import json
import tarfile
import time

import pytest
from read_files import read

from dryrun_replica.inventory.faults import InventoryError
from dryrun_replica.inventory.unreadable import why_foreign

NEXT = "import a scan of its hosts, or a table with the heading host,port,product,version"
FOREIGN = {
    "[web]\nweb1 ansible_host=10.0.0.6\n": f"is an inventory of Ansible, which lists no ports; {NEXT}",
    "web1 ansible_host=10.0.0.6 ansible_port=22\n": "is an inventory of Ansible",
    "# ours\n[all:vars]\nuser = x\n": "is an INI file, which lists no ports",
    "# ours, all\nall:\n  hosts:\n    web1:\n      ansible_host: 10.0.0.6\n": "is an inventory of Ansible",
    '{"_meta": {"hostvars": {"web1": {}}}}': "is an inventory of Ansible",
    '{"version": 4, "terraform_version": "1.9.0"}': "is a state of Terraform, which lists no ports",
    '{"apiVersion": "v1", "kind": "List", "items": []}': "is an object of Kubernetes, which is not read",
    "apiVersion: v1\nkind: Service\n": "is an object of Kubernetes",
    '[{"Address": "10.0.0.5", "ServiceName": "db", "ServicePort": 5432}]': "is Consul's catalog",
    '{"redis": {"ID": "redis", "Service": "redis", "Port": 6379}}': "is Consul's catalog",
    '{"ip_str": "198.51.100.4", "port": 443}\n': "is Shodan's JSON; `shodan convert FILE csv` writes",
    '- targets: ["10.0.0.1:9100"]\n': "is a list of Prometheus' targets; import a scan",
    "$ORIGIN corp.example.\n@ IN SOA a b 1 2 3 4 5\n": "is a zone of the DNS, which lists no ports",
    "corp.example.\t3600\tIN\tSOA\ta b 1 2 3 4 5\n": "is a zone of the DNS",
    "# mine\n127.0.0.1\tlocalhost\n10.0.0.5\tdb01\n": "is a list of addresses and names such as /etc/hosts",
    "Host db\n  HostName 10.0.0.5\n": "is SSH's configuration; import a scan",
    "Netid State  Recv-Q Send-Q Local\n": "is what ss or netstat prints on one host; make a table",
    "Active Internet connections (only servers)\n": "is what ss or netstat prints",
    "CONTAINER ID   IMAGE   COMMAND\n": "is what `docker ps` prints; import the Compose file",
    "NAMESPACE   NAME   TYPE        CLUSTER-IP   PORT(S)   AGE\n": "is what `kubectl get` prints for people",
    "NAME         TYPE        CLUSTER-IP   EXTERNAL-IP   PORT(S)   AGE\n": "is what `kubectl get` prints for "
    "people; for its services make a table: the heading host,port,service, then `kubectl get svc -A -o json",
    "NAME    READY   STATUS    RESTARTS   AGE   IP\n": "is what `kubectl get` prints",
    "10.0.0.5\n10.0.0.6\n": "is a list of addresses without ports; scan them with nmap -sV -iL FILE",
    "saddr\n10.0.0.5\n": "is a list of addresses without ports",
    "# Servers\n\nOurs, all.\n\n| Host | Port |\n|---|---|\n| a | 22 |\n": "is a page with a table",
    '{| class="wikitable"\n! Host\n|}\n': "is a table of MediaWiki; save it as CSV",
    "----------\n|  List  |\n+--------+\n|  a     |\n": "is a table drawn with lines for people",
    "Name   ResourceGroup  PowerState\n-----  ------  ----\n": "is a table that blanks align",
    '{"Reservations": [{"Instances": []}]}': "is a cloud's list of machines (AWS, Azure, Google)",
    '[{"name": "vm", "powerState": "VM running"}]': "is a cloud's list of machines",
    '{"Image": "nginx:1.26", "Ports": "0.0.0.0:80->80/tcp"}\n': "is what `docker ps` prints",
    '{"ansible_facts": {"ansible_hostname": "a"}}': "is an inventory of Ansible",
    "web1.example\ndb1.example\n\n[web]\nweb1.example\n": "is an inventory of Ansible",
    "<html><body>login</body></html>": "is a web page; export its data as CSV or JSON",
    "<!DOCTYPE html>\n<html>": "is a web page",
    '<?xml version="1.0" ?>\n<NessusClientData_v2/>': "is a report of Nessus; export it as CSV",
    '<report id="x"><results/></report>': "is a report of OpenVAS; export its results as CSV",
    '{"host": "a", "port": 1}\n': "is JSON of no known format; name it by --format: nmap-xml",
    '[{"name": "vm1", "hardwareProfile": {"vmSize": "x"}}]': "is a cloud's list of machines",
    "NAME   ZONE  INTERNAL_IP\nweb-1  a     10.0.0.2\n": "is a cloud's list of machines",
    '{"status": "ok", "devices": [{"device_id": 1, "ip": "10.0.0.1"}]}': "is what LibreNMS knows of",
    '{"zabbix_export": {"version": "6.4", "hosts": []}}': "is what Zabbix knows of the hosts",
    '<?xml version="1.0"?>\n<zabbix_export></zabbix_export>': "is XML of a program whose XML",
    '<?xml version="1.0" ?>\n<!DOCTYPE SCAN SYSTEM "x">\n<SCAN/>': "is XML of a program whose XML",
    '{"data": {"affected_items": [{"local": {"port": 22}}]}}': "is an answer of Wazuh; of the ports",
    '[{"id": "qemu/100", "vmid": 100}]': "is Proxmox' list of machines, which lists no ports",
    "# leases\nlease 10.0.0.5 {\n  binding state active;\n}\n": "is a list of addresses that a machine",
    "? (10.0.0.1) at 00:11:22:33:44:55 [ether] on eth0\n": "is a list of addresses that a machine",
    "Address      HWtype  HWaddress\n10.0.0.1     ether   00\n": "is a list of addresses that a machine",
    "\nInterface: 10.0.0.9 --- 0x4\n  Internet Address\n": "is a list of addresses that a machine",
    "10.0.0.1 dev eth0 lladdr 00:11:22:33:44:55 REACHABLE\n": "is a list of addresses that a machine",
    "┌──────┬──────┐\n│ id   │ type │\n": "is a table drawn with lines for people",
    '{"url": "https://a.example", "port": "443"}': "is JSON of no known format",
}


@pytest.mark.parametrize("text", FOREIGN)
def test_a_file_of_another_purpose_is_named_with_what_to_import_instead(text):
    with pytest.raises(InventoryError) as refused:
        read(text)
    assert f"file1: {FOREIGN[text]}" in str(refused.value)
    assert "1 problem" in str(refused.value)


def test_a_file_whose_format_somebody_names_is_read_as_that():
    hosts = "10.0.0.5\tdb01\n"
    with pytest.raises(InventoryError, match="file1:1: has no column that names the host"):
        read(hosts, file_format="csv")


@pytest.mark.parametrize(
    "text",
    [
        "host,port\n10.0.0.5,22\n",
        "ip;port;note\n10.0.0.5;22;[web]\n",
        'ip\tport\tbanner\n10.0.0.5\t6443\t{"kind":"Status","apiVersion":"v1"}\n',
        'ip,port,banner\n10.0.0.5,80,"x\nhosts:\napiVersion: v1\n"\n',
        '{"devices": [{"name": "a", "device_type": {}, "apiVersion": "1"}]}',
        '{"services": {"web": {"image": "nginx", "labels": {"Service": "x"}}}}',
    ],
)
def test_a_file_that_is_read_is_taken_for_no_other(text):
    assert read(text).hosts


@pytest.mark.parametrize(
    "unit", [" ", "a", "[", "{", '"', "#\n", "|", ":", "1.", "\t", "-", "a b\n", "[a]", "| "]
)
def test_the_beginning_of_a_file_is_judged_in_a_moment_whatever_it_holds(unit):
    begun = time.monotonic()
    for before in (b"", b"{", b"Host a\n", b"<"):
        why_foreign(before + unit.encode() * 1_000_000)
    assert time.monotonic() - begun < 2


def test_what_a_tar_holds_has_to_be_unpacked():
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as tar:
        tar.addfile(tarfile.TarInfo("scan.xml"))
    for file_format in (None, "csv"):
        with pytest.raises(
            InventoryError, match="file1: is a tar archive, and no bundle of `network export`"
        ):
            read(packed.getvalue(), file_format=file_format)


def test_a_compose_file_may_be_json_and_netboxs_lists_may_be_called_services():
    assert read(json.dumps({"services": {"a": {"image": "nginx:1.26"}}})).sources[0].format == "compose"
    listed = {"services": {"count": 1, "results": [{"device": {"name": "a"}, "name": "x", "ports": [1]}]}}
    assert read(json.dumps(listed)).sources[0].format == "netbox"


def test_what_was_left_out_says_why_no_host_is_left():
    with pytest.raises(
        InventoryError, match=r"no host that runs \(objects of NetBox that say nothing .*: 1\)"
    ):
        read('{"devices": [{"hostname": "sw1"}]}')


def test_a_file_of_no_known_format_is_refused_by_name():
    with pytest.raises(InventoryError, match="file1: has no known format; name it by --format: nmap-xml"):
        read("hello\n")
    assert why_foreign(b"hello\n") is None


@pytest.mark.parametrize(
    "text",
    [
        "Starting Nmap 7.95 ( https://nmap.org ) at 2026-11-30 21:50 UTC\nNmap scan report for 10.0.0.1\n",
        "# Nmap 7.95SVN scan initiated Mon Nov 30 as: nmap -oN - 10.0.0.1\n",
    ],
)
def test_what_nmap_prints_for_people_is_told_from_what_it_writes_for_programs(text):
    with pytest.raises(InventoryError, match="file1: is what nmap prints for people; scan with -oX"):
        read(text)


@pytest.mark.parametrize(
    ("raw", "what"),
    [
        (gzip.compress(b"host,port\na,80\n", mtime=0), "is compressed by gzip; decompress it first"),
        (b"BZh91AY&SY,|\n\xff", "is compressed by bzip2; decompress it first"),
        (b"PK\x03\x04rest", "is a ZIP archive or a spreadsheet; unpack it, or save the sheet as CSV"),
    ],
)
def test_a_file_that_another_step_would_make_readable_says_which(raw, what):
    with pytest.raises(InventoryError, match=f"file1: {what}"):
        read(raw)


def test_a_compressed_file_is_called_so_whatever_format_is_named():
    with pytest.raises(InventoryError, match="file1: is compressed by gzip; decompress it first"):
        read(gzip.compress(b"host,port\na,80\n", mtime=0), file_format="csv")


@pytest.mark.parametrize("text", ["", " \n"])
def test_an_empty_file_is_called_empty(text):
    with pytest.raises(InventoryError, match="file1: is empty"):
        read(text)


@pytest.mark.parametrize(
    ("text", "each"),
    [
        ('[{"host": "a", "port": 1}]', ".[] | "),
        ('{"count": 1, "hosts": [{"host": "a", "port": 1}]}', ".hosts[] | "),
        ('{"host": "a", "port": 1}\n{"host": "b", "port": 2}\n', ""),
    ],
)
def test_the_way_to_make_a_table_of_other_json_fits_its_shape(text, each):
    with pytest.raises(InventoryError) as refused:
        read(text)
    assert f"then `jq -r '{each}[.host, .port] | @csv'`" in str(refused.value)
