"""TLS and user identities on the command line: what the options do, and what is said when they are wrong."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, Encoding, PrivateFormat, load_pem_private_key

import dimse
import pdu
from dimse import TLS
from dimse.cli.failures import OPTION_FOR_TLS
from dimse.services.passcodes import Cost, set_passcode
from tests.certificates import Holder, Site, tls_of

from .conftest import HOST, During, Run, write_instance

Start = Callable[..., int]
QUICK = Cost(n=2**4, r=1, p=1)


@dataclass(frozen=True)
class Certificates:
    """Those of a site, and of another one that it has nothing to do with."""

    folder: Path
    site: Site
    other: Site
    node: Holder
    ct1: Holder
    elsewhere: Holder
    expired: Holder
    stranger: Holder

    @property
    def server(self) -> TLS:
        return tls_of(self.node, self.site)

    @property
    def client_options(self) -> list[object]:
        return [*shows(self.ct1), "--tls-ca", self.site.ca]

    @property
    def server_options(self) -> list[object]:
        return [*shows(self.node), "--tls-ca", self.site.ca]


def shows(holder: Holder) -> list[object]:
    return ["--tls-key", holder.key, "--tls-cert", holder.certificate]


@pytest.fixture(scope="session")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    folder = tmp_path_factory.mktemp("certificates")
    site, other = Site(folder), Site(folder, "other")
    elsewhere, expired = site.issue("elsewhere", "elsewhere.example"), site.issue("expired", expired=True)
    return Certificates(folder, site, other, site.issue("node"), site.issue("ct1"), elsewhere, expired, other.issue("stranger"))


@pytest.fixture
def users(tmp_path: Path) -> Path:
    """The file of one user, whose passcode is cheap to check."""
    set_passcode(tmp_path / "users", "doe", "secret", QUICK)
    return tmp_path / "users"


@pytest.fixture
def passcode(tmp_path: Path) -> Path:
    file = tmp_path / "passcode"
    file.write_text("secret\n")
    return file


def checked(users: Path, **options: object) -> dimse.Users:
    return dimse.Users(passcodes=dimse.Passcodes(users).check, **options)  # type: ignore[arg-type]  # options of several types


# A client


@pytest.mark.parametrize("command", ["echo", "send", "find"])
def test_clients_over_tls(command: str, run: Run, serving: Start, certificates: Certificates, tmp_path: Path) -> None:
    kept: list[bytes] = []
    services = dimse.Services(store=lambda request, data: kept.append(data.encoded), find=lambda request: [])
    port = serving(services, tls=certificates.server)
    rest = [write_instance(tmp_path / "1", "1.2.1")] if command == "send" else []
    said = run(command, *certificates.client_options, HOST, port, *rest)
    assert (said.code, said.err) == (0, "")
    assert len(kept) == len(rest)


def test_more_words(run: Run, serving: Start, certificates: Certificates) -> None:
    said = run("echo", "-v", *certificates.client_options, HOST, serving(tls=certificates.server))
    assert "  TLSv1.3 with TLS_" in said.err
    assert f"; certificate of node, {HOST}, localhost, SHA-256 {certificates.node.fingerprint}\n" in said.err
    assert "identity" not in said.err


@pytest.mark.parametrize("form", [str.lower, lambda digits: ":".join(digits[n : n + 2] for n in range(0, 64, 2)).upper()])
def test_a_pinned_certificate(form: Callable[[str], str], run: Run, serving: Start, certificates: Certificates) -> None:
    port = serving(tls=tls_of(certificates.elsewhere, certificates.site))
    pins = ["--tls-pin", "0" * 64, "--tls-pin", form(certificates.elsewhere.fingerprint)]
    said = run("echo", "-v", *shows(certificates.ct1), *pins, HOST, port)
    assert said.code == 0
    assert f"a certificate whose names nobody verified, SHA-256 {certificates.elsewhere.fingerprint}" in said.err
    said = run("echo", *shows(certificates.ct1), "--tls-pin", certificates.node.fingerprint, HOST, port)
    assert said.code == 3
    assert f"another than the pinned one: its fingerprint is {certificates.elsewhere.fingerprint}" in said.err


def test_another_name(run: Run, serving: Start, certificates: Certificates) -> None:
    port = serving(tls=tls_of(certificates.elsewhere, certificates.site))
    said = run("echo", *certificates.client_options, HOST, port)
    assert said.code == 3
    assert "certificate is for another" in said.err
    assert said.err.endswith("(--tls-pin, --tls-name)\n")
    assert run("echo", *certificates.client_options, "--tls-name", "elsewhere.example", HOST, port).code == 0


def test_nobody_verified(run: Run, serving: Start, certificates: Certificates) -> None:
    port = serving(tls=tls_of(certificates.stranger, certificates.site))
    said = run("echo", "--tls-no-verify", *shows(certificates.ct1), HOST, port)
    wanted = "dimse echo: unsafe: no certificate is verified, so what passes is encrypted, but nobody knows with whom\n"
    assert (said.code, said.err) == (0, wanted)


@pytest.mark.parametrize(
    ("peer", "options", "words"),
    [
        (
            "node",
            lambda c: ["--tls"],
            "is signed by a CA that is not trusted here (PS3.15 B.12); name its CA, or pin its fingerprint (--tls-",
        ),
        ("node", lambda c: ["--tls-ca", c.other.ca], "is signed by a CA that is not trusted here"),
        (
            "node",
            lambda c: ["--tls-ca", c.site.ca],
            "has shown none (PS3.15 B.12); give this side's private key and certificate (--tls-key, --",
        ),
        ("node", lambda c: [*shows(c.stranger), "--tls-ca", c.site.ca], "the peer does not trust the CA of this side's certificate"),
        ("node", lambda c: [*shows(c.expired), "--tls-ca", c.site.ca], "the peer says that this side's certificate has expired"),
        ("expired", lambda c: [*shows(c.ct1), "--tls-ca", c.site.ca], "the peer's certificate has expired"),
    ],
)
def test_wrong_certificates(
    peer: str, options: Callable[[Certificates], list[object]], words: str, run: Run, serving: Start, certificates: Certificates
) -> None:
    port = serving(tls=tls_of(getattr(certificates, peer), certificates.site))
    said = run("echo", *options(certificates), HOST, port)
    assert (said.code, said.out) == (3, "")
    assert said.err.startswith(f"dimse echo: no association with ANY-SCP at {HOST}:{port}: TLS with {HOST}:{port} failed: ")
    assert words in said.err
    assert said.err.count("\n") == 1


def test_every_advice_has_its_option() -> None:
    """What the library advises in its own words, the command line follows with an option."""
    from dimse import tls

    advice = [*tls.CERTIFICATE_ADVICE.values(), *(advice for _, advice in tls.REASONS.values()), Path(tls.__file__).read_text()]
    assert [words for words in OPTION_FOR_TLS if not any(words in each for each in advice)] == []


def test_tls_on_one_side_only(run: Run, serving: Start, certificates: Certificates) -> None:
    said = run("echo", *certificates.client_options, HOST, serving())
    assert said.code == 3
    assert "the peer speaks DICOM without TLS (PS3.15 B.12); connect without TLS, or to its port for TLS (without --tls)" in said.err
    said = run("echo", HOST, serving(tls=certificates.server))
    assert said.code == 3
    assert "it is a port for TLS: give --tls\n" in said.err


def test_no_end_of_the_handshake(run: Run, scripted: Start, certificates: Certificates) -> None:
    from .peers import SILENT

    said = run("echo", "--tls-ca", certificates.site.ca, "-to", "0.1", HOST, scripted(SILENT))
    assert said.code == 3
    assert "gave up after 0.1 s: the wait 'tls_handshake' passed" in said.err
    assert said.err.endswith("a slow peer needs a longer -to\n")


def test_a_host_that_cannot_be(run: Run) -> None:
    for host in ("x" * 70, "a..b"):
        said = run("echo", "--tls", host, 104)
        assert said.code == 3
        assert "cannot open a connection" in said.err


def encrypted(certificates: Certificates) -> Path:
    """A key that is protected by a passphrase."""
    path = certificates.folder / "encrypted.key"
    key = load_pem_private_key(certificates.ct1.key.read_bytes(), None)
    path.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"secret")))
    return path


MISTAKES: list[tuple[Callable[[Certificates], list[object]], str]] = [
    (lambda c: ["--tls-ca", "none.pem"], "cannot read the CA none.pem: No such file or directory"),
    (lambda c: ["--tls-ca", c.folder], "cannot read the CA"),
    (lambda c: ["--tls-ca", c.ct1.key], "ct1.key is no CA in PEM form"),
    (lambda c: ["--tls-key", c.ct1.key], "give both --tls-key and --tls-cert, or neither"),
    (lambda c: ["--tls-cert", c.ct1.certificate], "give both --tls-key and --tls-cert, or neither"),
    (lambda c: ["--tls-key", "none.key", "--tls-cert", c.ct1.certificate], "cannot read the private key none.key"),
    (lambda c: ["--tls-key", c.ct1.certificate, "--tls-cert", c.ct1.key], "ct1.key is no certificate in PEM form"),
    (lambda c: ["--tls-key", c.node.key, "--tls-cert", c.ct1.certificate], "they do not belong together"),
    (lambda c: ["--tls-key", encrypted(c), "--tls-cert", c.ct1.certificate], "protected by a passphrase, which nobody is there to type"),
]


@pytest.mark.parametrize(("options", "words"), MISTAKES)
def test_files_that_are_no_use(options: Callable[[Certificates], list[object]], words: str, run: Run, certificates: Certificates) -> None:
    given = options(certificates)
    ca = ["--tls-ca", certificates.site.ca] if "--tls-ca" not in given else shows(certificates.node)
    for command in (["echo", HOST, 1], ["receive", 0, *ca], ["serve", "--data", certificates.folder / "data", "--port", 0, *ca]):
        said = run(*command, *given)
        assert (said.code, said.out) == (2, "")
        assert words in said.err
        assert said.err.count("\n") == 1
    assert not (certificates.folder / "data").exists()


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--tls-pin", "ab:cd"], "argument --tls-pin: 'ab:cd' is no SHA-256 fingerprint of 64 hexadecimal digits"),
        (["--tls-name", ""], "argument --tls-name: '' is no name"),
        (["--tls-no-verify", "--tls-ca", "x"], "takes anybody, so that --tls-ca would not count"),
        (["--tls-no-verify", "--tls-name", "x", "--tls-pin", "0" * 64], "so that --tls-pin and --tls-name would not count"),
        (["--user", "\x1b[2J"], "is no name: give printable characters"),
        (["--user", "doe"], "it is not sent without TLS (PS3.7 D.3.3.7): give --tls, or give --unsafe-plain-identity"),
        (["--user", "doe", "--tls-no-verify"], "it is not sent to a peer that nobody verifies"),
        (["--jwt", "token"], "it is not sent without TLS"),
        (["--saml", "assertion"], "it is not sent without TLS"),
        (["--no-passcode"], "--no-passcode is about a user: give --user NAME as well"),
        (["--passcode-file", "x", "--jwt", "x"], "--passcode-file is about a user"),
        (["--user", "doe", "--jwt", "x"], "not allowed with argument"),
        (["--passcode-file", "x", "--no-passcode", "--user", "x"], "not allowed with argument"),
        (
            ["--tls", "--user", "doe"],
            "no passcode of doe: give --passcode-file FILE or DIMSE_PASSCODE in the environment, or --no-passcode",
        ),
        (["--tls", "--user", "doe", "--passcode-file", "none"], "cannot read the passcode none: No such file or directory"),
        (["--tls", "--user", "doe", "--passcode-file", "empty"], "there is no passcode in empty: it is empty"),
        (["--tls", "--user", "doe", "--passcode-file", "blank"], "the passcode in blank is empty, and an empty passcode is none"),
        (["--tls", "--user", "doe", "--passcode-file", "latin"], "the passcode in latin is not UTF-8"),
        (["--tls", "--jwt", "none"], "cannot read the token none: No such file or directory"),
        (["--tls", "--saml", "."], "cannot read the assertion .: Is a directory"),
        (["--kerberos", "/dev/zero"], "/dev/zero has more than the 65535 bytes that a user identity can have"),
    ],
)
def test_wrong_options_of_a_client(options: list[str], words: str, run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("DIMSE_PASSCODE", raising=False)
    for name, content in (("empty", b""), ("blank", b"\nsecret\n"), ("latin", b"\xe9\n")):
        Path(name).write_bytes(content)
    said = run("echo", *options, HOST, 1)
    assert (said.code, said.out) == (2, "")
    assert words in said.err
    assert [line for line in said.err.splitlines() if "unsafe:" not in line] == [said.err.splitlines()[-1]]


# Users


@pytest.mark.parametrize("source", ["file", "environment", "terminal"])
def test_a_passcode(
    source: str, run: Run, serving: Start, certificates: Certificates, users: Path, passcode: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DIMSE_PASSCODE", "secret" if source == "environment" else "wrong")
    if source == "terminal":
        monkeypatch.delenv("DIMSE_PASSCODE")
        monkeypatch.setattr("dimse.cli.secrets.is_terminal", lambda: True)
        monkeypatch.setattr("getpass.getpass", lambda prompt: "secret")
    port = serving(tls=certificates.server, users=checked(users))
    options = ["--passcode-file", passcode] if source == "file" else []
    said = run("echo", "-v", *certificates.client_options, "--user", "doe", *options, HOST, port)
    assert said.code == 0
    assert "  the peer confirmed the user identity\n" in said.err
    assert "secret" not in said.err + said.out


def test_a_wrong_passcode(run: Run, serving: Start, certificates: Certificates, users: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    port = serving(tls=certificates.server, users=checked(users))
    monkeypatch.setenv("DIMSE_PASSCODE", "wrong")
    said = run("echo", *certificates.client_options, "--user", "doe", HOST, port)
    assert said.code == 3
    assert said.err.endswith("; it may not take the user that was shown\n")
    said = run("echo", *certificates.client_options, HOST, port)
    assert said.code == 3
    assert said.err.endswith("; it may want to know the user (--user)\n")


def test_a_passcode_without_tls(run: Run, serving: Start, users: Path, passcode: Path) -> None:
    port = serving(users=checked(users, unsafe_over_plain=True))
    said = run("echo", "-v", "--unsafe-plain-identity", "--user", "doe", "--passcode-file", passcode, HOST, port)
    assert said.code == 0
    assert "the peer confirmed the user identity" in said.err


def test_what_a_peer_does_not_confirm(run: Run, serving: Start, passcode: Path) -> None:
    port = serving()
    said = run("echo", "-v", "--unsafe-plain-identity", "--user", "doe", "--passcode-file", passcode, HOST, port)
    assert "the peer did not confirm the user identity, though it was asked to" in said.err
    said = run("echo", "-v", "--user", "doe", "--no-passcode", HOST, port)
    assert "the user's name was sent, which proves nothing" in said.err
    assert said.code == 0


@pytest.mark.parametrize(("option", "type", "sent"), [("jwt", 5, b"a.b.c"), ("saml", 4, b"a.b.c"), ("kerberos", 3, b" a.b.c\n")])
def test_tokens_and_tickets(
    option: str, type: int, sent: bytes, run: Run, serving: Start, certificates: Certificates, tmp_path: Path
) -> None:
    """A text is sent without the end of its line, a ticket as it is."""
    seen: list[pdu.UserIdentityRQ] = []

    def verify(item: pdu.UserIdentityRQ, peer: dimse.Peer) -> dimse.User:
        seen.append(item)
        return dimse.User("somebody", item.type)

    (tmp_path / "token").write_bytes(b" a.b.c\n")
    port = serving(tls=certificates.server, users=dimse.Users(verify={type: verify}))
    assert run("echo", *certificates.client_options, f"--{option}", tmp_path / "token", HOST, port).code == 0
    assert [(item.type, item.primary) for item in seen] == [(type, sent)]


# A server


def ours(certificates: Certificates) -> TLS:
    return tls_of(certificates.ct1, certificates.site)


def echo(port: int, calling: str = "CT1", **options: object) -> None:
    with dimse.connect(HOST, port, calling=calling, contexts=[dimse.Verification], **options) as association:  # type: ignore[arg-type]  # of several types
        association.echo()


@pytest.mark.parametrize("command", ["receive", "serve"])
def test_a_server(command: str, run: Run, during: During, certificates: Certificates, tmp_path: Path) -> None:
    def act(port: int) -> None:
        echo(port, tls=ours(certificates))
        with pytest.raises(dimse.AssociationError):
            echo(port)

    during(act)
    where: list[object] = ["-od", tmp_path, 0] if command == "receive" else ["--data", tmp_path, "--port", 0]
    said = run(command, "-v", *certificates.server_options, *where)
    assert said.code == 0
    listening, *told = said.out.splitlines()
    served, refused = sorted(told, key=lambda line: "C-ECHO" not in line)  # each is told by its own thread
    assert " listens for TLS at " in listening
    assert served.endswith(": 1 C-ECHO: released")
    assert "failed: the peer speaks DICOM without TLS (PS3.15 B.12)" in refused
    assert f"SHA-256 {certificates.ct1.fingerprint}" in said.err


def test_a_plain_server_names_a_client_with_tls(run: Run, during: During, certificates: Certificates, tmp_path: Path) -> None:
    def act(port: int) -> None:
        with pytest.raises(dimse.TLSFailed):
            echo(port, tls=ours(certificates))

    during(act)
    refused = run("receive", "-od", tmp_path, 0).out.splitlines()[1]
    assert "(no association) from" in refused
    assert "TLS" in refused


def test_a_server_in_json(run: Run, during: During, certificates: Certificates, users: Path, tmp_path: Path) -> None:
    during(lambda port: echo(port, tls=ours(certificates), identity=dimse.Identity.passcode("doe", "secret")))
    listening, served = run("receive", "--json", "-od", tmp_path, *certificates.server_options, "--users", users, 0).results
    assert (listening["tls"], listening["users"]) == (True, str(users))
    assert (served["tls"], served["certificate"], served["user"]) == ("TLSv1.3", certificates.ct1.fingerprint, "doe")


def test_users_of_a_server(run: Run, during: During, certificates: Certificates, users: Path, tmp_path: Path) -> None:
    def act(port: int) -> None:
        echo(port, tls=ours(certificates), identity=dimse.Identity.passcode("doe", "secret"))
        for identity in (None, dimse.Identity.passcode("doe", "wrong"), dimse.Identity.passcode("roe", "secret")):
            with pytest.raises(dimse.Rejected):
                echo(port, tls=ours(certificates), identity=identity)

    during(act)
    said = run("receive", "-od", tmp_path, *certificates.server_options, "--users", users, 0)
    listening, *told = said.out.splitlines()
    served, *refused = sorted(told, key=lambda line: "C-ECHO" not in line)
    assert listening.endswith(f", for the users in {users} only")
    assert "CT1 (user doe) from" in served
    assert len(refused) == 3
    assert sum("no user identity, which is required here" in line for line in refused) == 1


def test_users_without_tls(run: Run, during: During, users: Path, tmp_path: Path) -> None:
    said = run("receive", "-od", tmp_path, "--users", users, 0)
    assert (said.code, said.out) == (2, "")
    assert "passcodes would pass in clear text, for everybody who reads along, so that users need TLS" in said.err
    identity = dimse.Identity.passcode("doe", "secret", unsafe_over_plain=True)
    during(lambda port: echo(port, identity=identity))
    said = run("receive", "-od", tmp_path, "--users", users, "--unsafe-plain-identity", 0)
    assert said.code == 0
    assert "unsafe: passcodes are taken without TLS, so whoever reads along can use them" in said.err
    assert "CT1 (user doe) from" in said.out


def test_a_server_that_verifies_nobody(run: Run, during: During, certificates: Certificates, tmp_path: Path) -> None:
    during(lambda port: echo(port, tls=tls_of(None, certificates.site)))
    said = run("receive", "-v", "-od", tmp_path, "--tls-no-verify", *shows(certificates.node), 0)
    assert said.code == 0
    assert "dimse receive: unsafe: no certificate is verified" in said.err
    assert "the peer has shown no certificate" in said.err


def test_callers(run: Run, during: During, certificates: Certificates, tmp_path: Path) -> None:
    def act(port: int) -> None:
        for calling in ("CT1", "CT2", "CT3"):
            echo(port, calling, tls=ours(certificates))
        for calling, holder in (("CT4", certificates.ct1), ("CT1", certificates.node)):
            with pytest.raises(dimse.Rejected):
                echo(port, calling, tls=tls_of(holder, certificates.site))

    during(act)
    callers = ["--tls-caller", "ct1=CT1,CT2", "--tls-caller", f"{certificates.ct1.fingerprint}=CT3"]
    said = run("receive", "-od", tmp_path, *certificates.server_options, *callers, 0)
    assert said.code == 0
    assert sorted(line.endswith("1 C-ECHO: released") for line in said.out.splitlines()[1:]) == [False, False, True, True, True]
    assert said.out.count("the calling AE title is not bound to the certificate") == 2


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (
            lambda c: ["--tls"],
            "needs its key, its certificate and the CA of its peers: give --tls-key, --tls-cert, --tls-ca (or --tls-no-verify",
        ),
        (lambda c: ["--tls-ca", c.site.ca], "give --tls-key, --tls-cert\n"),
        (lambda c: shows(c.node), "give --tls-ca (or --tls-no-verify, to take anybody)\n"),
        (lambda c: [*c.server_options, "--tls-no-verify"], "so that --tls-ca would not count"),
        (lambda c: [*shows(c.node), "--tls-no-verify", "--tls-caller", "A=B"], "so that --tls-caller would not count"),
        (lambda c: ["--tls-caller", "ct1"], "'ct1' binds no certificate: give NAME=AET"),
        (lambda c: ["--tls-caller", "=CT1"], "'' is no name"),
        (lambda c: ["--tls-caller", "ct1=CT1,"], "'' is no AE title"),
        (lambda c: ["--tls-caller", f"{':'.join(['ab'] * 20)}=CT1"], "is no SHA-256 fingerprint"),
        (
            lambda c: [*c.server_options, "--users", "none"],
            "cannot read the users none: No such file or directory; 'dimse passwd FILE USER'",
        ),
        (lambda c: [*c.server_options, "--users", c.node.certificate], "node.crt"),
    ],
)
def test_wrong_options_of_a_server(
    options: Callable[[Certificates], list[object]], words: str, run: Run, certificates: Certificates, tmp_path: Path
) -> None:
    said = run("receive", "-od", tmp_path / "in", *options(certificates), 0)
    assert (said.code, said.out) == (2, "")
    assert words in said.err
    assert said.err.count("\n") == 1


def test_a_file_of_users_that_others_can_read(run: Run, certificates: Certificates, users: Path, tmp_path: Path) -> None:
    users.chmod(0o644)
    said = run("receive", "-od", tmp_path, *certificates.server_options, "--users", users, 0)
    assert (said.code, said.err) == (2, f"dimse receive: others may read or write the users {users}; chmod 600 {users}\n")


# The configuration file


def test_a_node_with_tls_sends_to_one(
    run: Run, during: During, serving: Start, certificates: Certificates, users: Path, tmp_path: Path
) -> None:
    """All of it from the file: the node's own TLS, its users, its callers, and the TLS of a destination."""
    moved: list[str] = []
    store = dimse.Services(store=lambda request, data: moved.append(str(data["SOPInstanceUID"])))
    to = serving(store, tls=tls_of(certificates.elsewhere, certificates.site))
    for holder, name in ((certificates.node, "node"), (certificates.elsewhere, "elsewhere")):
        (tmp_path / f"{name}.key").write_bytes(holder.key.read_bytes())
        (tmp_path / f"{name}.crt").write_bytes(holder.certificate.read_bytes())
    (tmp_path / "ca.pem").write_bytes(certificates.site.ca.read_bytes())
    (tmp_path / "node.toml").write_text(f"""
[node]
port = 0
data = "data"
users = "users"
tls = {{ key = "node.key", cert = "node.crt", ca = "ca.pem", callers = {{ ct1 = ["CT1"] }} }}
[peers.STORE]
host = "{HOST}"
port = {to}
tls = {{ key = "node.key", cert = "node.crt", ca = "ca.pem", name = "elsewhere.example" }}
[peers.PINNED]
host = "{HOST}"
port = {to}
tls = {{ key = "node.key", cert = "node.crt", pins = ["{certificates.elsewhere.fingerprint}"] }}
[peers.WRONG]
host = "{HOST}"
port = {to}
tls = {{ key = "node.key", cert = "node.crt", ca = "ca.pem" }}
""")
    source = dimse.FileSource(write_instance(tmp_path / "1", "1.2.1"))
    results = {}

    def act(port: int) -> None:
        contexts = [*dimse.contexts_for([source]), dimse.Context(dimse.StudyRootMove)]
        identity = dimse.Identity.passcode("doe", "secret")
        with dimse.connect(HOST, port, calling="CT1", contexts=contexts, tls=ours(certificates), identity=identity) as association:
            assert association.store(source).ok
            for name in ("STORE", "PINNED", "WRONG"):
                results[name] = association.move(dimse.query("STUDY", StudyInstanceUID="1.2.3"), to=name)

    during(act)
    said = run("serve", "-v", "--config", tmp_path / "node.toml")
    assert said.code == 0
    assert f"peer STORE is at {HOST}:{to}, with TLS" in said.err
    assert [result.completed for result in results.values()] == [1, 1, 0]
    assert results["WRONG"].status == 0xA702
    assert moved == ["1.2.1", "1.2.1"]


def test_a_destination_whose_files_are_no_use(run: Run, tmp_path: Path) -> None:
    (tmp_path / "node.toml").write_text('[peers.STORE]\nhost = "h"\nport = 1\ntls = { ca = "none.pem" }')
    said = run("serve", "--config", tmp_path / "node.toml")
    assert (said.code, said.out) == (2, "")
    assert said.err == f"dimse serve: the destination STORE: cannot read the CA {tmp_path}/none.pem: No such file or directory\n"
