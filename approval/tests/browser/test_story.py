"""What a schedule is for: overnight a collector gets worse, and in the morning people know since when.

The browser, the service, PostgreSQL, the delivering process, the mail server and the receiver of the webhook
are real; the orchestrator is the one in memory, and nights pass by moving the schedule's next time back.
"""

import asyncio
import os
import re
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from chromium import violations
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_ssh_private_key,
)
from delivering import delivering
from playwright.async_api import expect
from receiver import receiving
from scripted_session import ScriptedSession
from smtp_server import smtp_server
from sqlalchemy import text
from standardwebhooks import Webhook

from approval_api.identity.roles import Role
from approval_api.notifications.noticing import Noticing

pytestmark = [pytest.mark.browser, pytest.mark.timeout(180)]

BETTER, WORSE = (f"sha256:{digit * 64}" for digit in "bc")


async def make_schedule(page):
    await page.goto("/dryrun/schedules")
    await page.get_by_label("Name").fill("nightly")
    await page.get_by_label("Time zone").fill("Europe/Berlin")
    await page.get_by_label("Seeds").fill("2")
    await page.get_by_role("button", name="Schedule", exact=True).click()
    await expect(page.get_by_role("heading", name="nightly")).to_be_visible()
    return page.url.rpartition("/")[2]


async def add_channel(page, kind, address):
    """Return what the page says of the new channel."""
    await page.goto("/notifications")
    await page.get_by_label("Name").fill(kind)
    await page.get_by_label("Kind").select_option(kind)
    await page.get_by_label("Address", exact=True).fill(address)
    await page.get_by_role("button", name="Add channel").click()
    await expect(page.get_by_role("row").filter(has_text=address)).to_be_visible()
    return await page.locator("main").inner_text()


async def let_a_night_pass(site, page, schedule, nth, image, *, misses=""):
    """Fire the schedule, scan what it starts with the collector of that night; return a session of it."""
    engine = site.api.app.state.engine
    known, newest = set(site.orchestrator.sessions), None
    async with engine.begin() as connection:
        await connection.execute(
            text(
                "UPDATE gateway.schedules SET next_at = now() - make_interval(days => :nights)"
                " WHERE id = CAST(:id AS uuid)"
            ),
            {"nights": 3 - nth, "id": schedule},
        )
    await page.goto(f"/dryrun/schedules/{schedule}")
    async with asyncio.timeout(60):
        while await measured_in(site, schedule, nth) < 2:
            await site.api.app.state.conductor.work_once()
            for session in set(site.orchestrator.sessions) - known:
                known.add(session)
                ScriptedSession(site.orchestrator, session).scanned_by("network", misses=misses, image=image)
                newest = session
            await asyncio.sleep(0.05)
    return newest


async def measured_in(site, schedule, nth):
    """Return how many sessions of the `nth` night have results; 0 before that night."""
    firings = (await site.api.get(f"/schedules/{schedule}")).json()["firings"]
    return firings[0]["experiment"]["measured"] if len(firings) == nth and firings[0]["arms"] else 0


async def verified(folder, download, private_key):
    """Return exit code and output of `dryrun report verify`, which is given no address of any service."""
    file, key = folder / "report.zip", folder / "report-key.pub"
    await download.save_as(file)
    public = load_ssh_private_key(private_key.encode(), None).public_key()
    key.write_bytes(public.public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH) + b" reports\n")
    verifying = await asyncio.create_subprocess_exec(
        Path(sys.executable).with_name("dryrun"),
        "report",
        "verify",
        str(file),
        "--key",
        str(key),
        env={"PATH": os.environ["PATH"], "HOME": str(folder)},
        stdout=asyncio.subprocess.PIPE,
    )
    output, _ = await verifying.communicate()
    return verifying.returncode, output.decode()


async def test_people_learn_overnight_that_a_collector_got_worse_and_since_which_version(
    site, database_url, eventually, tmp_path
):
    async with receiving() as receiver, smtp_server() as mail:
        page = await site.visit(Role.OPERATOR, "/dryrun/schedules")
        schedule = await make_schedule(page)
        await add_channel(page, "email", "ops@example.com")
        key = re.search(r"whsec_\S+", await add_channel(page, "webhook", receiver.url()))[0]
        settings = {
            "DELIVERY_SMTP": f"http://127.0.0.1:{mail.port}=127.0.0.1",
            "DELIVERY_MAIL_DOMAINS": "example.com",
            "DELIVERY_PUBLIC_URL": site.url,
        }
        async with delivering(database_url, receiver, **settings):
            await let_a_night_pass(site, page, schedule, 1, BETTER)
            worse = await let_a_night_pass(site, page, schedule, 2, WORSE, misses=":80/tcp")
            await Noticing(site.api.app.state.engine).work_once()

            async def both_told():
                return receiver.received and mail.mails

            await eventually(both_told, seconds=30)
    # The message says what fell, and is signed by the key that the page showed once.
    message = receiver.received[0]
    event = Webhook(key).verify(message.body, message.headers)["data"]["events"][-1]
    assert event["occasion"] == "recall_regressed"
    assert re.search(r"recall of services fell: .*0\.67 → 0\.33", event["text"])
    # The mail's link leads to the trend, which shows the version at which it fell.
    assert mail.mails[0]["to"] == "ops@example.com"
    assert abs(mail.mails[0]["date"].datetime - datetime.now(UTC)) < timedelta(minutes=3)
    await page.goto(re.search(r"http\S+/dryrun/schedules/\S+", mail.mails[0].get_content())[0])
    recall = page.get_by_role("region", name="Chart: Recall")
    await expect(recall.locator(".change text")).to_have_text([f"network {WORSE[7:19]}"])
    await expect(recall.locator("circle title")).to_have_text([re.compile("0.67"), re.compile("0.33")])
    assert not await violations(page)
    # The report of that night can be handed on: it is verified without any service.
    await page.goto(f"/dryrun/sessions/{worse}/report")
    async with page.expect_download() as downloading:
        await page.get_by_role("link", name="Signed").click()
    private = site.api.app.state.settings.report_key.get_secret_value()
    code, said = await verified(tmp_path, await downloading.value, private)
    assert code == 0, said
    assert str(worse)[:8] in said
