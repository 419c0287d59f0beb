"""The process that delivers: settings become the way out, the database and the worker."""

import asyncio
import ssl

from approval_api.database.engine import DELIVERY_ROLE, close_engine, create_engine
from approval_api.deliveries.sending.checks import Checker
from approval_api.deliveries.sending.figures import Figures
from approval_api.deliveries.sending.netbox import NetBoxSender
from approval_api.deliveries.sending.sender import RefusedError, Sender
from approval_api.deliveries.sending.settings import DeliverySettings
from approval_api.deliveries.sending.webhook import WebhookSender
from approval_api.deliveries.sending.worker import Deliverer, MakeSender
from approval_api.egress.client import Egress
from approval_api.egress.hosts import NotAllowedError, Place
from approval_api.egress.mail import MailServer
from approval_api.notifications.sending.notifier import Notifier
from dryrun_contract.delivery import DestinationRequest
from dryrun_serving.ending import hear_signals, last_of_process
from dryrun_serving.logs import log_to_stdout
from dryrun_serving.metrics_listener import serving_metrics
from dryrun_serving.working import working


def make_senders(egress: Egress, settings: DeliverySettings) -> MakeSender:
    """Return what makes a sender for each destination from its request and the credential that it names."""

    def make(destination: DestinationRequest) -> Sender:
        credential = settings.credentials.get(destination.credential or "")
        if destination.url is None or credential is None:
            raise RefusedError(
                f"this process has no credential {destination.credential!r}; see DELIVERY_CREDENTIALS"
            )
        place = Place.of(destination.url)
        if place != credential.place:
            raise NotAllowedError(
                f"the credential {destination.credential!r} is for {credential.place} and shown nowhere "
                f"else; one for {place} is written NAME@{place}=… in DELIVERY_CREDENTIALS"
            )
        value = credential.secret.get_secret_value()
        # A signing secret is never sent, whoever names it for a destination that is sent its credential.
        if value.startswith("whsec_") != (destination.kind == "webhook"):
            raise RefusedError(
                f"the credential {destination.credential!r} is for another kind: a webhook's is whsec_ and "
                "base64, and no other's is"
            )
        if destination.kind == "webhook":
            return WebhookSender(egress, destination.url, value)
        if destination.kind == "netbox":
            return NetBoxSender(egress, destination.url, value)
        if destination.kind == "diode":
            # gRPC starts threads, and takes memory of those only who use it.
            from approval_api.deliveries.sending.diode import DiodeSender

            return DiodeSender(egress, destination.url, value, settings.authorities)
        raise RefusedError(f"this version does not send to destinations of kind {destination.kind}")

    return make


def _mail_server(settings: DeliverySettings, tls: ssl.SSLContext) -> MailServer | None:
    if settings.smtp is None:
        return None
    place, networks = MailServer.parse(settings.smtp)
    login = settings.smtp_login.get_secret_value() if settings.smtp_login is not None else ""
    user, _, password = login.partition(":")
    return MailServer(
        place, networks, settings.smtp_from, (user, password) if user else None, tls, settings.own_networks
    )


def run(settings: DeliverySettings) -> None:
    """Deliver and notify until SIGTERM or Ctrl-C."""
    log_to_stdout(settings.log_level)
    with last_of_process():
        asyncio.run(_run(settings))


async def _run(settings: DeliverySettings) -> None:
    engine = create_engine(settings.database_url.get_secret_value(), role=DELIVERY_ROLE)
    tls = ssl.create_default_context(cadata=settings.ca)
    figures = Figures(engine)
    stopped = asyncio.Event()
    hear_signals(stopped.set)
    try:
        async with (
            Egress(settings.hosts, own_networks=settings.own_networks, tls=tls) as egress,
            serving_metrics(settings.metrics_listen, figures.page),
        ):
            make_sender = make_senders(egress, settings)
            deliverer = Deliverer(engine, make_sender, looked=figures.looked)
            checker = Checker(engine, make_sender)
            notifier = Notifier(
                engine,
                egress,
                _mail_server(settings, tls),
                settings.mail_domains,
                str(settings.public_url or ""),
                settings.matrix_tokens,
            )
            work = {"deliveries": deliverer.run, "checks": checker.run, "notifications": notifier.run}
            async with working(work):
                await stopped.wait()
    finally:
        await close_engine(engine)
