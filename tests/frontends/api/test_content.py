"""A file's bytes over HTTP: whole, in ranges, and when it breaks off."""

from __future__ import annotations

import http.client
import socket
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.frontends.fake_node import ANNA, BEN, CID
from tests.frontends.support import TOKEN
from warren.core.errors import ContentUnknown
from warren.frontends.api.content import NO_SUCH_RANGE, Span, media_type, span_of

if TYPE_CHECKING:
    from tests.frontends.support import RunningApi

PATH = f"/v1/files/{CID}"
TAG = f'"{CID}"'
DATA = bytes(range(256)) * 40
SIZE = len(DATA)


@pytest.fixture
def film(api: RunningApi) -> Any:
    """The API, with a file to be read in small pieces."""
    api.node.content, api.node.step = DATA, 1000
    return api


def get(api: RunningApi, headers: Any = None, *, query: str = "", method: str = "GET") -> Any:
    response, raw = api.request(method, PATH + query, headers=headers)
    return response, raw


def closed(api: RunningApi) -> None:
    """All that was opened is closed, which the server may do a moment after its last byte."""
    assert api.node.readings
    api.wait(lambda: not any(reading.is_open for reading in api.node.readings))


# --- ranges -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("header", "size", "span"),
    [
        (None, 10, None),
        ("", 10, None),
        ("bytes=0-", 10, Span(0, 10)),
        ("bytes=0-0", 10, Span(0, 1)),
        ("bytes=3-5", 10, Span(3, 6)),
        ("bytes=3-99", 10, Span(3, 10)),
        ("bytes=9-", 10, Span(9, 10)),
        ("bytes=10-", 10, NO_SUCH_RANGE),
        ("bytes=-3", 10, Span(7, 10)),
        ("bytes=-30", 10, Span(0, 10)),
        ("bytes=-0", 10, NO_SUCH_RANGE),
        ("bytes=-0", 0, NO_SUCH_RANGE),
        ("bytes=0-", 0, NO_SUCH_RANGE),
        ("bytes=-5", 0, None),
        ("Bytes= 3-5 ", 10, Span(3, 6)),
        ("bytes=,3-5,", 10, Span(3, 6)),
        ("bytes=5-3", 10, None),
        ("bytes=-", 10, None),
        ("bytes=0-1,5-6", 10, None),
        ("bytes=a-b", 10, None),
        ("bytes 0-1", 10, None),
        ("lines=0-1", 10, None),
        ("bytes=0-1-2", 10, None),
        ("bytes=+1-2", 10, None),
        ("bytes=\u0661-", 10, None),
        ("bytes=0-" + "9" * 50, 10, Span(0, 10)),
        ("bytes=0-" + "9" * 5000, 10, None),
        ("bytes=0-" + "\n", 10, None),
    ],
)
def test_ranges(header: str | None, size: int, span: Span | None) -> None:
    assert span_of(header, size) == span


@given(first=st.none() | st.integers(0, 30), last=st.none() | st.integers(0, 30), size=st.integers(0, 25))
def test_a_range_is_what_the_rfc_says(first: int | None, last: int | None, size: int) -> None:
    text = f"bytes={'' if first is None else first}-{'' if last is None else last}"
    span = span_of(text, size)
    if first is None and last is None:
        wanted = None
    elif first is None:
        assert last is not None
        wanted = list(range(max(0, size - last), size))
        if not size and last:
            wanted = None
    elif last is not None and last < first:
        wanted = None
    else:
        wanted = [at for at in range(size) if at >= first and (last is None or at <= last)]
    assert (None if span is None else list(range(span.start, span.end))) == wanted
    assert span in {None, NO_SUCH_RANGE} or span.start < span.end <= size


@given(st.text(max_size=20) | st.from_regex(r"bytes=[0-9, \t-]{0,20}"), st.integers(0, 1000))
def test_no_header_leads_anywhere_else(header: str, size: int) -> None:
    span = span_of(header, size)
    assert span in {None, NO_SUCH_RANGE} or 0 <= span.start < span.end <= size


# --- answers ----------------------------------------------------------------------------------------------


def test_all_of_it(film: RunningApi) -> None:
    response, raw = get(film, query=f"?name=Old%20F%C3%BClm.MP4&holder=anna&holder={BEN}")
    assert (response.status, raw) == (200, DATA)
    headers = response.headers
    assert headers["content-length"] == str(SIZE)
    assert headers["accept-ranges"] == "bytes"
    assert headers["etag"] == TAG
    assert headers["content-type"] == "video/mp4"
    assert headers["content-disposition"] == "inline; filename*=UTF-8''Old%20F%C3%BClm.MP4"
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["content-security-policy"] == "sandbox; default-src 'none'"
    assert "content-range" not in headers
    assert film.node.opened == [(CID, None, [ANNA, BEN])]
    closed(film)


