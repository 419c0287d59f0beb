"""The delivering process itself: its settings, its start and stop, and a kill at any point."""

import asyncio
import re
import signal
import socket
import ssl
import time
from collections import Counter
from contextlib import suppress

import httpx2
import pytest
from certificates import Authority
from delivering import delivering
from made_deliveries import (
    SECRET,
    add_destination,
    approve,
    approve_discoveries,
    make_everything_due,
    preview,
    show,
)
from receiver import answer, receiving

from approval_api.deliveries.sending.figures import Figures
from approval_api.deliveries.sending.process import _run
from approval_api.deliveries.sending.settings import DeliverySettings
from approval_api.deliveries.sending.worker import Deliverer
from approval_api.notifications.sending.notifier import Notifier
from dryrun_contract.environment import SettingsError
from dryrun_local.system.postgres import delivery_url


def delivering_process(url, receiver, **settings):
    credentials = f"hook@http://127.0.0.1:{receiver.port}=whsec_{SECRET}"
    return delivering(url, receiver, **({"DELIVERY_CREDENTIALS": credentials} | settings))


async def test_a_kill_at_any_point_loses_nothing_and_doubles_nothing(database_url, engine, eventually):
    """The first process is killed while requests of it are unanswered; the second one finishes."""
    rows = [("host", f"198.51.100.{n}", "{}") for n in range(1, 31)]
    slow = asyncio.Event()

    def behaviour(_):
        return answer(204) if len(receiver.received) < 8 or slow.is_set() else wait_and_answer()

    async def wait_and_answer():
        await slow.wait()
        return answer(204)

    async with receiving(behaviour) as receiver:
        await approve_discoveries(engine, *rows)
        destination = await add_destination(engine, kind="webhook", url=receiver.url(), credential="hook")
        delivery = (await approve(engine, (await preview(engine, destination)).id)).id
        async with delivering_process(database_url, receiver) as first:

            async def some_are_under_way():
                return len(receiver.received) >= 8

            await eventually(some_are_under_way, seconds=20)
            first.kill()
            await first.wait()
        counts = (await show(engine, delivery)).counts
        assert 0 < counts.delivered < 30
        assert counts.waiting == 30 - counts.delivered
        slow.set()
        await make_everything_due(engine)
        async with delivering_process(database_url, receiver) as second:

            async def all_are_delivered():
                return (await show(engine, delivery)).state == "done"

            await eventually(all_are_delivered, seconds=20)
            async with asyncio.timeout(20):
                # Whoever stops it may ask more than once.
                while second.returncode is None:
                    with suppress(ProcessLookupError):
                        second.send_signal(signal.SIGTERM)
                    await asyncio.sleep(0.0005)
            assert second.returncode == 0
    ids = Counter(seen.headers["webhook-id"] for seen in receiver.received)
    assert len(ids) == 30, "whoever goes by webhook-id acts once for each discovery"
    assert sum(ids.values()) <= 30 + 4, "only what was under way at the kill came twice"


async def test_it_serves_its_figures_and_nothing_else(database_url, engine, eventually):
    with socket.create_server(("127.0.0.1", 0)) as free:
        place = f"127.0.0.1:{free.getsockname()[1]}"
    async with receiving(lambda _: answer(400)) as receiver, httpx2.AsyncClient(trust_env=False) as client:
        await approve_discoveries(engine, ("host", "198.51.100.1", "{}"))
        destination = await add_destination(engine, kind="webhook", url=receiver.url(), credential="hook")
        await approve(engine, (await preview(engine, destination)).id)
        async with delivering_process(database_url, receiver, DELIVERY_METRICS_LISTEN=place):

            async def page():
                try:
                    return (await client.get(f"http://{place}/metrics")).text
                except httpx2.HTTPError:
                    return ""

            async def the_item_was_given_up():
                return 'approval_delivery_items{state="dead"} 1.0' in await page()

            await eventually(the_item_was_given_up, seconds=20)
            figures = await page()
            assert (await client.get(f"http://{place}/")).status_code == 404
    assert 'approval_delivery_items{state="waiting"} 0.0' in figures
    looked = re.search(r"^approval_delivery_last_round_seconds (\S+)$", figures, re.MULTILINE)
    assert time.time() - float(looked[1]) < 20


async def test_what_a_preview_could_not_look_up_does_not_count_as_given_up(engine, delivering):
    """Nobody approved it, so that nothing was to be sent: it is on the preview, and alerts nobody."""
    await approve_discoveries(engine, ("host", "198.51.100.1", "{}"))
    async with receiving(lambda _: answer(400)) as receiver:
        process = delivering(receiver)
        figures = Figures(process.engine)
        for kind, credential in (("netbox", "unknown"), ("webhook", "hook")):
            wanted = {"kind": kind, "url": receiver.url(), "credential": credential}
            previewed = await preview(engine, await add_destination(engine, **wanted))
            if kind == "webhook":
                await approve(engine, previewed.id)
            await process.work()
            assert (await show(engine, previewed.id)).counts.dead == 1
            counted = f'approval_delivery_items{{state="dead"}} {float(kind == "webhook")}\n'
            assert counted in (await figures.page()).decode()


async def fail(_):
    raise RuntimeError("a fault of ours")


