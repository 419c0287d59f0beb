"""What is asked while nmap still searches or asks, and which of the answers counts in the end."""

from dataclasses import replace

import pytest
from faked_network import SECOND_OPINIONS, assignment
from nmap_reports import FOOT, HEAD, HTTP, host, port

from discovery_collectors.collectors.network import follow_up as network
from discovery_collectors.collectors.network.collector import collect

pytestmark = pytest.mark.usefixtures("asked_by_udp", "asked_again")

WAITS_FOR_THE_SECOND_CALL = """
[ -f calls ] || {
    out=$(echo " $*" | sed "s/.* -oX \\([^ ]*\\) .*/\\1/")
    exec 9>"$out"
    echo "$REPORT" >&9
    echo "Discovered open port 48123/tcp on 10.0.0.3"
    echo first > calls; cat >> calls
    tries=0
    until [ "$(wc -l < calls)" -gt 3 ] || [ $tries -gt 150 ]; do sleep 0.1; tries=$((tries + 1)); done
    echo "$((tries > 150))" > waited
    sleep 1
    echo "$LATE" >&9
    echo "<runstats><finished exit='success'/></runstats></nmaprun>" >&9
    exit
}
"""


async def test_what_is_open_is_asked_while_other_ports_are_still_looked_for(
    fake_nmap, emit, tmp_path, monkeypatch
):
    up = host("10.0.0.3").replace("<host>", "<hosthint>").replace("</host>", "</hosthint>")
    monkeypatch.setenv("REPORT", HEAD + up)
    # Written when its versions are known already: it must not be what is reported last.
    unnamed = "<service name='unknown' method='table' conf='3'/>"
    monkeypatch.setenv("LATE", host("10.0.0.3", port(48123, unnamed)))
    fake_nmap(
        HEAD + FOOT, HEAD + host("10.0.0.3", port(48123, HTTP)) + FOOT, script=WAITS_FOR_THE_SECOND_CALL
    )
    await collect(assignment(), emit)
    assert (tmp_path / "waited").read_text() == "0\n"
    assert [(kind, data.get("product")) for kind, _, data, _ in emit.reported] == [
        ("host", None),
        ("service", None),
        ("service", "nginx"),
    ]


ASKED_WHILE_NMAP_ASKS = """
if [ -e calls ] && [ "$(wc -l < calls)" -ge 2 ]; then
  for probe in GenericLines GetRequest SSLSessionReq $LAST; do
    echo "Service scan sending probe $probe to 10.0.0.3:7070 (tcp)"
  done
  seconds=0
  while [ ! -e asked ] && [ "$seconds" -lt 10 ]; do sleep 0.1; seconds=$((seconds + 1)); done
  echo "$seconds" >> waited
fi
"""


@pytest.fixture
def tells_nmap(asked_again, tmp_path, monkeypatch):
    """Have the script above learn when a port was asked."""

    class Asking(network.SecondOpinion):
        async def ask(self, address, ports, on_port, **_):
            await super().ask(address, ports, on_port)
            if ports:
                (tmp_path / "asked").touch()

    monkeypatch.setattr(network, "SecondOpinion", Asking)


@pytest.mark.parametrize(
    ("last", "open_too", "asked_early"),
    [("TLSSessionReq", (), True), ("", (), False), ("TLSSessionReq", (502,), False)],
    ids=["silent", "nmap has understood it", "a controller"],
)
async def test_a_silent_port_is_asked_while_nmap_goes_on_asking_it(
    tells_nmap, fake_nmap, asked_again, emit, tmp_path, monkeypatch, last, open_too, asked_early
):
    monkeypatch.setenv("LAST", last)
    ports = [port(number) for number in (*open_too, 7070)]
    fake_nmap(HEAD + host("10.0.0.3", *ports) + FOOT, script=ASKED_WHILE_NMAP_ASKS)
    await collect(assignment(), emit)
    waited = int((tmp_path / "waited").read_text().split()[0])
    assert (waited < 10) is asked_early
    assert asked_again == ([] if open_too else [("10.0.0.3", 7070)]), "once, and a controller never"


@pytest.mark.parametrize(("profile", "early"), [("quick", False), ("full", True)])
async def test_certificates_are_read_early_in_full_only(fake_nmap, emit, monkeypatch, profile, early):
    wanted = []

    class FollowUp(network.FollowUp):
        def __init__(self, *arguments, early_certificates):
            wanted.append(early_certificates)
            super().__init__(*arguments, early_certificates=early_certificates)

    monkeypatch.setattr(network, "FollowUp", FollowUp)
    fake_nmap(HEAD + host("10.0.0.3", port(7070)) + FOOT)
    await collect(replace(assignment(), profile=profile), emit)
    assert wanted == [early]


async def test_what_nmap_names_after_all_stands_before_what_was_learned_early(
    tells_nmap, fake_nmap, asked_again, emit, monkeypatch
):
    monkeypatch.setenv("LAST", "TLSSessionReq")
    SECOND_OPINIONS["10.0.0.3", 7070] = {"name": "microsoft-ds", "probed": True}
    samba = "<service name='netbios-ssn' method='probed' conf='10' product='Samba smbd' version='4.6.2'/>"
    fake_nmap(
        HEAD + host("10.0.0.3", port(7070)) + FOOT,
        HEAD + host("10.0.0.3", port(7070, samba)) + FOOT,
        script=ASKED_WHILE_NMAP_ASKS,
    )
    # Settled, so that the second opinion itself would leave it alone.
    monkeypatch.setattr(network.FollowUp, "_ask_services", _nothing)
    await collect(assignment(), emit)
    assert asked_again == [("10.0.0.3", 7070)]
    assert emit.data("service", "10.0.0.3:7070/tcp")["product"] == "Samba smbd"


async def _nothing(*_) -> None:
    pass
