"""Secrets that are known by what encloses them: key blocks, addresses with credentials, connection strings, headers, hashes of passwords.

Leaves out: tokens with a form (`judge`) and assignments (`assigned`).
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from affiant.guards.detectors.secrets import checks, seeds
from affiant.guards.detectors.secrets.form import PREFIX, TRUSTED, USUAL, open_form
from affiant.guards.detectors.secrets.shapes import machinery, placeholder, template
from affiant.guards.scan import Candidate, Found, Pattern

KEY_LIMIT = 16_384  # characters of a key block
_NEARBY = 2_048  # characters before and after `kind: Secret` that its document is looked for in
_DULL_PASSWORD = re.compile(
    r"(?i)(?:pass(?:word|wd)?|pwd|pw|secret|password123|user(?:name)?|token|key|test|admin|root|postgres|mysql|redis|guest|rabbitmq|mongo"
    r"|changeme|example|xxx+|\*+|pass(?:word)?_?here|api_?key|your.*|my.*|credentials?|login|hunter2|s3cr[e3]t|user:pass)"
)
_PEM_RUN = re.compile(r"[A-Za-z0-9+/=\s\\:,.-]*")
_PEM_BODY = re.compile(r"[A-Za-z0-9+/=\\]{16}")
_DATA = re.compile(r"(?:^|\n)data:[ \t]*(?=\r?\n)")
_ENTRY = re.compile(r"\r?\n[ \t]{1,12}[A-Za-z0-9_.-]{1,120}:[ \t]*[\"']?(?P<v>[A-Za-z0-9+/]{8,8000}={0,2})[\"']?[ \t]*(?=\r?\n|$)")


def _span(candidate: Candidate, kind: str, score: int = USUAL) -> tuple[Found, ...]:
    return (Found(candidate.start, candidate.end, PREFIX + kind, score),)


def _key_block(candidate: Candidate) -> Iterable[Found]:
    """From the BEGIN line to the END line, or as far as there is a body."""
    text, start = candidate.text, candidate.start
    dashes = text.find("-----", candidate.end, candidate.end + KEY_LIMIT)
    if dashes >= 0 and text.startswith("-----END", dashes):
        tail = text.find("-----", dashes + 8, dashes + 80)
        end = tail + 5 if tail >= 0 else dashes
        body = text[candidate.end : dashes]
    else:
        run = _PEM_RUN.match(text, candidate.end, dashes if dashes >= 0 else candidate.end + KEY_LIMIT)
        body = run.group() if run else ""
        end = candidate.end + len(body.rstrip())
    if not _PEM_BODY.search(body) or len(set(body)) < 12:
        return ()
    return (Found(start, end, candidate.pattern.type, TRUSTED),)


def _url(candidate: Candidate) -> Iterable[Found]:
    """The password of an address, unless it is a template or the word *password* itself."""
    value = candidate.value
    if template(value) or _DULL_PASSWORD.fullmatch(value) or len(set(value)) < 3 or "..." in value:
        return ()
    return _span(candidate, candidate.pattern.rule)


def _basic(candidate: Candidate) -> Iterable[Found]:
    user, colon, password = checks.unbase64(candidate.value).partition(b":")
    if not colon or len(user) + len(password) < 5 or not (user + password).isascii():
        return ()
    return _span(candidate, "basic_auth")


def _jwt(candidate: Candidate) -> Iterable[Found]:
    if not checks.json_header(candidate.value.split(".", 1)[0]):
        return ()
    return _span(candidate, "jwt")


def _wallet(candidate: Candidate) -> Iterable[Found]:
    return _span(candidate, candidate.pattern.rule, TRUSTED) if checks.base58check(candidate.value) else ()


def _jwt_base64(candidate: Candidate) -> Iterable[Found]:
    inner = checks.unbase64(candidate.value)
    return _span(candidate, "jwt_base64") if inner.startswith(b"eyJ") and inner.count(b".") == 2 else ()


def _kubernetes(candidate: Candidate) -> Iterable[Found]:
    """The Base64 values under `data:` of the document that the hit stands in."""
    text = candidate.text
    first = max(text.rfind("\n---", 0, candidate.start), candidate.start - _NEARBY, 0)
    last = text.find("\n---", candidate.end, candidate.end + _NEARBY)
    last = last if last >= 0 else min(len(text), candidate.end + _NEARBY)
    found: list[Found] = []
    block = _DATA.search(text, first, last)
    entry = _ENTRY.match(text, block.end(), last) if block else None
    while entry:
        if len(checks.unbase64(entry["v"])) >= 4:
            found.append(Found(entry.start("v"), entry.end("v"), PREFIX + "kubernetes_secret", USUAL))
        entry = _ENTRY.match(text, entry.end(), last)
    return found


def _plain(candidate: Candidate) -> Iterable[Found]:
    return () if placeholder(candidate.value) or machinery(candidate.value) else _span(candidate, candidate.pattern.rule)


def _password(candidate: Candidate) -> Iterable[Found]:
    value = candidate.value
    if template(value) or _DULL_PASSWORD.fullmatch(value) or len(set(value)) < 4 or value[0] in "{<$%[":
        return ()
    return _span(candidate, candidate.pattern.rule)


def _verbatim(candidate: Candidate) -> Iterable[Found]:
    return _span(candidate, candidate.pattern.rule)


_PEM = r"-----BEGIN (?:[A-Z0-9]{2,12} ){0,3}PRIVATE KEY(?: BLOCK)?-----"
_SCHEMES = (
    ("postgres_url", "postgres(?:ql)?(?:\\+[a-z0-9]{2,12})?"),
    ("mysql_url", "(?:mysql2?|mariadb)(?:\\+[a-z]{2,12})?"),
    ("mongodb_url", "mongodb(?:\\+srv)?"),
    ("redis_url", "rediss?"),
    ("amqp_url", "amqps?"),
    ("mssql_url", "(?:mssql|sqlserver)(?:\\+[a-z]{2,12})?"),
    ("clickhouse_url", "clickhouse(?:\\+[a-z]{2,12})?"),
    ("cockroach_url", "cockroachdb"),
    ("snowflake_url", "snowflake"),
    ("kafka_url", "kafka"),
    ("nats_url", "nats|mqtts?"),
    ("ldap_url", "ldaps?"),
    ("smtp_url", "smtps?|imaps?|pop3s?"),
    ("ftp_url", "ftps?|sftp|ssh|rsync"),
    ("cloudinary_url", "cloudinary"),
    ("git_url", "git\\+https?"),
    ("http_url_password", "https?"),
    ("proxy_url", "socks5h?|socks4|ss|vmess|trojan"),
)
_URL_TAIL = r"://[^\s:/?#@\"'`<>\[\]()|,]{0,80}:(?P<v>[^\s/?#@\"'`<>|]{1,160}|[^\s?#@\"'`<>|]{1,160})@(?=[A-Za-z0-9_\[$%{-])"

_URLS = tuple(
    Pattern(kind, PREFIX + kind, f"(?:{scheme})://", rf"(?<![A-Za-z0-9+])(?:{scheme}){_URL_TAIL}", True, 400, USUAL)
    for kind, scheme in _SCHEMES
)
_JWT = open_form(
    "jwt",
    "ey(?:J|A)[A-Za-z0-9_-]{10}",
    r"(?<![A-Za-z0-9_-])(?P<v>ey[JA][A-Za-z0-9_-]{10,2000}\.ey[JA][A-Za-z0-9_/\\-]{10,6000}\.[A-Za-z0-9_/\\-]{10,1200})",
    width=2_048,
)
_HASHES = (
    open_form("bcrypt_hash", r"\$2[abxy]\$[0-9]{2}\$[./A-Za-z0-9]{50}", r"(?P<v>\$2[abxy]\$\d{2}\$[./A-Za-z0-9]{53})"),
    open_form(
        "crypt_hash",
        r"\$(?:1|5|6|8|9|y|gy|apr1|md5)\$",
        r"(?P<v>\$(?:1|5|6|8|9|y|gy|apr1|md5)\$(?:rounds=\d{1,10}\$)?[./A-Za-z0-9]{2,24}\$[./A-Za-z0-9]{20,90})",
    ),
    open_form(
        "argon2_hash",
        r"\$argon2(?:id|i|d)\$v=",
        r"(?P<v>\$argon2(?:id|i|d)\$v=\d{1,10}\$[a-z0-9=,]{6,40}\$[A-Za-z0-9+/]{8,64}\$[A-Za-z0-9+/]{16,128})",
    ),
    open_form(
        "scrypt_hash",
        r"\$(?:scrypt|7|pbkdf2-sha(?:1|256|512))\$",
        r"(?P<v>\$(?:scrypt|7|pbkdf2-sha(?:1|256|512))\$[./A-Za-z0-9=,$+]{40,300})",
    ),
    open_form(
        "django_password_hash",
        r"(?:pbkdf2_sha(?:1|256)|bcrypt_sha256)\$[0-9]{2}",
        r"(?P<v>(?:pbkdf2_sha(?:1|256)|bcrypt_sha256)\$\d{1,10}\$[A-Za-z0-9+/=$.]{20,120})",
    ),
    open_form(
        "kerberos_hash", r"\$krb5(?:asrep|tgs|pa)\$[0-9]{2}\$", r"(?P<v>\$krb5(?:asrep|tgs|pa)\$\d{2}\$[^\s\"']{40,4000})", width=2_048
    ),
    open_form("ntlm_hash", "[0-9a-f]{32}:[0-9a-f]{32}:::", r"(?P<v>(?<![0-9a-f])[0-9a-f]{32}:[0-9a-f]{32}):::", case=False),
    open_form("ldap_password_hash", r"\{S?SHA\}[A-Za-z0-9+/=]{20}", r"(?P<v>\{S?SHA\}[A-Za-z0-9+/=]{28,64})", case=False),
)
_BLOCKS = (
    open_form("private_key", _PEM, _PEM, width=80),
    open_form("ssh2_private_key", "---- BEGIN SSH2 ENCRYPTED PRIVATE KEY ----", "---- BEGIN SSH2 ENCRYPTED PRIVATE KEY ----", width=80),
    open_form("openvpn_static_key", "-----BEGIN OpenVPN Static key V1-----", "-----BEGIN OpenVPN Static key V1-----", width=80),
)
_PUTTY = open_form(
    "putty_private_key",
    r"PuTTY-User-Key-File-[0-9]: ",
    r"(?P<v>PuTTY-User-Key-File-\d: [^\0]{60,6000}?Private-MAC: [0-9a-f]{40,64})",
    width=2_048,
)
_RSA_XML = open_form("rsa_xml_key", "<D>[A-Za-z0-9+/=]{40}", r"<D>(?P<v>[A-Za-z0-9+/=\s]{40,800})</D>\s{0,8}</RSAKeyValue>")
_JWK = open_form("jwk_private_key", r"\"d\" {0,4}: {0,4}\"[A-Za-z0-9_-]{40}", r"\"d\" {0,4}: {0,4}\"(?P<v>[A-Za-z0-9_-]{40,800})\"")
_KUBE = open_form("kubernetes_client_key", "client-key-data: ", r"client-key-data: (?P<v>LS0t[A-Za-z0-9+/=]{40,6000})", width=2_048)
_DOCKER = open_form(
    "docker_auth", r"\"auth\" {0,4}: {0,4}\"[A-Za-z0-9+/]{8}", r"\"auth\" {0,4}: {0,4}\"(?P<v>[A-Za-z0-9+/]{8,400}={0,2})\""
)
_NPMRC = open_form(
    "npmrc_auth", r"_auth(?:Token)? {0,4}= {0,4}", r"(?<![A-Za-z0-9])_auth(?:Token)? {0,4}= {0,4}\"?(?P<v>[A-Za-z0-9+/_=.-]{8,400})"
)
_WIREGUARD = open_form(
    "wireguard_key", r"(?:Private|Preshared)Key {0,4}= {0,4}", r"(?:Private|Preshared)Key {0,4}= {0,4}(?P<v>[A-Za-z0-9+/]{43}=)"
)
_WALLETS = (
    open_form(
        "bitcoin_private_key",
        "[5KLc9][1-9A-HJ-NP-Za-km-z]{50}",
        r"(?<![A-Za-z0-9])(?P<v>[5KLc9][1-9A-HJ-NP-Za-km-z]{50,51})(?![A-Za-z0-9])",
    ),
    open_form(
        "bitcoin_extended_key",
        "[xyzt]prv[1-9A-HJ-NP-Za-km-z]{100}",
        r"(?<![A-Za-z0-9])(?P<v>[xyzt]prv[1-9A-HJ-NP-Za-km-z]{100,112})(?![A-Za-z0-9])",
    ),
)
_JWT_BASE64 = open_form("jwt_base64", "ZXlK[A-Za-z0-9+/]{60}", r"(?<![A-Za-z0-9+/])(?P<v>ZXlK[A-Za-z0-9+/]{60,6000}={0,2})")
_SIDEKIQ = open_form(
    "sidekiq_credentials",
    r"(?:enterprise|gems)(?:__|\.)contribsys(?:__|\.)com[\"' ]{0,3}[=:]",
    r"(?:enterprise|gems)(?:__|\.)contribsys(?:__|\.)com[\"' ]{0,3}[=:][\"' ]{0,3}(?P<v>[0-9a-f]{8}:[0-9a-f]{8})",
    case=False,
)
_KUBE_SECRET = open_form("kubernetes_secret", "kind: {0,4}[\"']?Secret", r"kind: {0,4}[\"']?Secret[\"']?\s", width=24)
_BASIC = open_form(
    "basic_auth", "basic {1,4}[A-Za-z0-9+/]{8}", r"basic {1,4}(?P<v>[A-Za-z0-9+/]{8,400}={0,2})(?![A-Za-z0-9+/=])", case=False
)
_COMMANDS = (
    open_form("curl_password", "curl ", r"curl [^\n]{0,90}?(?:-u|--user)[ =][\"']?[^\s:\"']{1,80}:(?P<v>[^\s\"'@]{4,160})", width=600),
    open_form(
        "mysql_password", "mysql(?:dump|admin)? ", r"mysql(?:dump|admin)? (?:[^\n]{0,90}?\s)?-p(?P<v>[^\s\"'-][^\s\"']{4,80})(?=\s|$)"
    ),
    open_form("sshpass_password", r"sshpass -p", r"sshpass -p ?[\"']?(?P<v>[^\s\"']{4,80})"),
    open_form("psexec_password", "psexec", r"psexec[^\n]{0,90}? -p (?P<v>\S{4,80})", case=False),
    open_form("net_use_password", "net use ", r"net use [^\n]{0,90}?/user:\S{1,60} (?P<v>[^\s/]{4,80})", case=False),
    open_form("openssl_pass", r"-pass(?:in|out)? pass:", r"-pass(?:in|out)? pass:(?P<v>[^\s\"']{4,80})"),
    open_form("docker_login_password", "docker login ", r"docker login [^\n]{0,90}?(?:-p|--password)[ =](?P<v>[^\s\"']{4,200})"),
    open_form(
        "powershell_secure_string",
        "ConvertTo-SecureString",
        r"ConvertTo-SecureString (?:-String )?[\"'](?P<v>[^\"'\n$]{4,160})[\"']",
        case=False,
    ),
    open_form(
        "network_credential",
        r"NetworkCredential\(",
        r"NetworkCredential\( ?[\"'][^\"'\n]{1,120}[\"'], ?[\"'](?P<v>[^\"'\n]{4,160})[\"']",
        case=False,
    ),
    open_form(
        "sql_identified_by",
        "IDENTIFIED (?:WITH [a-z0-9_']{4,40} )?(?:BY|AS) ",
        r"IDENTIFIED (?:WITH [a-z0-9_']{4,40} )?(?:BY|AS) (?:PASSWORD )?['\"](?P<v>[^'\"\n]{4,120})['\"]",
    ),
    open_form(
        "netrc_password",
        r"machine [A-Za-z0-9.-]{2,80}\s{1,8}login \S{1,80}\s{1,8}password ",
        r"machine [A-Za-z0-9.-]{2,80}\s{1,8}login \S{1,80}\s{1,8}password (?P<v>\S{4,200})",
    ),
    open_form("redis_requirepass", "(?:requirepass|masterauth) ", r"(?:requirepass|masterauth) (?P<v>[^\s#\"']{6,200})"),
    open_form(
        "connection_string_password",
        r";? {0,4}(?:password|pwd) {0,4}=",
        r"; {0,4}(?:password|pwd) {0,4}= {0,4}(?P<v>[^;\"'\s]{5,128})(?=[;\"'\s]|$)",
        case=False,
    ),
    open_form(
        "directory_entry_password",
        r"DirectoryEntry\(",
        r"DirectoryEntry\( ?[\"'][^\"'\n]{1,120}[\"'],\s{0,24}[\"'][^\"'\n]{1,80}[\"'],\s{0,24}[\"'](?P<v>[^\"'\n]{4,80})[\"']",
    ),
    open_form(
        "oracle_thin_password",
        "jdbc:oracle:[a-z0-9]{2,8}:[A-Za-z0-9_$#.-]{1,40}/",
        r"jdbc:oracle:[a-z0-9]{2,8}:[A-Za-z0-9_$#.-]{1,40}/(?P<v>[^\s@/\"']{4,80})@",
    ),
    open_form(
        "wordpress_salt",
        r"define\( ?['\"](?:AUTH|SECURE_AUTH|LOGGED_IN|NONCE)_(?:KEY|SALT)",
        r"define\( ?['\"](?:AUTH|SECURE_AUTH|LOGGED_IN|NONCE)_(?:KEY|SALT)['\"], {0,4}['\"](?P<v>[^\n]{40,80})['\"] ?\)",
    ),
)

GROUPS = (
    ("key_blocks", _BLOCKS, _key_block, 5),
    ("jwt", (_JWT,), _jwt, 12),
    ("urls", _URLS, _url, 8),
    ("jwt_base64", (_JWT_BASE64,), _jwt_base64, 12),
    ("kubernetes", (_KUBE_SECRET,), _kubernetes, 13),
    ("basic", (_BASIC, _DOCKER), _basic, 12),
    ("wallets", _WALLETS, _wallet, 10),
    ("seeds", seeds.PATTERNS, seeds.seed, 14),
    ("commands", _COMMANDS, _password, 14),
    ("hashes", _HASHES, _verbatim, 11),
    ("enclosed", (_PUTTY, _RSA_XML, _JWK, _KUBE, _NPMRC, _WIREGUARD, _SIDEKIQ), _plain, 11),
)
"""Name, patterns, judge and rank of each group."""