def test_from_one_peer_alone(film: RunningApi) -> None:
    assert get(film, query="?peer=anna&holder=ben")[1] == DATA
    assert film.node.opened == [(CID, ANNA, [ANNA])]


@pytest.mark.parametrize(
    ("asked", "start", "end"),
    [
        ("bytes=0-", 0, SIZE),
        ("bytes=0-0", 0, 1),
        ("bytes=5000-", 5000, SIZE),
        ("bytes=5000-7999", 5000, 8000),
        ("bytes=-7", SIZE - 7, SIZE),
        ("bytes=100-999999", 100, SIZE),
    ],
)
def test_a_range(film: RunningApi, asked: str, start: int, end: int) -> None:
    response, raw = get(film, {"Range": asked})
    assert (response.status, raw) == (206, DATA[start:end])
    assert response.headers["content-range"] == f"bytes {start}-{end - 1}/{SIZE}"
    assert response.headers["content-length"] == str(end - start)
    assert film.node.readings[0].asked[0] == (start, end - start)
    closed(film)


def test_no_such_range(film: RunningApi) -> None:
    response, raw = get(film, {"Range": f"bytes={SIZE}-"})
    assert (response.status, raw) == (416, b"")
    assert response.headers["content-range"] == f"bytes */{SIZE}"
    assert "cache-control" not in response.headers
    closed(film)


def test_of_several_ranges_all_comes(film: RunningApi) -> None:
    response, raw = get(film, {"Range": "bytes=0-1,5-6"})
    assert (response.status, raw) == (200, DATA)


@pytest.mark.parametrize(
    ("condition", "status"),
    [(TAG, 206), (f"W/{TAG}", 200), ('"other"', 200), ("Wed, 21 Oct 2015 07:28:00 GMT", 200)],
)
def test_a_range_of_what_the_asker_has_a_part_of(film: RunningApi, condition: str, status: int) -> None:
    response, raw = get(film, {"Range": "bytes=10-19", "If-Range": condition})
    assert (response.status, raw) == (status, DATA[10:20] if status == 206 else DATA)


@pytest.mark.parametrize("condition", [TAG, f"W/{TAG}", "*", f'"other", {TAG}', f'"other",W/{TAG}'])
def test_what_the_asker_has_is_not_even_opened(film: RunningApi, condition: str) -> None:
    response, raw = get(film, {"If-None-Match": condition})
    assert (response.status, raw, film.node.opened) == (304, b"", [])
    assert response.headers["etag"] == TAG


@pytest.mark.parametrize("condition", ['"other"', f"x{TAG}", f'"{CID}x"', str(CID)])
def test_what_the_asker_has_not(film: RunningApi, condition: str) -> None:
    assert get(film, {"If-None-Match": condition})[0].status == 200


@pytest.mark.parametrize("headers", [{}, {"Range": "bytes=5-9"}, {"Range": "bytes=999999-"}])
def test_a_head_says_how_long_it_is_and_reads_nothing(film: RunningApi, headers: Any) -> None:
    response, raw = get(film, headers, method="HEAD")
    assert (response.status, raw) == (200, b"")
    assert response.headers["content-length"] == str(SIZE)
    assert response.headers["accept-ranges"] == "bytes"
    (reading,) = film.node.readings
    assert reading.asked == []
    closed(film)


def test_an_empty_file(api: RunningApi) -> None:
    api.node.content = b""
    for headers, status in (({}, 200), ({"Range": "bytes=-5"}, 200), ({"Range": "bytes=0-"}, 416)):
        response, raw = get(api, headers)
        assert (response.status, raw, response.headers["content-length"]) == (status, b"", "0")


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("film.mp4", "video/mp4"),
        ("a.b/FILM.MP4", "video/mp4"),
        ("page.html", "text/html"),
        ("", "application/octet-stream"),
        ("film", "application/octet-stream"),
        (".mp4", "application/octet-stream"),
        ("film.what", "application/octet-stream"),
        ("a.tar.gz", "application/octet-stream"),
        ("a.svgz", "application/octet-stream"),
        ("data:text/evil\r\nX: y,", "application/octet-stream"),
        ("data:,x.mp4", "video/mp4"),
        ("x.mp4\r\nEvil: 1", "application/octet-stream"),
    ],
)
def test_the_ending_says_the_media_type(name: str, kind: str) -> None:
    assert media_type(name) == kind


