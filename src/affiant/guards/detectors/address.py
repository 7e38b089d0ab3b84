"""Postal addresses: a street with a number, with the postcode and the town where they follow, as eight languages write them.

The word for *street* and a number beside it are what makes an address; a town alone is none. Leaves out: post-office boxes
without a town, names of buildings.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from affiant.guards.scan import Candidate, Detector, Found, Pattern

ADDRESS = "ADDRESS"
_UP = "[A-ZÀ-ÖØ-ÞŐŠŽ]"
_LOW = "[a-zß-öø-ɏ]"
_NAME = rf"(?:{_UP}[\w'’.-]{{0,24}})"
_NO = r"[0-9]{1,5}(?: ?[a-zA-Z](?![\w']))?(?: ?[-/] ?[0-9]{1,4}[a-zA-Z]?)?"
_TOWN = rf"{_UP}[\w'’-]{{1,24}}(?:[ -](?:{_UP}[\w'’-]{{1,24}}|am|an|der|de|del|la|le|les|sur|di|do|da|den|aan|zee|im|ob|upon)){{0,3}}"
_SEP = r"(?:,?(?: |\n ?)| - )"

_EN_KIND = (
    r"(?:(?:Street|St|Avenue|Ave|Road|Rd|Boulevard|Blvd|Drive|Lane|Ln|Parkway|Pkwy|Highway|Hwy|Crescent|Terrace)\b"
    r"|(?:Dr|Court|Ct|Place|Pl|Way|Square|Sq|Circle|Cir|Close|Row|Trail|Loop|Mews|Quay|Gardens|Grove|Hill|Broadway)(?=\.?,|\.?$|\.?\n))"
)
_STATE = r"(?:[A-Z]{2}|(?:[A-Z][a-z]{3,12})(?: [A-Z][a-z]{3,10})?)"
_EN = (
    rf"(?<![\w.,/-])[0-9]{{1,6}}[A-Za-z]? (?:(?:[NSEW]|North|South|East|West)\.? )?(?:(?:{_NAME}|[0-9]{{1,3}}(?:st|nd|rd"
    rf"|th)) ){{1,4}}?{_EN_KIND}\.?"
    rf"(?: (?:[NSEW]{{1,2}}|North|South|East|West)\b)?"
    rf"(?:,? (?:Apt|Apartment|Suite|Ste|Unit|Floor|Fl|#)\.? ?#?\w{{1,6}})?"
    rf"(?:{_SEP}{_TOWN}(?:{_SEP}{_STATE})?(?:,? (?:[0-9]{{5}}(?:-[0-9]{{4}})?|[A-Z]{{1,2}}[0-9][A-Z0-9]? ?[0-9][A-Z]{{2}}"
    rf"|[A-Z][0-9][A-Z] ?[0-9][A-Z][0-9])\b)"
    rf"|{_SEP}{_TOWN}, [A-Z]{{2}}\b)?"
)
_POST_DE = rf"(?:{_SEP}(?:[A-Z]{{1,2}}-)?[0-9]{{4,5}} {_TOWN})?"
_DE = (
    rf"(?<!\w){_UP}[\w.-]{{0,30}}(?:stra(?:ß|ss)e|str\.|weg|platz|allee|gasse|ring|damm|ufer|chaussee|steig|promenade)"
    rf" {_NO}{_POST_DE}"
)
_NL = (
    rf"(?<!\w){_UP}[\w.'-]{{0,30}}(?:straat|laan|weg|plein|gracht|kade|singel|dijk|dreef|hof|pad|steeg|markt)"
    rf" {_NO}(?:{_SEP}[0-9]{{4}} ?[A-Z]{{2}} {_TOWN})?"
)
_FR_NAME = r"(?:(?:de la|de l'|du|des|de|d'|la|le|les|l'|et|sur|aux) ?)"
_FR_KINDS = "(?:rue|avenue|av\\.|boulevard|bd|bld|place|chemin|allée|impasse|quai|route|cours|square|passage|faubourg|sentier|rond-point)"
_FR = (
    rf"(?<![\w.,])[0-9]{{1,4}}(?: ?(?:bis|ter|quater|[A-D](?!\w)))?,? {_FR_KINDS} (?:{_FR_NAME}{{0,3}}{_UP}[\w'’.-]{{1,24}}[ -]?){{1,5}}"
    rf"(?:(?:, ?|\n| - |(?<= ))?[0-9]{{5}} {_TOWN})?"
)
_ES_KINDS = (
    r"Calle|calle|C/|Avenida|avenida|Avda\.?|Av\.|Plaza|plaza|Pza\.|Paseo|paseo|Pº|Carretera|Camino|Ronda|Travesía"
    r"|Glorieta|Callejón"
)
_ES = (
    rf"(?<!\w)(?:{_ES_KINDS})"
    rf" ?(?:(?:de|del|la|las|los|el|y|San|Santa) ){{0,3}}(?:{_NAME}[ ,]{{1,2}}(?:(?:de|del|la|las|los|el|y) ){{0,3}}){{1,5}}"
    rf"(?:n\.?[º°o]\.? ?|núm\.? ?|#)?[0-9]{{1,4}}(?: ?[A-Z](?!\w))?(?:, ?[0-9]{{1,2}}\.?[ºª]\.?(?: ?[A-Za-z]{{1,4}}(?!\w))?)?"
    rf"(?:{_SEP}[0-9]{{5}} {_TOWN})?"
)
_IT_KINDS = r"Via|via|Viale|viale|Piazza|piazza|Corso|corso|Largo|Vicolo|Piazzale|Strada|Lungotevere|Contrada|Borgo"
_IT = (
    rf"(?<!\w)(?:{_IT_KINDS})"
    rf" (?:(?:del|della|dello|dei|delle|degli|di|da|dal|dalla|san|santa|la|le|il|e|[IVX]{{1,6}}|[0-9]{{1,2}}) |dell'"
    rf"|d'){{0,3}}(?:{_NAME},? (?:(?:e|di|del|della|da) )?){{1,4}}"
    rf"(?:n\.? ?)?[0-9]{{1,4}}(?:/?[a-zA-Z](?!\w))?(?:{_SEP}[0-9]{{5}} {_TOWN}(?: \(?[A-Z]{{2}}\)?(?!\w))?)?"
)
_PT_KINDS = r"Rua|rua|R\.|Avenida|Av\.|Travessa|Praça|Largo|Estrada|Alameda|Rodovia|Calçada|Beco"
_PT = (
    rf"(?<!\w)(?:{_PT_KINDS})"
    rf" (?:(?:de|da|do|das|dos|e) ){{0,3}}(?:{_NAME},? (?:(?:de|da|do|das|dos|e) ){{0,2}}){{1,5}}"
    rf"(?:n\.?[º°o]\.? ?)?[0-9]{{1,5}}(?: ?[A-Z](?!\w))?(?:, ?[0-9]{{1,2}}\.?[ºª]\.?(?: ?[A-Za-z]{{1,4}}(?!\w))?)?"
    rf"(?:{_SEP}(?:[0-9]{{4}}-[0-9]{{3}}|[0-9]{{5}}-[0-9]{{3}}) {_TOWN})?"
)
_ZH = "(?:路|街|大道|巷|胡同|弄)[0-9]{1,5}号(?:[0-9]{1,4}(?:号楼|栋|幢|单元|室|楼|层)){0,5}"
_PREFECTURES = (
    "東京都|北海道|京都府|大阪府|(?:青森|岩手|宮城|秋田|山形|福島|茨城|栃木|群馬|埼玉|千葉|神奈川|新潟|富山|石川|福井|山梨|長野|岐阜"
    "|静岡|愛知|三重|滋賀|兵庫|奈良|和歌山|鳥取|島根|岡山|広島|山口|徳島|香川|愛媛|高知|福岡|佐賀|長崎|熊本|大分|宮崎|鹿児島|沖縄)県"
)
_JA = rf"(?:{_PREFECTURES})[ぁ-ヿ一-鿿]{{2,20}}[0-9]{{1,4}}(?:(?:-|丁目|番地?|号|の)[0-9]{{0,4}}){{0,3}}"

_LEFT = {
    "de_word": re.compile(rf"(?:(?<!\w)(?:{_UP}[\w.-]{{1,24}}|{_UP}\.|an|am|der|dem|den|zum|zur|in|im)[ -]){{1,3}}$"),
    "zh": re.compile("[一-鿿]{1,24}$"),
}
_YEAR = re.compile(r" (?:19|20)[0-9]{2}$")
_NO_STREETS = ("Bundesstraße", "Bundesstrasse", "Landstraße ", "Staatsstraße", "Kreisstraße", "Autobahnring")  # roads with a number
_PLAIN_WORDS = ("Platz", "Weg", "Ring", "Markt", "Damm", "Ufer")
_ADJECTIVE = re.compile(r"(?:er|en|e|s|-|am|zum|im|den|dem)[ -]?$")
_ZH_LEAD = re.compile(".*(?:地址|住址|住在|位于|寄到|寄至|送到|送至|家在|搝到|是|为|在|到|至|于)")


def _validate(candidate: Candidate) -> Iterable[Found]:
    """The hit, and the street's name where it stands before the word that was hit."""
    start, rule, value = candidate.start, candidate.pattern.rule, candidate.value.rstrip(" -,\n")
    if rule in ("de", "de_word", "nl") and (_YEAR.search(value) or value.startswith(_NO_STREETS)):
        return ()
    if rule in _LEFT:
        left = _LEFT[rule].search(candidate.before(48))
        if left is None:
            return ()
        name = left.group()
        lead = _ZH_LEAD.match(name) if rule == "zh" else None
        start -= len(name) - (lead.end() if lead else 0)
        if start >= candidate.start:
            return ()
        if rule == "de_word" and value.startswith(_PLAIN_WORDS) and not _ADJECTIVE.search(name):
            return ()
    return (Found(start, candidate.start + len(value), ADDRESS, candidate.pattern.score_ppm),)


