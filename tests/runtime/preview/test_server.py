"""The preview over real HTTP, without a browser."""

from __future__ import annotations

import http.client
import json
import socket
import threading
import time
from collections.abc import Iterator

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from dehaze.runtime.errors import OutputError
from dehaze.runtime.preview import server
from dehaze.runtime.preview.server import PreviewServer

FIGURES = {"frames": 3, "fps": 12.5}


@pytest.fixture
def preview() -> Iterator[PreviewServer]:
    with PreviewServer("127.0.0.1", 0, lambda: FIGURES) as server:
        yield server


def ask(
    preview: PreviewServer, path: str, method: str = "GET", **headers: str
) -> tuple[int, bytes, http.client.HTTPMessage]:
    port = int(preview.url.rsplit(":", 1)[1].strip("/"))
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    connection.request(method, path, headers=headers)
    answer = connection.getresponse()
    try:
        return answer.status, answer.read(), answer.headers
    finally:
        connection.close()


def flat(level: int, height: int = 90, width: int = 160) -> NDArray[np.uint8]:
    return np.full((height, width, 3), level, np.uint8)


def decoded(data: bytes) -> NDArray[np.uint8]:
    picture: NDArray[np.uint8] = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR_RGB)
    return picture


def test_the_page_and_its_parts_are_there_and_load_nothing_from_elsewhere(
    preview: PreviewServer,
) -> None:
    for path, kind in {
        "/": "text/html", "/preview.css": "text/css", "/preview.js": "text/javascript",
        "/slider.css": "text/css", "/slider.js": "text/javascript", "/icon.svg": "image/svg+xml",
    }.items():  # fmt: skip
        status, data, headers = ask(preview, path)
        assert (status, headers["Content-Type"].split(";")[0]) == (200, kind)
        assert headers["Content-Security-Policy"].startswith("default-src 'self'")
        outside = data.replace(b'xmlns="http://www.w3.org/2000/svg"', b"")
        assert b"http://" not in outside and b"https://" not in outside and b'"//' not in outside


def test_before_and_after_come_in_one_picture(preview: PreviewServer) -> None:
    preview.offer(flat(200), flat(50))
    status, data, headers = ask(preview, "/pair.jpg?after=0")
    assert (status, headers["X-Number"]) == (200, "1")
    pair = decoded(data)
    assert pair.shape == (180, 160, 3)
    assert pair[:80].mean() == pytest.approx(200, abs=2)
    assert pair[100:].mean() == pytest.approx(50, abs=2)


def test_a_large_frame_is_scaled_and_the_snapshot_is_not(preview: PreviewServer) -> None:
    preview.offer(flat(200, 1080, 1920), flat(50, 1080, 1920))
    assert decoded(ask(preview, "/pair.jpg")[1]).shape == (1080, 960, 3)
    snapshot = decoded(ask(preview, "/snapshot.jpg")[1])
    assert snapshot.shape == (1080, 1920, 3)
    assert snapshot.mean() == pytest.approx(50, abs=2)


def test_who_has_seen_a_picture_gets_the_next_one(preview: PreviewServer) -> None:
    preview.offer(flat(200), flat(50))
    threading.Timer(0.5, preview.offer, (flat(100), flat(25))).start()
    started = time.monotonic()
    _, data, headers = ask(preview, "/pair.jpg?after=1")
    assert 0.4 < time.monotonic() - started < 3
    assert headers["X-Number"] == "2"
    assert decoded(data)[:80].mean() == pytest.approx(100, abs=2)


def test_figures_are_json_and_head_has_no_body(preview: PreviewServer) -> None:
    status, data, headers = ask(preview, "/figures.json")
    assert (status, json.loads(data)) == (200, FIGURES)
    assert headers["Cache-Control"] == "no-store"
    status, data, again = ask(preview, "/figures.json", "HEAD")
    assert (status, data, again["Content-Length"]) == (200, b"", headers["Content-Length"])


