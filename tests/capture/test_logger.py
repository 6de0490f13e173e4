"""The log of a run, and the logger that writes it."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.capture.conftest import RELEASES
from tests.doubles.tensorrt_double import make_double
from trtlens.capture.building.logger import LogFile, capturing, last_errors, process_logger

FULL_DEVICE = Path("/dev/full")


@pytest.mark.parametrize("release", RELEASES)
def test_severities(release: str, tmp_path: Path) -> None:
    """Each severity gets trtexec's letter, in every release."""
    trt = make_double(release)
    logger = process_logger(trt)
    log = LogFile(tmp_path / "verbose.log")
    with capturing(logger, log):
        for name in ("INTERNAL_ERROR", "ERROR", "WARNING", "INFO", "VERBOSE"):
            logger.log(getattr(trt.ILogger, name), name)
    log.close()
    lines = (tmp_path / "verbose.log").read_text().splitlines()
    assert [line[22:] for line in lines] == [
        *("[F] [TRT] INTERNAL_ERROR", "[E] [TRT] ERROR", "[W] [TRT] WARNING", "[I] [TRT] INFO"),
        "[V] [TRT] VERBOSE",
    ]
    assert last_errors(logger) == "INTERNAL_ERROR; ERROR"


@given(st.lists(st.text(), max_size=20))
def test_messages_are_kept_as_they_are(tmp_path_factory: pytest.TempPathFactory, messages: list[str]) -> None:
    """Between the prefix and the line's end stands the message, whatever it holds."""
    path = tmp_path_factory.mktemp("log") / "verbose.log"
    log = LogFile(path)
    for message in messages:
        log.write(4, message)
    log.close()
    rest = path.read_bytes()
    for message in messages:
        assert rest[22:32] == b"[V] [TRT] "
        encoded = message.encode("utf-8", "replace") + b"\n"
        assert rest[32 : 32 + len(encoded)] == encoded
        rest = rest[32 + len(encoded) :]
    assert rest == b""


def test_warnings_are_on_disk_at_once(tmp_path: Path) -> None:
    """Verbose lines wait for a flush, a warning takes them along."""
    path = tmp_path / "verbose.log"
    log = LogFile(path)
    log.write(4, "waits")
    assert path.read_bytes() == b""
    log.flush()
    assert path.read_bytes().endswith(b"waits\n")
    log.write(4, "waits again")
    log.write(2, "warning")
    assert path.read_bytes().count(b"\n") == 3
    log.close()
    log.flush()


def test_the_time_is_that_of_the_message(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The stamp is local time and follows the clock from second to second."""
    log = LogFile(tmp_path / "verbose.log")
    clock = time.mktime((2026, 11, 20, 22, 0, 58, 0, 0, -1))
    for seconds in (0.2, 0.9, 2.1):
        monkeypatch.setattr(time, "time", lambda seconds=seconds: clock + seconds)
        log.write(3, "now")
    log.close()
    stamps = [line[:21] for line in (tmp_path / "verbose.log").read_text().splitlines()]
    assert stamps == ["[11/20/2026-22:00:58]"] * 2 + ["[11/20/2026-22:01:00]"]


def test_messages_go_where_they_belong(tmp_path: Path) -> None:
    """Nested captures get their own messages, the outer one goes on afterwards, and outside nothing is kept."""
    trt = make_double("10.3.0")
    logger = process_logger(trt)
    outer, inner = LogFile(tmp_path / "outer"), LogFile(tmp_path / "inner")
    with capturing(logger, outer):
        logger.log(trt.ILogger.INFO, "one")
        with capturing(logger, inner):
            logger.log(trt.ILogger.INFO, "two")
        logger.log(trt.ILogger.INFO, "three")
    logger.log(trt.ILogger.INFO, "four")
    for log in (outer, inner):
        log.close()
    assert [line[32:] for line in (tmp_path / "outer").read_text().splitlines()] == ["one", "three"]
    assert [line[32:] for line in (tmp_path / "inner").read_text().splitlines()] == ["two"]
    assert process_logger(trt) is logger


def test_late_messages_do_no_harm(tmp_path: Path) -> None:
    """A builder that was left behind may log into a file that is closed."""
    trt = make_double("8.6.0")
    logger, log = process_logger(trt), LogFile(tmp_path / "verbose.log")
    with capturing(logger, log):
        log.close()
        logger.log(trt.ILogger.INFO, "too late")
    assert (tmp_path / "verbose.log").read_bytes() == b""


@pytest.mark.skipif(not FULL_DEVICE.exists(), reason="there is no device here that is always full")
def test_a_full_disk_is_remembered() -> None:
    """A file that takes no more keeps the reason and lets the callback go on."""
    log = LogFile(FULL_DEVICE)
    log.write(4, "buffered")
    log.flush()
    assert log.failure is not None
    log.write(2, "dropped")
    log.flush()
    log.close()
