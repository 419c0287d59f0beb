import logging
import tracemalloc
from pathlib import Path

from dryrun_local.machine.log_tail import LINES, tail
from dryrun_serving.logs import JsonFormatter


def test_the_tail_reads_the_messages_of_json_logs(tmp_path):
    log = Path(tmp_path / "service.log")
    record = logging.makeLogRecord({"msg": "the disk is full", "levelname": "ERROR"})
    record.exc_info = (OSError, OSError("no space"), None)
    log.write_text(f"{JsonFormatter().format(record)}\nplain\n")
    shown = tail(log)
    assert "    the disk is full\n    OSError: no space\n    plain\n" in shown
    assert '"level"' not in shown


def test_the_tail_of_a_missing_log_says_that_there_is_none(tmp_path):
    assert "no log" in tail(tmp_path / "none.log")


def test_what_a_program_wrote_cannot_steer_the_terminal(tmp_path):
    log = tmp_path / "image-web.log"
    log.write_bytes(b"\x1b[2Jstep 3\x07\n")
    assert not {"\x1b", "\x07"} & set(tail(log))
    assert "step 3" in tail(log)


def test_of_a_log_that_grew_for_weeks_only_the_end_is_read(tmp_path):
    log = tmp_path / "service.log"
    with log.open("wb") as file:
        file.truncate(512 * 1024 * 1024)
        file.seek(0, 2)
        file.write(b"\n" + b"".join(b"line %d\n" % number for number in range(30)))
    tracemalloc.start()
    shown = tail(log).splitlines()
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert shown == [*(f"    line {number}" for number in range(30 - LINES, 30)), f"  the whole log: {log}"]
    assert peak < 4 * 1024 * 1024
