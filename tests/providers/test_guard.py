"""Which addresses the one HTTP client reaches. A canary that nobody connects to proves every refusal."""

import socket
from collections.abc import Iterator
from io import BytesIO

import pytest

from providers.contract import OutputSource
from providers.http import Client, ClientConfig, HttpError, NotConnected, TargetRefused, origin

from .servers import RawServer, answers, serving

# {port} is the canary's: each of these would reach this machine, its network, or nothing public.
TRICKY = [
    "https://127.0.0.1:{port}/",
    "https://localhost:{port}/",
    "https://localhost.:{port}/",
    "https://127.1:{port}/",
    "https://2130706433:{port}/",
    "https://0x7f000001:{port}/",
    "https://0177.0.0.1:{port}/",
    "https://0.0.0.0:{port}/",
    "https://[::]:{port}/",
    "https://[::1]:{port}/",
    "https://[::ffff:127.0.0.1]:{port}/",
    "https://[::127.0.0.1]:{port}/",
    "https://[::7f00:1]:{port}/",
    "https://[64:ff9b::127.0.0.1]:{port}/",
    "https://[64:ff9b:1::127.0.0.1]:{port}/",
    "https://[2002:7f00:1::]:{port}/",
    "https://[2001:0:7f00:1::]:{port}/",
    "https://[fe80::1]:{port}/",
    "https://[fec0::1]:{port}/",
    "https://[fd00::1]:{port}/",
    "https://[ff02::1]:{port}/",
    "https://10.0.0.1:{port}/",
    "https://172.16.0.1:{port}/",
    "https://192.168.0.1:{port}/",
    "https://169.254.169.254:{port}/latest/meta-data/",
    "https://100.64.0.1:{port}/",
    "https://192.0.0.1:{port}/",
    "https://192.0.2.1:{port}/",
    "https://192.88.99.1:{port}/",
    "https://198.18.0.1:{port}/",
    "https://224.0.0.1:{port}/",
    "https://240.0.0.1:{port}/",
    "https://255.255.255.255:{port}/",
    "http://127.0.0.1:{port}/",
    "http://example.com/",
    "https://example.com:22/",
    "https://user:password@127.0.0.1:{port}/",
    "https://example.com:443@127.0.0.1:{port}/",
    "https://127.0.0.1:{port}\\@example.com/",
    "https://127.0.0.1:{port}#@example.com/",
    "https://①②⑦.⓪.⓪.①:{port}/",
    "https://" + "a" * 70 + ".com/",
    "ftp://127.0.0.1:{port}/",
    "file:///etc/passwd",
    "gopher://127.0.0.1:{port}/_x",
    "//127.0.0.1:{port}/",
    "127.0.0.1:{port}",
    "https://",
    "https://[::1",
    "https://exa mple.com/",
    "",
]


@pytest.fixture
def canary() -> Iterator[RawServer]:
    with serving(answers(200)) as server:
        yield server


@pytest.fixture
def client(canary: RawServer) -> Client:
    return Client(ClientConfig(https_ports=frozenset({443, canary.port}), connect_seconds=1))


@pytest.mark.parametrize("url", TRICKY)
def test_a_tricky_target_is_refused_before_anything_is_sent(
    url: str, client: Client, canary: RawServer
) -> None:
    with pytest.raises((TargetRefused, NotConnected)) as refusal:
        client.get_json(url.format(port=canary.port))
    # A resolver may not know this name at all.
    assert isinstance(refusal.value, TargetRefused) or "localhost.:" in url
    assert canary.connections == 0


# A redirect to these is relative: it stays on the first, allowed origin's scheme or host.
RELATIVE = {"//127.0.0.1:{port}/", "127.0.0.1:{port}", ""}


@pytest.mark.parametrize("url", [url for url in TRICKY if url not in RELATIVE])
def test_a_redirect_to_a_tricky_target_is_refused(url: str, canary: RawServer) -> None:
    location = url.format(port=canary.port)
    with serving(answers(302, Location=location.encode().decode("latin-1"))) as server:
        client = Client(
            ClientConfig(
                allowed_origins=frozenset({server.url}),
                https_ports=frozenset({443, canary.port}),
                connect_seconds=1,
            )
        )
        with pytest.raises((TargetRefused, NotConnected)):
            client.download(OutputSource(url=f"{server.url}/a.mp4"), BytesIO(), max_bytes=100)
    assert canary.connections == 0


def test_a_name_that_changes_its_address_after_the_check_gains_nothing(
    client: Client, canary: RawServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """DNS rebinding: the second look-up, if there were one, says 127.0.0.1."""
    real = socket.getaddrinfo
    asked: list[str] = []

    def resolve(host: str, port: int, *arguments: object, **options: object) -> object:
        if host != "rebinding.example":
            return real(host, port, *arguments, **options)  # type: ignore[arg-type]
        asked.append(host)
        address = "203.0.113.1" if len(asked) == 1 else "127.0.0.1"
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port))]

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    for _ in range(2):
        with pytest.raises(HttpError):
            client.get_json(f"https://rebinding.example:{canary.port}/")
    assert canary.connections == 0


def test_a_public_address_is_let_through_the_guard(monkeypatch: pytest.MonkeyPatch) -> None:
    """The guard says yes to 8.8.8.8, and the connection goes to the address that was checked."""
    connected: list[object] = []

    def connect(address: object, *_: object, **__: object) -> socket.socket:
        connected.append(address)
        raise ConnectionRefusedError

    monkeypatch.setattr("urllib3.util.connection.create_connection", connect)
    monkeypatch.setattr("urllib3.connection.connection.create_connection", connect)
    for url in ("https://8.8.8.8/", "https://[2606:4700::1111]/"):
        with pytest.raises(NotConnected):
            Client(ClientConfig()).get_json(url)
    assert connected == [("8.8.8.8", 443), ("2606:4700::1111", 443)]


def test_only_the_exact_origins_of_the_embedded_stack_are_let_through(canary: RawServer) -> None:
    client = Client(ClientConfig(allowed_origins=frozenset({canary.url})))
    assert client.get_json(f"{canary.url}/path") == {}
    other = canary.url.replace("127.0.0.1", "localhost")
    named = canary.url.replace("127.0.0.1", "user:password@127.0.0.1")
    for near in (
        other,
        named,
        f"{canary.url}0",
        canary.url.replace("http:", "https:"),
        f"{canary.url}@example.com",
    ):
        with pytest.raises(TargetRefused):
            client.get_json(f"{near}/")
    assert canary.connections == 1


def test_loopback_by_name_is_this_machine_and_nothing_else(canary: RawServer) -> None:
    client = Client(ClientConfig(allow_loopback=True))
    assert client.get_json(f"http://localhost:{canary.port}/") == {}
    for url in ("http://10.0.0.1/", "http://169.254.169.254/", "http://8.8.8.8/", "https://127.0.0.1/"):
        with pytest.raises(TargetRefused):
            client.get_json(url)


def test_the_environments_proxy_is_not_used(canary: RawServer, monkeypatch: pytest.MonkeyPatch) -> None:
    with serving(answers(200)) as proxy:
        for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
            monkeypatch.setenv(name, proxy.url)
        Client(ClientConfig(allowed_origins=frozenset({canary.url}))).get_json(canary.url)
        assert proxy.connections == 0


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("https://Example.COM/path?x", "https://example.com:443"),
        ("http://127.0.0.1:81", "http://127.0.0.1:81"),
        ("https://[::1]:8443/", "https://[::1]:8443"),
    ],
)
def test_an_origin_is_scheme_host_and_port(url: str, expected: str) -> None:
    assert origin(url) == expected
