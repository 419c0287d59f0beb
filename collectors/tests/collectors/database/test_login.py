import pytest
from hypothesis import given
from hypothesis import strategies as st

from discovery_collectors.collectors.database.engines import ENGINES, import_engine
from discovery_collectors.collectors.database.login import (
    CredentialNeededError,
    LoginRefusedError,
    ServiceUnreachableError,
    log_in,
)
from discovery_collectors.collectors.database.service_report import DatabaseService
from discovery_collectors.running.scope import Scope
from dryrun_contract.collector_config import Credential

SERVICE = DatabaseService(Scope.parse(["10.0.0.3"]).admit("10.0.0.3"), 5432, "postgresql", certain=True)


class FakeSession:
    async def describe(self, report):
        report.granted("Fake", "1")

    async def close(self):
        pass


class FakeEngine:
    product = "Fake"

    def __init__(self, *, anonymous=False, open_to_all=False, right=None, echo=False, in_clear=False):
        self.anonymous = anonymous
        self.in_clear = in_clear
        self.open_to_all = open_to_all
        self.right = right
        self.echo = echo
        self.attempts: list[Credential | None] = []

    async def open(self, service, credential):
        self.attempts.append(credential)
        if self.open_to_all or (credential is not None and credential == self.right):
            return FakeSession()
        raise LoginRefusedError(f"no: {credential.password}" if credential and self.echo else "no")


def credential(username, password="p"):
    return Credential(engine="postgresql", username=username, password=password)


credentials = st.lists(
    st.builds(credential, st.none() | st.sampled_from("abc"), st.sampled_from("xyz")), max_size=8
)


@given(
    given=credentials,
    anonymous=st.booleans(),
    right=st.none() | credentials.map(lambda each: each[0] if each else None),
)
async def test_no_login_is_tried_twice_and_none_after_one_is_let_in(given, anonymous, right):
    engine = FakeEngine(anonymous=anonymous, right=right)
    try:
        await log_in(engine, SERVICE, given)
    except LoginRefusedError:
        let_in = False
    else:
        let_in = True
    shown = [attempt for attempt in engine.attempts if attempt is not None]
    names = [attempt.username for attempt in shown]
    assert len(names) == len(set(names))
    assert engine.attempts.count(None) == anonymous
    assert let_in == (right is not None and right in shown)
    assert right not in shown[:-1]


async def test_a_server_that_needs_no_credential_is_shown_none():
    engine = FakeEngine(anonymous=True, open_to_all=True)
    await log_in(engine, SERVICE, [credential("a")])
    assert engine.attempts == [None]


async def test_without_a_credential_nothing_is_tried_where_a_name_is_needed():
    engine = FakeEngine()
    with pytest.raises(CredentialNeededError):
        await log_in(engine, SERVICE, [])
    assert engine.attempts == []


async def test_a_missing_credential_is_distinguished_from_a_refused_one():
    with pytest.raises(CredentialNeededError):
        await log_in(FakeEngine(anonymous=True), SERVICE, [])
    with pytest.raises(LoginRefusedError) as refusal:
        await log_in(FakeEngine(anonymous=True), SERVICE, [credential("a")])
    assert not isinstance(refusal.value, CredentialNeededError)


async def test_a_server_that_echoes_the_password_does_not_get_it_into_the_report():
    with pytest.raises(LoginRefusedError, match=r"no: \*\*\*"):
        await log_in(FakeEngine(echo=True), SERVICE, [credential("a", "canary-pw")])


async def test_a_server_that_fails_is_not_tried_with_the_next_credential():
    class Gone(FakeEngine):
        async def open(self, service, credential):
            self.attempts.append(credential)
            raise ServiceUnreachableError("gone")

    engine = Gone()
    with pytest.raises(ServiceUnreachableError):
        await log_in(engine, SERVICE, [credential("a"), credential("b")])
    assert len(engine.attempts) == 1


HERE, ELSEWHERE = ("10.0.0.3",), ("10.0.0.4", "192.0.2.0/24")


@pytest.mark.parametrize(
    ("at", "in_clear", "shown"),
    [
        ((), False, True),
        ((), True, False),
        (HERE, False, True),
        (HERE, True, True),
        (("10.0.0.0/30",), True, True),
        (ELSEWHERE, False, False),
        (ELSEWHERE, True, False),
    ],
)
async def test_a_credential_is_shown_only_at_its_addresses_and_in_clear_only_if_it_has_some(
    at, in_clear, shown
):
    engine = FakeEngine(in_clear=in_clear)
    with pytest.raises(LoginRefusedError) as refusal:
        await log_in(engine, SERVICE, [Credential(engine="redis", password="canary-pw", at=at)])
    assert len(engine.attempts) == shown
    assert isinstance(refusal.value, CredentialNeededError) != shown
    assert "canary-pw" not in str(refusal.value)
    if not shown:
        assert "other addresses" in str(refusal.value) if at else "in the clear" in str(refusal.value)


async def test_of_two_logins_with_one_name_the_one_for_this_address_is_tried():
    logins = [
        Credential(engine="redis", password=each, at=at) for each, at in (("a", ELSEWHERE), ("b", HERE))
    ]
    engine = FakeEngine(in_clear=True)
    with pytest.raises(LoginRefusedError) as refusal:
        await log_in(engine, SERVICE, logins)
    assert [attempt.password for attempt in engine.attempts] == ["b"]
    assert not isinstance(refusal.value, CredentialNeededError)


@pytest.mark.parametrize("name", ENGINES)
def test_an_engines_row_and_its_class_agree_on_credentials_in_clear(name):
    assert ENGINES[name].in_clear == import_engine(name).in_clear
