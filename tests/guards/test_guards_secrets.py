"""Secrets: every form, values by their names, look-alikes left alone, checksums, hostile text."""

from __future__ import annotations

import base64
import json
import random
import string
import zlib
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from secret_samples import HEX, LETTERS, drawn, sample

from affiant.guards.detectors.secrets import DETECTORS, TOKENS, checks, names, shapes
from affiant.guards.detectors.secrets.form import LEFT
from affiant.guards.lint import lint
from affiant.guards.scan import Detector, Found, Pattern, Scanner

SCANNER = Scanner(DETECTORS)
KEY = drawn(LETTERS, 32, 1)
HEX32 = drawn(HEX, 32, 2)
HEX40 = drawn(HEX, 40, 3)
HEX64 = drawn(HEX, 64, 4)
WORDY = "api key token secret for the client of this service: "


def found(text: str) -> list[tuple[str, str]]:
    """Kind and value of each secret."""
    return [(hit.type.removeprefix("SECRET/"), text[hit.start : hit.end]) for hit in SCANNER.find(text)]


def test_there_are_at_least_250_kinds_with_a_form() -> None:
    """Every form has a kind of its own."""
    assert len({pattern.type for pattern in TOKENS}) == len(TOKENS) >= 250


@pytest.mark.parametrize("pattern", [pattern for pattern in TOKENS if pattern.exact.startswith(LEFT)], ids=lambda pattern: pattern.rule)
def test_every_form_is_found(pattern: Pattern) -> None:
    """Of values drawn at random from a form, beside the name of its service, nearly all are found where they stand."""
    chance = random.Random(pattern.rule)
    named = f"{pattern.rule} {WORDY}"
    hit = 0
    for _ in range(20):
        value = sample(pattern.regex, chance)
        text = f"{named}{value} and so on"
        spans = SCANNER.find(text)
        hit += any(span.start < len(named) + len(value) and span.end > len(named) for span in spans)
    assert hit >= 16


@pytest.mark.parametrize(
    "text",
    [
        "API_KEY={}",
        'api_key = "{}"',
        "apiKey: '{}',",
        '{{"client_secret": "{}"}}',
        "secretKey := `{}`",
        "export TOKEN='{}'",
        "--auth-token {}",
        "--access-key={}",
        "X-Api-Key: {}",
        "Authorization: Bearer {}",
        "<apiToken>{}</apiToken>",
        '<add key="ApiSecret" value="{}" />',
        "set_secret_key('{}')",
        "os.environ.get('SECRET_KEY', '{}')",
        'private val apiToken: String = "{}"',
        "the access token is {}",
        "| auth token | {} |",
        "https://host.example/v1?access_token={}&page=2",
        "signing_key =>\n  '{}'",
        '{{\\"api_key\\": \\"{}\\"}}',
    ],
)
def test_values_are_found_by_their_names(text: str) -> None:
    """Environment, YAML, JSON, TOML, code, flags, headers, XML, URLs, tables and prose; the span is the value alone."""
    assert [value for _, value in found(text.format(KEY))] == [KEY]


@pytest.mark.parametrize("text", ["sherpadesk SECRET {}", "owlbot_key={}", "KEY for everhour: {}", "wandb {}"])
def test_a_service_near_a_value_names_its_kind(text: str) -> None:
    """A hexadecimal value beside a known service is a secret of that service."""
    assert found(text.format(HEX40))[0][0] in ("sherpadesk", "owlbot", "everhour", "wandb")


@pytest.mark.parametrize("text", ["password = '{}'", "DB_PASSWORD={}", "password: {}", "mysql -u root -p{} app", "--password {}",
                                  "the password is '{}'", "db.connect(user='a', passwd='{}')", "Server=a;Uid=b;Pwd={};"])  # fmt: skip
def test_passwords_are_found(text: str) -> None:
    """A password of letters, digits and marks, in the usual places."""
    value = "".join(("tR7", "x9q", "Wm2"))
    assert value in [one for _, one in found(text.format(value))]


