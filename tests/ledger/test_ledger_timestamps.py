"""RFC 3161 time-stamps against a real authority: `openssl ts` behind HTTP, as the test's own server."""

from __future__ import annotations

import json
import shutil
import subprocess
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from affiant.kit.clock import FixedClock
from affiant.kit.errors import BadInput, CouldNotLook
from affiant.kit.home import Home, create_home
from affiant.kit.keyring import Keyring
from affiant.ledger import der
from affiant.ledger.timestamps import HOUR_US, Authority, Stamps, StampStore, read_authorities, read_response, stamp_request
from affiant.ledger.writer import Writer

NOW = 1_756_684_800_000_000
_CONFIG = """
[req]
distinguished_name = dn
[dn]
[ca]
basicConstraints = critical,CA:TRUE
[tsa]
extendedKeyUsage = critical,timeStamping
[tsa_config]
serial = {folder}/serial
crypto_device = builtin
signer_cert = {folder}/tsa.pem
certs = {folder}/ca.pem
signer_key = {folder}/tsa.key
signer_digest = sha256
default_policy = 1.2.3.4.1
digests = sha256, sha384
accuracy = secs:1
ordering = yes
tsa_name = yes
ess_cert_id_chain = no
"""


def openssl(folder: Path, *arguments: str, data: bytes | None = None) -> bytes:
    done = subprocess.run(["openssl", *arguments], cwd=folder, input=data, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Keys, certificates and configuration of an authority."""
    if shutil.which("openssl") is None:
        pytest.skip("openssl is not installed")
    folder = tmp_path_factory.mktemp("tsa")
    (folder / "conf").write_text(_CONFIG.format(folder=folder))
    (folder / "serial").write_text("01\n")
    new = ["-newkey", "rsa:2048", "-nodes", "-config", "conf"]
    openssl(folder, "req", "-x509", *new, "-keyout", "ca.key", "-out", "ca.pem", "-days", "2", "-subj", "/CN=ca", "-extensions", "ca")
    openssl(folder, "req", *new, "-keyout", "tsa.key", "-out", "tsa.csr", "-subj", "/CN=tsa")
    openssl(folder, "x509", "-req", "-in", "tsa.csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-days", "2",
            "-out", "tsa.pem", "-extfile", "conf", "-extensions", "tsa")  # fmt: skip
    return folder


class _Server(ThreadingHTTPServer):
    folder: Path
    fault = ""
    asked: list[bytes]


class _Handler(BaseHTTPRequestHandler):
    server: _Server

    def do_POST(self) -> None:
        server = self.server
        query = self.rfile.read(int(self.headers["content-length"]))
        assert self.headers["content-type"] == "application/timestamp-query"
        server.asked.append(query)
        if server.fault == "other" and len(server.asked) > 1:
            query = server.asked[0]
        if server.fault == "status":
            self.send_error(503)
            return
        (server.folder / "query").write_bytes(query)
        answer = openssl(server.folder, "ts", "-reply", "-queryfile", "query", "-config", "conf", "-section", "tsa_config")
        if server.fault == "garbage":
            answer = answer[:40]
        self.send_response(200)
        self.send_header("content-type", "application/timestamp-reply")
        self.send_header("content-length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, format: str, *args: object) -> None:
        return


@pytest.fixture
def server(authority: Path) -> Iterator[_Server]:
    found = _Server(("127.0.0.1", 0), _Handler)
    found.folder, found.asked = authority, []
    thread = threading.Thread(target=found.serve_forever, args=(0.05,))
    thread.start()
    try:
        yield found
    finally:
        found.shutdown()
        thread.join()
        found.server_close()


@pytest.fixture
def written(tmp_path: Path) -> Iterator[tuple[Home, Writer, FixedClock]]:
    clock = FixedClock(NOW)
    home = create_home(tmp_path / "home", "test/stamps", NOW)
    writer = Writer.create(home, Keyring(b"s" * 32, b"m" * 32, "token"), clock)
    try:
        yield home, writer, clock
    finally:
        writer.close()


def stamps(home: Home, clock: FixedClock, server: _Server) -> Stamps:
    return Stamps(home, clock, [Authority("tsa", f"http://127.0.0.1:{server.server_address[1]}/")])


def test_a_token_is_kept_that_openssl_verifies(written: tuple[Home, Writer, FixedClock], server: _Server) -> None:
    """What is kept beside the anchors is what `openssl ts -verify` reads, over the checkpoint's very bytes."""
    home, writer, clock = written
    outcome = stamps(home, clock, server).hourly(writer.checkpoint())[0]
    assert outcome.stamp is not None and outcome.draft is None, outcome.why
    kept = StampStore(home.anchors_db).between(0, 10)
    assert kept == [outcome.stamp] and kept[0].time_s > 1_700_000_000
    (server.folder / "note").write_bytes(kept[0].note)
    (server.folder / "tsr").write_bytes(kept[0].response)
    verify = ["ts", "-verify", "-data", "note", "-in", "tsr", "-CAfile", "ca.pem"]
    assert b"OK" in openssl(server.folder, *verify)
    (server.folder / "note").write_bytes(kept[0].note.replace(b"test/stamps", b"test/others"))
    done = subprocess.run(["openssl", *verify], cwd=server.folder, capture_output=True, check=False)
    assert done.returncode != 0


def test_each_hour_with_new_entries_asks_once(written: tuple[Home, Writer, FixedClock], server: _Server) -> None:
    """A head is stamped once in a wall-clock hour, and not again while nothing was added."""
    from affiant.ledger import Draft

    home, writer, clock = written
    asking = stamps(home, clock, server)
    assert len(asking.hourly(writer.checkpoint())) == 1
    assert asking.hourly(writer.checkpoint()) == []
    clock.value_us += HOUR_US
    assert asking.hourly(writer.checkpoint()) == []
    writer.append([Draft("job.run", {"due": 1, "ok": 1}, ref="x")])
    assert len(asking.hourly(writer.checkpoint())) == 1
    assert len(server.asked) == 2


@pytest.mark.parametrize("fault", ["other", "status", "garbage", "gone"])
def test_a_missed_time_stamp_is_an_event(written: tuple[Home, Writer, FixedClock], server: _Server, fault: str) -> None:
    """No answer, a refusal, bytes that are no time-stamp, or one of something else: nothing is kept, and the event names the authority."""
    home, writer, clock = written
    asking = stamps(home, clock, server)
    if fault == "other":
        server.asked.append(stamp_request(b"something else", 5))
    server.fault = fault
    if fault == "gone":
        asking = Stamps(home, clock, [Authority("tsa", "http://127.0.0.1:9/")], timeout_s=1)
    outcome = asking.hourly(writer.checkpoint())[0]
    assert outcome.stamp is None and outcome.why and outcome.draft is not None
    assert outcome.draft.type == "anchor.missed" and outcome.draft.body["witness"] == "tsa"
    assert StampStore(home.anchors_db).between(0, 10) == []


def test_authorities_are_read_from_the_home(written: tuple[Home, Writer, FixedClock]) -> None:
    """The file names them; a file that says something else is bad input."""
    home, _, _ = written
    assert read_authorities(home) == ()
    (home.root / "timestamps.json").write_text(json.dumps([{"name": "tsa", "url": "https://x"}]))
    assert read_authorities(home) == (Authority("tsa", "https://x"),)
    for bad in ("{}", "[1]", '[{"name":"A b","url":"x"}]', '[{"name":"a","url":"x"},{"name":"a","url":"y"}]', "x"):
        (home.root / "timestamps.json").write_text(bad)
        with pytest.raises(BadInput):
            read_authorities(home)


def test_numbers_and_lengths_are_written_and_read_as_der() -> None:
    """Borders of lengths, signs and object identifiers come back as they were."""
    for value in (0, 1, 127, 128, 255, 256, 2**63 - 1):
        assert der.read(der.integer(value)).integer() == value
    for size in (0, 127, 128, 255, 256, 70_000):
        assert der.read(der.octets(bytes(size))).content == bytes(size)
    for text in ("1.2.840.113549.1.9.16.1.4", "2.16.840.1.101.3.4.2.1", "2.999.3"):
        assert der.read(der.oid(text)).oid() == text


@pytest.mark.parametrize("bad", [b"", b"\x30", b"\x30\x80\x00\x00", b"\x30\x85\x01\x01\x01\x01\x01", b"\x30\x02\x02\x05", b"\x1f\x01\x00",
                                 b"\x30\x03\x02\x01\x00", b"\x30\x05\x30\x03\x02\x01\x02", b"\x02\x01\x00\x00"])  # fmt: skip
def test_bytes_that_are_no_answer_could_not_be_looked_at(bad: bytes) -> None:
    """Truncated, indefinite, nested or foreign bytes are one clear refusal."""
    with pytest.raises(CouldNotLook):
        read_response(bad, b"x", 1)
