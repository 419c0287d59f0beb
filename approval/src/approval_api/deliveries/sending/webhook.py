"""Webhooks by the Standard Webhooks specification: one signed message for each discovery."""

from datetime import UTC, datetime

from standardwebhooks import Webhook
from standardwebhooks.webhooks import EmptyWebhookSecretError

from approval_api.deliveries.sending.answers import paths_of, require_success
from approval_api.deliveries.sending.sender import Item, RefusedError, Result
from approval_api.deliveries.steady_json import steady_json
from approval_api.egress.client import Egress

_EVENTS = {
    "create": "discovery.created",
    "change": "discovery.changed",
    "leave": "discovery.changed",
    "remove": "discovery.removed",
}


class WebhookSender:
    """Posts to one address; `webhook-id` stays the same however often a message is repeated."""

    def __init__(self, egress: Egress, url: str, secret: str) -> None:
        """Sign by `secret`: `whsec_` and base64. Raises RefusedError for anything else."""
        self._egress = egress
        self._url = url
        # The path of a hook may be as secret as its key.
        self._hidden = [secret, *paths_of(url)]
        try:
            self._webhook = Webhook(secret)
        except (ValueError, EmptyWebhookSecretError) as error:
            raise RefusedError("the signing secret is not whsec_ and base64") from error

    async def look(self, item: Item) -> Result:
        """Return what the preview said: a webhook's receiver cannot be asked."""
        return Result(item.action, "")

    async def check(self) -> str:
        """Return what is known without a message: the host is listed, and the secret is one."""
        self._egress.require_listed(self._url)
        return (
            "the host is listed and the secret is for it; only a delivery shows whether the receiver knows it"
        )

    async def send(self, item: Item) -> Result:
        """Post the message."""
        now = datetime.now(UTC)
        body = steady_json({"type": _EVENTS[item.action], "timestamp": now.isoformat(), "data": item.content})
        message_id = f"msg_{item.message_id}"
        headers = {
            "Content-Type": "application/json",
            "webhook-id": message_id,
            "webhook-timestamp": str(int(now.timestamp())),
            "webhook-signature": self._webhook.sign(message_id, now, body),
        }
        answer = await self._egress.request("POST", self._url, headers=headers, body=body.encode())
        require_success(answer, *self._hidden)
        return Result(item.action, f"HTTP {answer.status}")
