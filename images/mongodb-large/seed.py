"""Fills the server on this machine with what seed.json says (at build time)."""

import json
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

from pymongo import MongoClient
from pymongo.errors import PyMongoError

START_SECONDS = 20
BEGIN = datetime(2025, 1, 1, 6, tzinfo=UTC)


def connected() -> MongoClient:
    client: MongoClient = MongoClient("127.0.0.1", 27017, serverSelectionTimeoutMS=1000)
    deadline = time.monotonic() + START_SECONDS
    while True:
        try:
            client.admin.command("ping")
        except PyMongoError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.1)
        else:
            return client


def value(kind: str, number: int, canary: str) -> object:
    match kind:
        case "int":
            return number
        case "text":
            return f"{canary} {number}"
        case "date" | "time":
            return BEGIN + timedelta(hours=number)
        case "money":
            return number * 7.25
        case "bool":
            return number % 3 == 0
    raise ValueError(f"{kind!r} is no type of the plan")


def main() -> None:
    plan = json.loads(Path(__file__).with_name("seed.json").read_text())
    client = connected()
    for part in plan["collections"]:
        client[part["database"]][part["collection"]].insert_many(
            {name: value(kind, number, plan["canary"]) for name, kind in part["fields"].items()}
            for number in range(part["rows"])
        )


if __name__ == "__main__":
    main()