@pytest.mark.parametrize("part", [Deliverer, Notifier])
def test_a_process_whose_work_ended_ends_and_says_why(database_url, monkeypatch, caplog, part):
    monkeypatch.setattr(part, "run", fail)
    settings = DeliverySettings.read(
        {"DELIVERY_DATABASE_URL": delivery_url(database_url), "DELIVERY_HOSTS": ""}
    )
    with pytest.RaisesGroup(pytest.RaisesExc(RuntimeError, match="a fault of ours")):
        asyncio.run(_run(settings))
    assert "failed; ending the process" in caplog.text


URL = "postgresql+asyncpg://approval_delivery:x@database/dryrun"


def test_credentials_come_from_a_file_and_are_not_shown(tmp_path):
    file = tmp_path / "credentials"
    file.write_text("hook@hooks.example.com=whsec_abc=\nnetbox@netbox.lan:8443=0123:45\n")
    settings = DeliverySettings.read(
        {
            "DELIVERY_DATABASE_URL": URL,
            "DELIVERY_HOSTS": "hooks.example.com, netbox.lan=10.1.2.0/24",
            "DELIVERY_OWN_NETWORKS": "203.0.113.0/24, 2001:db8::/32",
            "DELIVERY_CREDENTIALS_FILE": str(file),
        }
    )
    assert settings.credentials["netbox"].secret.get_secret_value() == "0123:45"
    assert str(settings.credentials["netbox"].place) == "https://netbox.lan:8443"
    assert settings.credentials["hook"].secret.get_secret_value() == "whsec_abc="
    assert len(settings.own_networks) == 2
    for secret in ("whsec_abc", "0123:45", ":x@"):
        assert secret not in repr(settings)


@pytest.mark.parametrize(
    ("given", "secrets"),
    [
        ("a@h=1,2", {"a": "1,2"}),
        ("a@h=1, 2,,3,b@i=4", {"a": "1, 2,,3", "b": "4"}),
        ("a@h==,x,\nb@i=3,,", {"a": "=,x,", "b": "3,,"}),
        (", a@h=1 ,b@i=2,", {"a": "1", "b": "2,"}),
        ("a@h=1,,b@i=2", {"a": "1,", "b": "2"}),
    ],
)
def test_a_secret_may_contain_a_comma(given, secrets):
    settings = DeliverySettings.read(
        {"DELIVERY_DATABASE_URL": URL, "DELIVERY_HOSTS": "", "DELIVERY_CREDENTIALS": given}
    )
    assert {name: each.secret.get_secret_value() for name, each in settings.credentials.items()} == secrets


def test_authorities_come_from_a_file(tmp_path):
    authority = (Authority(tmp_path / "authority").sign("mail") / "ca.pem").read_text()
    file = tmp_path / "authorities"
    file.write_text(f"# Unsere Behörde\n{authority}", encoding="utf-8")
    given = {"DELIVERY_DATABASE_URL": URL, "DELIVERY_HOSTS": ""}
    settings = DeliverySettings.read({**given, "DELIVERY_CA_FILE": str(file)})
    trusted = ssl.create_default_context(cadata=settings.ca).get_ca_certs()
    assert [dict(*each["subject"])["commonName"] for each in trusted] == ["test CA"]
    file.write_text("")
    assert DeliverySettings.read({**given, "DELIVERY_CA_FILE": str(file)}).ca is None


@pytest.mark.parametrize(
    ("name", "value", "reason"),
    [
        ("HOSTS", "*.example.com", "DELIVERY_HOSTS"),
        ("CREDENTIALS", "nothing-but-a-secret-Xyz", "name@host=secret"),
        ("OWN_NETWORKS", "here", "^DELIVERY_OWN_NETWORKS: 'here' does not appear to be"),
        ("OWN_NETWORKS", "10.0.0.0/8, 10.0.0.1/8", "^DELIVERY_OWN_NETWORKS: 10.0.0.1/8 has host bits set"),
        ("CA", "no certificate", "DELIVERY_CA: .*PEM"),
        ("METRICS_LISTEN", "9323", "DELIVERY_METRICS_LISTEN: .*HOST:PORT"),
        ("PROXY", "http://proxy", "DELIVERY_PROXY"),
        ("CREDENTIALS", "hook@hooks.example.com=", "expected name@host=secret"),
        ("CREDENTIALS", "@hooks.example.com=Xyz", "expected name@host=secret"),
        ("CREDENTIALS", "hook@hooks.example.com=Xyz,netbox@netbox.lan:Xyz", "expected name@host=secret"),
        ("CREDENTIALS", "hook@hooks.example.com=Xyz,netbox=Xyz", "after a comma of a secret"),
        ("CREDENTIALS", "hook@hooks.example.com/team=Xyz", "leave out"),
    ],
)
def test_a_wrong_setting_is_named_and_not_quoted_when_it_is_a_secret(name, value, reason):
    given = {"DELIVERY_DATABASE_URL": URL, "DELIVERY_HOSTS": "", f"DELIVERY_{name}": value}
    with pytest.raises(SettingsError, match=reason) as refused:
        DeliverySettings.read(given)
    assert "Xyz" not in str(refused.value)
