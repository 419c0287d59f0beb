"""What cannot be stored or read: a full disk, another program's lock, a folder that is gone."""

import shutil
import sqlite3
from contextlib import contextmanager

import pytest
from journaled import QUEUED, a_session, numbers
from small_disk import filled, small_disk

from dryrun_contract.event import (
    PhaseChanged,
)
from dryrun_contract.session import Phase
from dryrun_orchestrator.journal.errors import JournalError, JournalWriteError
from dryrun_orchestrator.journal.journal import Journal


async def test_a_journal_says_why_it_cannot_be_written_until_it_can(tmp_path):
    with small_disk(tmp_path / "state") as folder:
        journal = Journal.open(folder)
        session = await journal.add_session(a_session(), QUEUED)
        assert await journal.fault() is None
        with filled(folder):
            with pytest.raises(JournalWriteError):
                await journal.append(session.id, *[PhaseChanged(phase=Phase.SCANNING)] * 100)
            # Reading it to its end changes nothing, and so says nothing.
            await journal.events.after((journal.id, 0), 10)
            said = f"the journal cannot be written: database or disk is full; free space in {folder}"
            assert await journal.fault() == said
        assert await journal.fault() is None
        await journal.append(session.id, PhaseChanged(phase=Phase.SCANNING))
        assert numbers(await journal.events.after(None, 10)) == [1, 2]
        await journal.close()


@contextmanager
def held(folder):
    """Hold the journal's write lock, as another program does that writes."""
    other = sqlite3.connect(folder / "journal.sqlite3", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    try:
        yield
    finally:
        other.close()


async def test_a_journal_that_another_program_holds_may_heal_and_is_read_meanwhile(journal, tmp_path):
    session = await journal.add_session(a_session(), QUEUED)
    journal._file.connection.execute("PRAGMA busy_timeout=0")
    with held(tmp_path):
        said = f"written: database is locked; end the other program that works with the journal in {tmp_path}"
        with pytest.raises(JournalWriteError, match=said):
            await journal.append(session.id, PhaseChanged(phase=Phase.SCANNING))
        assert await journal.events.newest() == 1
        assert numbers(await journal.events.after((journal.id, 0), 10)) == [1]
        assert (await journal.fault()).endswith(said)
    assert await journal.fault() is None
    await journal.append(session.id, PhaseChanged(phase=Phase.SCANNING))


async def test_what_cannot_be_read_may_heal(journal):
    class Failing:
        def execute(self, *_):
            error = sqlite3.OperationalError("disk I/O error")
            error.sqlite_errorcode = sqlite3.SQLITE_IOERR_READ
            raise error

    whole, journal._file.connection = journal._file.connection, Failing()
    with pytest.raises(match="the journal cannot be read: disk I/O error"):
        await journal.sessions()
    journal._file.connection = whole
    assert await journal.fault() is None
    assert await journal.sessions() == []


async def test_a_journal_whose_folder_is_gone_or_replaced_says_so(tmp_path):
    folder = tmp_path / "state"
    journal = Journal.open(folder)
    folder.rename(tmp_path / "away")
    said = f"No such file or directory; see that this service may write in {folder}"
    assert await journal.fault() == f"the journal cannot be written: {said}"
    await Journal.open(folder).close()
    assert "was replaced; restart this service" in await journal.fault()
    shutil.rmtree(folder)
    (tmp_path / "away").rename(folder)
    assert await journal.fault() is None
    await journal.close()


class RefusingToRollBack:
    """A connection that cannot roll back, as on a disk that fails, for so many times."""

    def __init__(self, connection, times):
        self._connection = connection
        self._left = times

    def __getattr__(self, name):
        return getattr(self._connection, name)

    def execute(self, statement, *values):
        if statement == "ROLLBACK" and self._left:
            self._left -= 1
            error = sqlite3.OperationalError("disk I/O error")
            error.sqlite_errorcode = sqlite3.SQLITE_IOERR
            raise error
        return self._connection.execute(statement, *values)


async def test_a_rollback_that_fails_hides_no_error_and_stands_in_no_later_change(journal):
    session = await journal.add_session(a_session(), QUEUED)
    journal._file.connection = RefusingToRollBack(journal._file.connection, times=2)
    # A wrong column is no error of storage, and reported as what it is.
    with pytest.raises(sqlite3.OperationalError, match="no such column: nonsense"):
        await journal.update_session(session.id, PhaseChanged(phase=Phase.WAITING), nonsense=1)
    with pytest.raises(JournalWriteError, match="disk I/O error"):
        await journal.append(session.id, PhaseChanged(phase=Phase.SCANNING))
    await journal.append(session.id, PhaseChanged(phase=Phase.SCANNING))
    assert numbers(await journal.events.after(None, 10)) == [1, 2]


async def test_a_journal_that_reads_badly_may_be_moved_away(tmp_path):
    (tmp_path / "journal.sqlite3").write_bytes(b"no database at all " * 1000)
    with pytest.raises(JournalError, match=r"not a database; move it away .* none of its sessions"):
        Journal.open(tmp_path)


async def test_a_full_disk_at_the_start_is_no_reason_to_abandon_a_journal(tmp_path):
    with small_disk(tmp_path / "state") as folder:
        kept = Journal.open(folder)
        await kept.close()
        with (
            filled(folder),
            pytest.raises(JournalError, match=f"{folder} has space|free space in {folder}") as raised,
        ):
            Journal.open(folder)
        assert "move it away" not in str(raised.value)
        again = Journal.open(folder)
        assert again.id == kept.id
        await again.close()


@pytest.mark.parametrize("name", ["journal.sqlite3", "journal.lock"])
async def test_a_file_that_cannot_be_opened_is_no_reason_to_abandon_a_journal(tmp_path, name):
    (tmp_path / name).mkdir()
    with pytest.raises(JournalError, match=r"may write in it") as raised:
        Journal.open(tmp_path)
    assert "move it away" not in str(raised.value)
