import pytest

from discovery_collectors.collectors.database.personal_data import PersonalData, classify, kind_by_name


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("email", "email"),
        ("contactEmail", "email"),
        ("E-Mail", "email"),
        ("customer e-mail address", "email"),
        ("full_name", "name"),
        ("LastName", "name"),
        ("Nachname", "name"),
        ("date_of_birth", "birth_date"),
        ("Geburtsdatum", "birth_date"),
        ("national_id", "national_id"),
        ("IBAN", "bank_account"),
        ("card_number", "payment_card"),
        ("postcode", "address"),
        ("Straße", "address"),
        ("gross_gbp", "pay"),
    ],
)
def test_a_column_name_in_any_spelling_has_its_class(name, kind):
    assert kind_by_name(name) == kind


@pytest.mark.parametrize(
    "name",
    ["id", "name", "emailed_at", "pancake", "microphone", "address_id_count_x"[11:], "status", "sexton", ""],
)
def test_a_column_name_that_only_looks_alike_has_no_class(name):
    assert kind_by_name(name) is None


def test_a_sample_weighs_more_than_a_name_and_both_are_reported():
    found = classify(
        ["email", "phone", "notes", "id"], {"email": "email", "phone": "email", "notes": "phone"}
    )
    assert found == {
        "email": PersonalData("email", "name and sample"),
        "phone": PersonalData("email", "sample"),
        "notes": PersonalData("phone", "sample"),
    }
