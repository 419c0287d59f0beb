"""Reads texts as files of an inventory."""

from made_networks import READ_AT

from dryrun_replica.inventory.assembly import GreetingReader
from dryrun_replica.inventory.model import Inventory
from dryrun_replica.inventory.reading import InventoryFile, read_inventory


def read(
    *texts: str | bytes,
    file_format: str | None = None,
    keep_names: bool = False,
    named_by: GreetingReader = lambda _: None,
) -> Inventory:
    """The inventory of these files, which are called `file1`, `file2` and so on."""
    files = [
        InventoryFile(f"file{number}", text.encode() if isinstance(text, str) else text)
        for number, text in enumerate(texts, 1)
    ]
    return read_inventory(files, READ_AT, file_format=file_format, keep_names=keep_names, named_by=named_by)


def services_of(inventory: Inventory) -> dict[str, list[str]]:
    """Host → its services, as `443/tcp nginx 1.26`."""
    return {
        host.name: [f"{service.place} {service.label}" for service in host.services]
        for host in inventory.hosts
    }


def notes(inventory: Inventory) -> dict[str, int]:
    """Note → its number."""
    return {note.what: note.count for note in inventory.notes}