def test_a_name_cannot_add_headers(film: RunningApi) -> None:
    response, _ = get(film, query="?name=%0D%0AEvil:%201%22%FF%00")
    assert response.status == 200
    assert "evil" not in {name.lower() for name in response.headers}


# --- what does not go well --------------------------------------------------------------------------------


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_what_cannot_be_opened_has_its_own_status(api: RunningApi, method: str) -> None:
    api.node.without_content = {str(ANNA): ContentUnknown("nobody has it")}
    response, raw = get(api, query="?holder=anna", method=method)
    assert response.status == 404
    assert response.headers["content-type"] == "application/json"
    assert (b'"ContentUnknown"' in raw) is (method == "GET")


def test_what_cannot_be_read_from_the_first_byte_on_has_its_own_status(film: RunningApi) -> None:
    film.node.breaks_at = 0
    status, found = film.json("GET", PATH)
    assert (status, found["error"]) == (507, "SourceVanished")
    closed(film)


def test_what_breaks_off_later_breaks_the_connection(
    film: RunningApi, caplog: pytest.LogCaptureFixture
) -> None:
    film.node.breaks_at = 3000
    with pytest.raises(http.client.IncompleteRead) as caught:
        get(film)
    assert caught.value.partial == DATA[:3000]
    closed(film)
    assert "broke off: it is gone" in caplog.text
    assert "Traceback" not in caplog.text


def test_a_bug_breaks_the_connection_too_and_is_reported(
    film: RunningApi, caplog: pytest.LogCaptureFixture
) -> None:
    film.node.content = _Broken(DATA)
    with pytest.raises(http.client.IncompleteRead):
        get(film)
    closed(film)
    assert "unexpected RuntimeError" in caplog.text


class _Broken(bytes):
    """Only its beginning can be read."""

    def __getitem__(self, key: Any) -> Any:
        if key.start:
            raise RuntimeError("a bug")
        return bytes(self)[key]


def test_when_the_client_goes_away_nothing_more_is_read(film: RunningApi) -> None:
    film.node.holds_at = 2000
    film.call(film.node.hold.clear)
    with socket.create_connection(("127.0.0.1", film.port)) as client:
        lines = (f"GET {PATH} HTTP/1.1", f"Host: 127.0.0.1:{film.port}", f"Authorization: Bearer {TOKEN}")
        client.sendall("\r\n".join([*lines, "", ""]).encode())
        said = b""
        while DATA[:2000] not in said:
            said += client.recv(65536)
        assert film.node.readings[0].is_open
    closed(film)
    assert film.json("GET", "/v1/status")[0] == 200


@pytest.mark.parametrize(
    ("path", "status", "error"),
    [
        ("/v1/files/nonsense", 400, "InvalidCid"),
        (f"{PATH}?peer=nobody", 404, "PeerUnknown"),
        (f"{PATH}?holder=anna&holder=nobody", 404, "PeerUnknown"),
        (f"{PATH}/more", 404, "NotFound"),
    ],
)
def test_what_is_not_understood(api: RunningApi, path: str, status: int, error: str) -> None:
    found_status, found = api.json("GET", path)
    assert (found_status, found["error"]) == (status, error)
    assert api.node.opened == []


def test_the_first_holder_that_is_reached_is_enough(film: RunningApi, monkeypatch: Any) -> None:
    """Nobody waits for those who do not answer."""
    real = film.node.connect
    dialled = []

    async def connect(peer: Any) -> Any:
        dialled.append(peer)
        if peer == ANNA:
            await film.node.hold.wait()
        return await real(peer)

    film.call(film.node.hold.clear)
    monkeypatch.setattr(film.node, "connect", connect)
    assert get(film, query="?holder=anna&holder=ben")[1] == DATA
    assert dialled == [ANNA, BEN]


def test_several_read_at_the_same_time(film: RunningApi) -> None:
    """As players do: one connection for the index, one for the film."""
    film.node.holds_at = 2000
    film.call(film.node.hold.clear)
    with film.opened("GET", PATH, None) as slow:
        assert get(film, {"Range": "bytes=0-9"})[1] == DATA[:10]
        film.call(film.node.hold.set)
        assert slow.read() == DATA
    closed(film)