@pytest.mark.parametrize(
    "text",
    [
        "API_KEY=your-api-key-here",
        "export TOKEN=${TOKEN}",
        "Authorization: Bearer <token>",
        "password: {{ vault_password }}",
        "secret = os.environ['SECRET_KEY']",
        "token = request.headers.get('x-token')",
        "api_key: xxxxxxxxxxxxxxxxxxxxxxxx",
        "password = 'changeme'",
        "const passwordLabel = 'Password:'",
        "password: required",
        f"commit {HEX40}",
        f"sha256:{HEX64}",
        f'ETag: "{HEX32}"',
        f"checksum = '{HEX64}'",
        f"integrity: sha512-{base64.b64encode(drawn(LETTERS, 64, 5).encode()).decode()}",
        f"public_key = '{KEY}'",
        f"ssh-ed25519 AAAAC3NzaC1lZDI1NTE5{drawn(LETTERS, 44, 6)} me@host",
        f"image = data:image/png;base64,iVBORw0KGgo{drawn(LETTERS, 80, 7)}",
        f"cache_key: {HEX40}",
        "primary_key: 018f2f3a-7e1c-7c3e-9d5b-0a1b2c3d4e5f",
        "request id 8f0b4b3e-92c4-4d7a-9a3e-6f1f2f3a4b5c",
        "key_path = '/etc/ssl/private/server.key'",
        "secretName: payments-db-credentials",
        "t('settings.security.token_expired_message')",
        "max_tokens: 4096, token_type: bearer",
        "tokens = tokenizer.encode(text, add_special_tokens=False)",
        "postgres://user:password@localhost/db",
        "redis://:${REDIS_PASSWORD}@cache:6379/0",
        "keyboard shortcut: ctrl+shift+k",
        "-----BEGIN PUBLIC KEY-----\nMFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE\n-----END PUBLIC KEY-----",
        "-----BEGIN PRIVATE KEY-----\n...\n-----END PRIVATE KEY-----",
        "the secret of good tea is patience, the key to it is water",
        "ghp_" + "x" * 36,
        "basic research and basic training",
        f"wrkspc_01{drawn(LETTERS, 22, 20)}",
        f"request_id: acme-{drawn(LETTERS, 32, 21)}",
        f"msg_{drawn(LETTERS, 40, 22)}",
        f"cache-{HEX40}",
        f"/assets/bundle-{drawn(LETTERS, 32, 23)}.js",
        "self._auth = self._build_auth_with_key",
        "def sign(self, private_key: ed25519.Ed25519PrivateKey)",
        "password = 'password'",
        "password: str = 'current'",
        f"AWS_SECRET_ACCESS_KEY={HEX40}ab",
        "the key to success is:\n\nperseverance\n",
        f"the public key is:\n\n{KEY}\n",
        "",
    ],
)
def test_look_alikes_are_left_alone(text: str) -> None:
    """Placeholders, templates, digests, identifiers, paths, public keys, images and prose."""
    assert found(text) == []


@pytest.mark.parametrize("head", ["acme_live_", "newco-sk-", "ZETA_SRV_", "tok.v2."])
def test_a_telling_head_shows_a_token_of_an_unknown_service(head: str) -> None:
    """Issuers mark their secrets; a body of twenty random characters is enough then."""
    value = head + drawn(LETTERS, 22, 24)
    assert ("token_with_head", value) in found(f"it fails with {value} since noon")


def test_a_head_that_tells_nothing_needs_a_longer_body_or_a_word_before() -> None:
    """`zq_…` alone is an identifier as likely as a token: words about keys, or thirty-two characters, decide."""
    short, long = "zqx_" + drawn(LETTERS, 26, 25), "zqx_" + drawn(LETTERS, 36, 26)
    assert found(f"see {short}, please") == []
    assert found(f"our credentials for staging: see {short}, please") == [("token_with_head", short)]
    assert found(f"see {long}, please") == [("token_with_head", long)]


@pytest.mark.parametrize(
    "text", ["Here is my API token:\n\n{}\n", "the secret for the new bot user\n\n```\n{}\n```", "> my access token\n> {}"]
)
def test_a_value_on_a_line_below_the_words_is_found(text: str) -> None:
    """As people paste it into a chat."""
    assert found(text.format(KEY)) == [("generic_secret", KEY)]


def test_a_password_of_letters_counts_where_code_assigns_it() -> None:
    """In quotes after an equals sign; not as a YAML value or a label."""
    value = "".join(("white", "duke"))
    assert found(f"db_password = '{value}'") == [("password", value)]
    assert found(f"password: {value}") == []


def test_a_key_block_is_one_span() -> None:
    """PEM with newlines as such or escaped, from the first dash to the last."""
    body = drawn(LETTERS, 64, 8)
    for newline in ("\n", "\\n", "\r\n"):
        block = newline.join(("-----BEGIN RSA " + "PRIVATE KEY-----", body, body, "-----END RSA PRIVATE KEY-----"))
        assert found(f"key: {block} end") == [("private_key", block)]


def test_an_unfinished_key_block_is_found() -> None:
    """A block that was cut off is a secret as far as it goes."""
    block = "-----BEGIN OPENSSH " + "PRIVATE KEY-----\n" + drawn(LETTERS, 70, 9)
    assert found(block + "\n\n# end")[0][0] == "private_key"


@pytest.mark.parametrize("scheme", ["postgres", "mysql", "mongodb+srv", "redis", "amqps", "https", "ftp", "ldap"])
def test_the_password_of_an_address_is_the_span(scheme: str) -> None:
    """User and host are not part of it."""
    assert found(f"{scheme}://app:{KEY}@db.internal:5432/x")[0][1] == KEY


