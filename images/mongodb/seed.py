"""Fills the server on this machine with the product catalog of the web shop (at build time)."""

import time
from datetime import UTC, datetime, timedelta

from pymongo import MongoClient
from pymongo.errors import PyMongoError

ARTICLES = [
    ("SKERRY-1", "Skerry 1", "tent", 289.0),
    ("SKERRY-2", "Skerry 2", "tent", 349.0),
    ("FELLHOUSE", "Fell House", "tent", 549.0),
    ("KITTIWAKE", "Kittiwake", "stove", 45.0),
    ("BOTHY", "Bothy", "stove", 62.0),
    ("HAULER-60", "Hauler 60", "pack", 189.0),
]
SUPPLIERS = [("Tarpworks", "NO", 84000), ("Alubend", "PL", 31500), ("Brennhaus", "DE", 12750)]
START_SECONDS = 20


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


def main() -> None:
    client = connected()
    begin = datetime(2025, 9, 1, 7, 30, tzinfo=UTC)
    client.catalog.products.insert_many(
        {"_id": sku, "name": name, "category": category, "price_gbp": price, "photos": [f"/img/{sku}.webp"]}
        for sku, name, category, price in ARTICLES
    )
    client.catalog.reviews.insert_many(
        {
            "sku": ARTICLES[number % len(ARTICLES)][0],
            "stars": 2 + number % 4,
            "author_email": f"customer{1000 + number}@mail.example",
            "text": ("Held in a gale.", "Pegs could be longer.", "Lit at once, in sleet.")[number % 3],
            "written_at": begin + timedelta(hours=11 * number),
        }
        for number in range(120)
    )
    client.catalog.suppliers.insert_many(
        {
            "name": name,
            "country": country,
            "contract_gbp": amount,
            "contact": {"mail": f"sales@{name.lower()}.example"},
        }
        for name, country, amount in SUPPLIERS
    )
    client.content.pages.insert_many(
        {"slug": slug, "title": slug.title(), "body": f"All about {slug}.", "published": True}
        for slug in ("deliveries", "repairs", "returns")
    )


if __name__ == "__main__":
    main()