@pytest.mark.parametrize(
    "path", ["/nothing", "/../setup.cfg", "/preview/", "//etc/passwd", "/%2e%2e/cli.py"]
)
def test_other_paths_are_not_found(path: str, preview: PreviewServer) -> None:
    assert ask(preview, path)[0] == 404


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "OPTIONS"])
def test_nothing_can_be_changed(method: str, preview: PreviewServer) -> None:
    status, _, headers = ask(preview, "/", method)
    assert (status, headers["Allow"]) == (405, "GET, HEAD")


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.evil.example:80", "[::1", "10.0.0.1"])
def test_another_name_for_this_computer_is_refused(host: str, preview: PreviewServer) -> None:
    """DNS rebinding: a site's own name, led to 127.0.0.1, would let its script see the camera."""
    preview.offer(flat(200), flat(50))
    status, data, _ = ask(preview, "/pair.jpg", Host=host)
    assert status == 421
    assert not data.startswith(b"\xff\xd8")


@pytest.mark.parametrize("host", ["localhost:9000", "127.0.0.1", "[::1]:80"])
def test_a_forwarded_port_is_served(host: str, preview: PreviewServer) -> None:
    assert ask(preview, "/figures.json", Host=host)[0] == 200


def test_a_port_in_use_is_told() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(OutputError, match=rf"port {port} \(Address already in use\)"):
            PreviewServer("127.0.0.1", port, dict)
    with pytest.raises(OutputError, match="cannot listen"):
        PreviewServer("127.0.0.1", 99999, dict)
    with pytest.raises(OutputError, match=r"cannot listen on nowhere\.invalid"):
        PreviewServer("nowhere.invalid", 0, dict)


def test_a_viewer_who_leaves_is_not_worth_a_word(
    preview: PreviewServer, capfd: pytest.CaptureFixture[str]
) -> None:
    port = int(preview.url.rsplit(":", 1)[1].strip("/"))
    noise = np.random.default_rng(1).integers(0, 256, (1080, 1920, 3), np.uint8)
    preview.offer(noise, noise)
    for _ in range(3):
        viewer = socket.create_connection(("127.0.0.1", port))
        viewer.sendall(b"GET /snapshot.jpg HTTP/1.1\r\nHost: localhost\r\n\r\n")
        viewer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        viewer.recv(1)
        viewer.close()  # with a reset, in the middle of the picture
    time.sleep(0.5)
    assert ask(preview, "/figures.json")[0] == 200
    assert capfd.readouterr().err == ""


def test_the_end_does_not_wait_for_viewers() -> None:
    with PreviewServer("127.0.0.1", 0, dict) as preview:
        waiting = threading.Thread(target=ask, args=(preview, "/pair.jpg"))
        waiting.start()
        time.sleep(0.3)
        started = time.monotonic()
    assert time.monotonic() - started < 1
    waiting.join(2)
    assert not waiting.is_alive()


def test_nothing_is_encoded_unless_somebody_watches(
    preview: PreviewServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    encoded: list[float] = []
    encode = cv2.imencode

    def counted(*arguments: object) -> object:
        encoded.append(time.monotonic())
        return encode(*arguments)

    monkeypatch.setattr(cv2, "imencode", counted)
    for _ in range(50):
        preview.offer(flat(200), flat(50))
    assert encoded == []
    stop = threading.Event()

    def watch() -> None:
        seen = 0
        while not stop.is_set():
            status, _, headers = ask(preview, f"/pair.jpg?after={seen}")
            if status == 200:
                seen = int(headers["X-Number"])

    viewers = [threading.Thread(target=watch) for _ in range(3)]
    for viewer in viewers:
        viewer.start()
    started = time.monotonic()
    while time.monotonic() - started < 2:
        preview.offer(flat(200), flat(50))
        time.sleep(0.01)
    stop.set()
    preview.offer(flat(200), flat(50))
    for viewer in viewers:
        viewer.join(10)
    assert 8 <= len(encoded) <= 27  # three viewers, 12 a second in all


def raw_answer(preview: PreviewServer, request: bytes) -> bytes:
    port = int(preview.url.rsplit(":", 1)[1].strip("/"))
    with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
        connection.sendall(request)
        connection.shutdown(socket.SHUT_WR)
        return b"".join(iter(lambda: connection.recv(4096), b""))


@pytest.mark.parametrize(
    ("request_line", "status"),
    [
        (b"GET http://[ HTTP/1.1", b"400"),
        (b"GET /pair.jpg?after=" + b"9" * 5000 + b" HTTP/1.1", b"204"),
        (b"GET / HTTP/9.9", b"505"),
        (b"\x00\xff\xfe", b"400"),
        (b"GET /" + b"a" * 70_000 + b" HTTP/1.1", b"414"),
        (b"BREW / HTTP/1.1", b"501"),
        (b"GET /%00/../../etc/passwd HTTP/1.1", b"404"),
    ],
)
def test_a_bad_request_is_answered_without_a_word(
    request_line: bytes,
    status: bytes,
    preview: PreviewServer,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(server, "_WAIT_SECONDS", 0.1)
    request = request_line + b"\r\nHost: localhost\r\nConnection: close\r\n\r\n"
    assert status in raw_answer(preview, request).split(b"\r\n")[0]
    assert ask(preview, "/")[0] == 200
    assert "".join(capfd.readouterr()) == ""


def test_more_connections_than_there_are_places_are_sent_away(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(server, "_MOST_CONNECTIONS", 3)
    with PreviewServer("127.0.0.1", 0, lambda: FIGURES) as preview:
        port = int(preview.url.rsplit(":", 1)[1].strip("/"))
        held = [socket.create_connection(("127.0.0.1", port)) for _ in range(3)]
        with socket.create_connection(("127.0.0.1", port), timeout=10) as late:
            assert late.recv(100).startswith(b"HTTP/1.1 503")
        for connection in held:
            connection.close()
        deadline = time.monotonic() + 10
        while raw_answer(preview, b"GET / HTTP/1.0\r\nHost: localhost\r\n\r\n")[9:12] != b"200":
            assert time.monotonic() < deadline, "the places were not given back"
            time.sleep(0.1)


def test_a_request_that_never_ends_is_cut_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "_REQUEST_SECONDS", 0.5)
    with PreviewServer("127.0.0.1", 0, lambda: FIGURES) as preview:
        port = int(preview.url.rsplit(":", 1)[1].strip("/"))
        with socket.create_connection(("127.0.0.1", port), timeout=0.2) as connection:
            deadline = time.monotonic() + 10
            connection.sendall(b"GET / HTTP/1.1\r\nX: ")
            while time.monotonic() < deadline:
                try:
                    connection.sendall(b"a")
                    if not connection.recv(1):
                        break
                except TimeoutError:
                    continue
                except OSError:
                    break
            assert time.monotonic() < deadline
