"""What objects that deliveries made in NetBox are described as: it tells them from other people's."""

from collections.abc import Mapping

from pydantic import JsonValue

from approval_api.deliveries.sending.sender import Item
from dryrun_contract.text import printable

MARK = "Discovered: "
"""The beginning of descriptions of objects that deliveries made and may change."""
_GONE = f"{MARK}gone since "


def described(item: Item, what: str) -> str:
    """Return the description of an object of ours; NetBox takes 200 characters."""
    version = _data(item).get("version")
    named = what if what == "host" else " ".join(filter(None, (product_of(item), str(version or ""))))
    return printable(f"{MARK}{named} {_by(item)}", limit=199)


def called_gone(item: Item) -> str:
    """Return the description of an object of ours that is gone; it begins with the mark, as before."""
    day = str(item.content.get("gone_at", ""))[:10]
    return printable(f"{_GONE}{day}{_was(item)}", limit=199)


def is_called_gone(found: Mapping[str, JsonValue], item: Item) -> bool:
    """Return whether an object is described as gone, and what is gone is what `item` found again."""
    text = str(found.get("description", ""))
    return text.startswith(_GONE) and text.endswith(_was(item))


def is_named_by_another(found: Mapping[str, JsonValue], item: Item) -> bool:
    """Return whether another collector described it, and `item`, which names no product, knows no better."""
    text = str(found.get("description", ""))
    is_own = text.endswith(printable(_by(item), limit=199))
    return not _data(item).get("product") and not is_own and not text.startswith(_GONE)


def product_of(item: Item) -> str:
    """Return the product of a service, or that it is unknown."""
    return printable(str(_data(item).get("product") or "unknown service"), limit=90)


def _was(item: Item) -> str:
    return f", was {'host' if item.kind == 'host' else product_of(item)} {_by(item)}"


def _by(item: Item) -> str:
    return f"({item.content.get('collector', '')})"


def _data(item: Item) -> dict[str, JsonValue]:
    data = item.content.get("data")
    return data if isinstance(data, dict) else {}
