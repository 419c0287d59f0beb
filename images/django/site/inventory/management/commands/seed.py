"""Fills the register when the image is built."""

import datetime as dt
import secrets

from django.contrib.auth import get_user_model
from django.core.management.base import BaseCommand

from inventory.models import Equipment, Inspection, Location

LOCATIONS = [
    ("Head office", "4 Quay Road", "Aldermouth"),
    ("Warehouse North", "Unit 7, Slipway Estate", "Stennick"),
    ("Workshop", "11 Ropewalk", "Aldermouth"),
]
KINDS = [
    ("Electric pallet truck", "vehicle", 3890),
    ("Label printer", "printer", 420),
    ("Barcode scanner", "scanner", 265),
    ("Industrial sewing machine", "machine", 2150),
    ("Rack server", "server", 4400),
    ("Access switch, 24 ports", "network", 610),
]


class Command(BaseCommand):
    help = "Fill an empty database with the company's equipment."

    def handle(self, *args, **options):
        locations = [Location.objects.create(name=n, street=s, town=t) for n, s, t in LOCATIONS]
        states = [Equipment.State.IN_USE] * 5 + [Equipment.State.SPARE, Equipment.State.REPAIR]
        for number in range(60):
            name, kind, price = KINDS[number % len(KINDS)]
            item = Equipment.objects.create(
                tag=f"PH-{2100 + number}",
                name=name,
                kind=kind,
                location=locations[number % len(locations)],
                state=states[number % len(states)],
                bought_on=dt.date(2019, 1, 7) + dt.timedelta(days=41 * number),
                price_gbp=price + number * 3,
            )
            Inspection.objects.create(
                equipment=item,
                inspected_on=dt.date(2026, 1, 5) + dt.timedelta(days=number),
                inspector=("Lena Zielinski", "Owen Marsh")[number % 2],
                passed=number % 9 != 4,
                remark="" if number % 9 != 4 else "Cable worn, order a spare.",
            )
        # The administrator's password is known to nobody: the admin is there to be found, not to be entered.
        get_user_model().objects.create_superuser("omarsh", "owen.marsh@pineharbour.example", secrets.token_urlsafe())
