"""What production holds of a thing that several collectors reported."""

from sqlalchemy import insert

from approval_api.checks import repository
from approval_api.database.tables import discoveries


async def test_the_surest_collector_that_names_a_product_counts(engine):
    thing = {"kind": "service", "key": "10.213.0.1:5432/tcp"}
    reported = [
        {**thing, "collector": "network", "data": {"product": "PostgreSQL DB"}, "confidence": 0.9},
        {**thing, "collector": "database", "data": {"access": "refused"}, "confidence": 0.95},
        {**thing, "collector": "guess", "data": {"product": "MySQL"}, "confidence": 0.5},
    ]
    async with engine.begin() as connection:
        await connection.execute(insert(discoveries), reported)
        outcome = await repository.production_outcome(connection, seconds=None, packets=None)
    assert (outcome.places, outcome.products) == ({"5432/tcp": 1}, {"PostgreSQL DB": 1})