def _pattern(rule: str, regex: str, exact: str) -> Pattern:
    return Pattern(rule, ADDRESS, regex, exact, width=160, score_ppm=800_000)


_DE_ENDS = "(?:stra\\xc3\\x9fe|strasse|str\\.|weg|platz|allee|gasse|ring|damm|ufer|chaussee|steig|promenade)"  # bytes of UTF-8
_DE_WORDS = "(?:Stra(?:ß|ss)e|Str\\.|Weg|Platz|Allee|Gasse|Ring|Damm|Ufer|Chaussee|Markt)"
_NL_ENDS = "(?:straat|laan|weg|plein|gracht|kade|singel|dijk|dreef|hof|pad|steeg|markt)"
_ROMANCE_UP = r"(?:[A-Z0-9]|\xc3|d[aeio]|la |las |los |l'|du |San|II|XX)"
DETECTOR = Detector(
    "address",
    (
        _pattern("en", r"\b[0-9]{1,6}[A-Za-z]? (?:[A-Z]|[0-9]{1,3}(?:st|nd|rd|th) )", _EN),
        _pattern("de", rf"\b(?:[A-Z]|\xc3)[^ \n]{{0,30}}{_DE_ENDS} [0-9]", _DE),
        _pattern("de_word", rf"\b{_DE_WORDS} [0-9]", rf"{_DE_WORDS} {_NO}{_POST_DE}"),
        _pattern("nl", rf"\b[A-Z][^ \n]{{0,30}}{_NL_ENDS} [0-9]", _NL),
        _pattern("fr", rf"\b[0-9]{{1,4}}(?: ?(?:bis|ter|quater|[A-D]))?,? {_FR_KINDS} ", _FR),
        _pattern("es", rf"(?:{_ES_KINDS}) ?{_ROMANCE_UP}", _ES),
        _pattern("it", rf"\b(?:{_IT_KINDS}) {_ROMANCE_UP}", _IT),
        _pattern("pt", rf"\b(?:{_PT_KINDS}) {_ROMANCE_UP}", _PT),
        _pattern("zh", _ZH, ""),
        _pattern("ja", _PREFECTURES, _JA),
    ),
    _validate,
    rank=45,
)
