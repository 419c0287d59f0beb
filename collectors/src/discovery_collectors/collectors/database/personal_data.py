"""Finds columns that hold personal data, by their names and by what a sample showed (personal_sample.py)."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

_NAME_CHARACTERS = 200

_WORDS = {
    "name": "(?:full|first|last|given|family|middle|maiden|birth)_?names?|sur_?name|vorname|nachname"
    "|familienname|nom_de_famille|prenom|apellidos?|driver_name|contact_name|customer_name|employee_name",
    "email": "e_?mails?(?:_addr(?:ess)?)?|mail_addr(?:ess)?",
    "phone": "(?:tele)?phones?(?:_(?:no|nr|number))?|mobile(?:_(?:no|nr|number))?|telefon(?:nummer)?|handy"
    "|fax|cell_?phone",
    "address": "(?:home_|postal_|street_|mailing_|billing_|shipping_)?addr(?:ess)?(?:_line_?[0-9])?|street"
    "|strasse|straße|post_?codes?|postal_codes?|zip(?:_?codes?)?|plz|hausnummer|adresse",
    "birth_date": "birth_?(?:date|day)|date_of_birth|dob|born(?:_on)?|geburts(?:datum|tag)",
    "national_id": "national_id|ssn|social_security(?:_(?:no|nr|number))?|passport(?:_(?:no|nr|number))?"
    "|tax_id|nino|national_insurance(?:_(?:no|nr|number))?|driv(?:er|ing)s?_licen[cs]e|steuer_?(?:id|nummer)",
    "bank_account": "iban|account_number|bank_account|sort_code|konto(?:nummer)?",
    "payment_card": "card_(?:no|nr|number)|credit_card|pan|cvv|cvc",
    "pay": "salary|wages?|gross_[a-z]{3}|net_pay|gehalt|lohn",
    "health": "diagnos[ei]s|blood_type|allerg(?:y|ies)|medical_(?:record|history)|icd_?10|krankenkasse",
    "origin_or_belief": "gender|sex|religion|ethnicity|nationality|geschlecht|konfession",
    "network_address": "ip_?addr(?:ess)?|remote_addr|client_ip",
}
_NAMES = {kind: re.compile(rf"(?:^|_)(?:{words})(?:_|$)") for kind, words in _WORDS.items()}
_HUMP = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
_APART = re.compile(r"[^\w]+|_+")


@dataclass(frozen=True, slots=True)
class PersonalData:
    """What a column seems to hold, and why."""

    kind: str
    by: Literal["name", "sample", "name and sample"]


def kind_by_name(name: str) -> str | None:
    """Return the class of personal data that a column's name suggests.

    >>> kind_by_name("contactEmail"), kind_by_name("E-Mail"), kind_by_name("emailed_at")
    ('email', 'email', None)
    """
    words = _APART.sub("_", _HUMP.sub("_", name[:_NAME_CHARACTERS])).casefold().strip("_")
    return next((kind for kind, pattern in _NAMES.items() if pattern.search(words)), None)


def classify(columns: Sequence[str], sampled: Mapping[str, str]) -> dict[str, PersonalData]:
    """Return the columns that hold personal data; `sampled`: column → class by its values, which is surer."""
    found = {}
    for name in columns:
        by_name, by_sample = kind_by_name(name), sampled.get(name)
        if by_sample is not None:
            found[name] = PersonalData(by_sample, "name and sample" if by_name == by_sample else "sample")
        elif by_name is not None:
            found[name] = PersonalData(by_name, "name")
    return found