def test_basic_credentials_and_tokens_in_json_are_decoded() -> None:
    """What does not decode to user and password, or to a JSON header, is none."""
    basic = base64.b64encode(f"user:{KEY}".encode()).decode()
    assert found(f"Authorization: Basic {basic}") == [("basic_auth", basic)]
    parts = [base64.urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=") for part in ({"alg": "HS256"}, {"sub": "1234567"})]
    token = ".".join((*parts, drawn(LETTERS, 43, 10)))
    assert found(f"cookie {token};") == [("jwt", token)]
    assert found(f"cookie {parts[0][:-3]}.{parts[1]}.{token[-43:]};") == []


def test_a_kubernetes_secret_gives_its_values() -> None:
    """Each value under data, decoded or not."""
    values = [base64.b64encode(drawn(LETTERS, 18, seed).encode()).decode() for seed in (11, 12)]
    text = f"apiVersion: v1\nkind: Secret\nmetadata:\n  name: x\ndata:\n  user: {values[0]}\n  code: {values[1]}\n"
    assert [value for _, value in found(text)] == values


def test_checksums_raise_the_score() -> None:
    """A token with a right checksum is sure; with a wrong one it is still likely."""
    body = drawn(LETTERS, 30, 13)
    value, digits = zlib.crc32(body.encode()), ""
    alphabet = string.digits + string.ascii_uppercase + string.ascii_lowercase
    while value:
        value, rest = divmod(value, 62)
        digits = alphabet[rest] + digits
    right = "ghp_" + body + digits.rjust(6, "0")
    wrong = right[:-1] + ("A" if right[-1] != "A" else "B")
    assert checks.crc62(right) and not checks.crc62(wrong)
    assert [SCANNER.find(text)[0].score_ppm for text in (right, wrong)] == [1_000_000, 750_000]


def test_known_vectors_of_the_checksums() -> None:
    """Bech32 from BIP 173, Base58Check of the first block's address."""
    assert checks.bech32("A12UEL5L") and not checks.bech32("A12UEL5M") and not checks.bech32("x")
    address = "".join(("1A1zP1eP5QGefi2", "DMPTfTL5SLmv7DivfNa"))
    assert checks.base58check(address) and not checks.base58check(address[:-1] + "b") and not checks.base58check("0OIl")


def test_names_say_whether_and_whose() -> None:
    """Words that deny win over words that affirm."""
    assert names.strength(names.pieces("publicKey")) is names.Strength.NONE
    assert names.strength(names.pieces("api_key_id")) is names.Strength.NONE
    assert names.strength(names.pieces("clientSecret")) is names.Strength.SURE
    assert names.strength(names.pieces("db.password")) is names.Strength.PASSWORD
    assert names.service("MAILCHIMP_API_KEY") == "mailchimp" and names.service("sherpadeskSECRET") == "sherpadesk"
    assert names.service("nothing to see") == ""


def test_words_and_random_letters_are_told_apart() -> None:
    """The table of letter pairs, entropy and classes together."""
    assert shapes.random_looking(KEY) and shapes.random_looking(HEX32)
    for text in ("thisIsOnlyAnIdentifier", "some-kebab-case-name-2024", "administrator", "AAAAAAAAAAAAAAAAAAAA", "1234567890123456"):
        assert not shapes.random_looking(text)


@settings(max_examples=150, deadline=None)
@given(st.text(max_size=400))
def test_any_text_gives_spans_within_it(text: str) -> None:
    """Spans are in order, within the text, and do not overlap."""
    spans: list[Found] = SCANNER.find(text)
    assert all(0 <= span.start < span.end <= len(text) and span.type.startswith("SECRET/") for span in spans)
    assert all(first.end <= second.start for first, second in pairwise(spans))


@settings(max_examples=60, deadline=None)
@given(before=st.text(max_size=60), after=st.text(max_size=60))
def test_what_stands_around_a_token_does_not_hide_it(before: str, after: str) -> None:
    """A key with a form of its own is found whatever stands around, apart from characters that could be part of it."""
    token = "glpat-" + drawn(LETTERS, 20, 14)
    text = f"{before} {token} {after}"
    at = len(before) + 1
    assert any(span.start <= at and span.end >= at + 6 for span in SCANNER.find(text))


@pytest.mark.parametrize(
    "detector", [one for one in DETECTORS if one.name not in ("secret_tokens", "secret_of_service")], ids=lambda one: one.name
)
def test_patterns_are_bounded(detector: Detector) -> None:
    """The linter of patterns has nothing to say; tables of plain forms are left out for time."""
    assert lint(detector) == []
