"""Draws persons, places, organizations and other fillers of a language, for templates and for swapping names."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence

from training.names.lists import LANGUAGES, Lists
from training.names.words import (
    COMPANY_ENDS,
    FOREIGN_HAN,
    FORMS,
    GEOGRAPHY,
    INSTITUTES,
    JOBS,
    KATAKANA,
    KNOWN_ORGS,
    KNOWN_ORGS_HAN,
    STATES,
    STREETS,
)

_PARTICLES: dict[str, list[str]] = FORMS["particles"]
_TITLES: dict[str, list[str]] = FORMS["titles"]
_BEFORE: dict[str, list[str]] = FORMS["before_places"]
_AFTER: dict[str, list[str]] = FORMS["after_places"]
_MONTHS: dict[str, list[str]] = FORMS["months"]
_LATIN = tuple(language for language in LANGUAGES if language not in ("zh", "ja"))


class Filler:
    """Draws fillers.

    Args:
        lists: names and places.
        rng: source of chance.
    """

    def __init__(self, lists: Lists, rng: random.Random) -> None:
        self.lists, self.rng = lists, rng
        self._nouns = {"en": lists.english_nouns, "de": lists.german_nouns}
        short = {language: [noun for noun in nouns if 2 < len(noun) < 8] for language, nouns in self._nouns.items()}
        named = {name.lower() for names in (*lists.first.values(), *lists.last.values()) for name in names}
        self._short = short
        self._like_names = {language: [noun for noun in nouns if noun.lower() in named] for language, nouns in self._nouns.items()}
        self.draw: dict[str, Callable[[str], str]] = {
            "P": self.person, "F": self.first, "L": self.last, "C": self.place, "K": self.country, "O": self.organization,
            "S": self.street, "D": self.date, "N": self.number, "Y": self.year, "E": self.email, "T": self.phone, "M": self.money,
            "H": self.title, "J": self.job, "W": self.ordinary, "G": self.geography, "A": self.state,
        }  # fmt: skip

    def _group(self, language: str) -> str:
        if language in ("zh", "ja") or self.rng.random() < 0.72:
            return language
        return self.rng.choice((*_LATIN, "other", "other"))

    def _skewed(self, values: Sequence[tuple[str, int]]) -> str:
        return values[int(len(values) * self.rng.random() ** 2.2)][0]

    def first(self, language: str) -> str:
        """A given name."""
        if language == "ja" and self.rng.random() < 0.3:
            return self.rng.choice(KATAKANA)
        name = self.rng.choice(self.lists.first[self._group(language)])
        if name.isascii() and len(name) > 4 and self.rng.random() < 0.06:
            return self._mangled(name)
        return name

    def _mangled(self, name: str) -> str:
        """A name like no listed one: a letter changed or two joined."""
        cut = self.rng.randrange(2, len(name) - 1)
        other = self.rng.choice(self.lists.last["other"]).lower()
        return name[:cut] + (other[-3:] if self.rng.random() < 0.5 and other.isalpha() else self.rng.choice("aeiou") + name[cut + 1 :])

    def last(self, language: str) -> str:
        """A family name."""
        group = self._group(language)
        if language == "zh":
            return self.rng.choice(self.lists.last["zh"][:] if self.rng.random() < 0.3 else self._common_han())
        if group == "en" and self.rng.random() < 0.6:
            name = self.lists.census[int(len(self.lists.census) * self.rng.random() ** 3)]
        else:
            name = self.rng.choice(self.lists.last[group])
        if self.rng.random() < 0.05 and group in _PARTICLES and name[:1].isupper():
            particle = self.rng.choice(_PARTICLES[group])
            return particle + ("" if particle in ("Mc", "O'", "D'") else " ") + name
        return self._mangled(name) if name.isascii() and name.isalpha() and len(name) > 4 and self.rng.random() < 0.06 else name

    def _common_han(self) -> list[str]:
        return list("王李张刘陈杨黄赵吴周徐孙马朱胡林郭何高罗郑梁谢宋唐许邓冯韩曹曾彭萧蔡潘田董袁于余叶蒋杜苏魏程吕丁任沈姚卢")

    def person(self, language: str) -> str:
        """A person's name in one of the usual forms."""
        if language in ("zh", "ja"):
            return self._han_person(language)
        group = self._group(language)
        first, last, dice = self.first(group), self.last(group), self.rng.random()
        if group in ("es", "pt") and dice < 0.55:
            return f"{first} {last} {self.last(group)}"
        if dice < 0.62:
            return f"{first} {last}"
        if dice < 0.70:
            return f"{first} {self.first(group)} {last}"
        if dice < 0.77:
            return f"{first} {self.rng.choice('ABCDEFGHJKLMNPRSTW')}{self.rng.choice(('.', '', '.'))} {last}"
        if dice < 0.81:
            return f"{first[0]}. {last}"
        if dice < 0.84:
            return f"{last}, {first}"
        if dice < 0.87:
            return f"{first} {last}-{self.last(group)}"
        if dice < 0.89:
            return f"{first} {last.upper()}"
        if dice < 0.91:
            return f"{last.upper()} {first}"
        return first if dice < 0.97 else last

    def _han_person(self, language: str) -> str:
        if language == "zh":
            if self.rng.random() < 0.08:
                return "·".join("".join(self.rng.choices(FOREIGN_HAN, k=self.rng.randint(2, 4))) for _ in range(self.rng.randint(1, 2)))
            given = self.rng.choice(self.lists.first["zh"])
            if self.rng.random() < 0.4:
                given = "".join(self.rng.choice(self.rng.choice(self.lists.first["zh"])) for _ in range(self.rng.randint(1, 2)))
            return self.last("zh") + self.rng.choice(("", "", "", " ")) + given
        if self.rng.random() < 0.12:
            return self.rng.choice(KATAKANA) + "・" + self.rng.choice(KATAKANA)
        return self.rng.choice(self.lists.last["ja"]) + self.rng.choice(("", "", " ", "　")) + self.rng.choice(self.lists.first["ja"])

    def country(self, language: str) -> str:
        """A country or continent as the language calls it."""
        return self.rng.choice(self.lists.countries[language])

    def place(self, language: str) -> str:
        """A city, state, country, or a made-up town of plausible form."""
        dice = self.rng.random()
        if dice < 0.14:
            return self.country(language)
        if language in ("zh", "ja"):
            name = self.rng.choice(self.lists.native[language] + self.lists.places[language])
            if dice < 0.3:
                end = self.rng.choice("市县区" if language == "zh" else "市区町県")
                return name.rstrip("市县縣区區省") + end if len(name) < 5 else name
            return name
        if dice < 0.18:
            return self.geography(language)
        if dice < 0.26 and self.lists.places.get(language):
            return self.rng.choice(self.lists.places[language])
        if dice < 0.40:
            return self._made_up(language)
        group = language if dice < 0.85 else self.rng.choice((*_LATIN, "other", "other", "other"))
        return self._skewed(self.lists.cities[group])

    def geography(self, language: str) -> str:
        """A river, sea, mountain, region or part of the world."""
        return self.rng.choice(GEOGRAPHY[language])

    def state(self, language: str) -> str:
        """The two letters of a state of the USA."""
        return self.rng.choice(STATES)

    def _made_up(self, language: str) -> str:
        stem = self.rng.choice(self.lists.last[language] if self.rng.random() < 0.6 else self.lists.first[language]).split(" ")[0]
        before, after = self.rng.choice(_BEFORE[language]), self.rng.choice(_AFTER[language])
        dice = self.rng.random()
        if dice < 0.4:
            return stem + after
        if dice < 0.75:
            return before + ("" if before[-1] in "- " else " ") + stem
        return before + ("" if before[-1] in "- " else " ") + stem + after

    def organization(self, language: str) -> str:
        """A company, institution, authority, club or abbreviation."""
        dice = self.rng.random()
        if language in ("zh", "ja"):
            if dice < 0.25:
                return self.rng.choice(KNOWN_ORGS_HAN[language])
            place, last = self.rng.choice(self.lists.native[language]), self.rng.choice(self.lists.last[language])
            if language == "zh":
                ends = ("科技有限公司", "贸易有限公司", "银行", "大学", "医院", "集团", "股份有限公司", "电视台", "公安局", "中学")
                return place + self.rng.choice(ends)
            forms = (
                f"株式会社{last}",
                f"{last}商事株式会社",
                f"{place}大学",
                f"{place}銀行",
                f"{place}市立病院",
                f"{last}工業",
                f"{place}県警",
            )
            return self.rng.choice(forms)
        if dice < 0.22:
            return self.rng.choice(KNOWN_ORGS)
        if dice < 0.42:
            place = self._skewed(self.lists.cities[language])
            return self.rng.choice(INSTITUTES[language]).format(c=place)
        if dice < 0.5:
            return "".join(self.rng.choice("ABCDEFGHIKLMNOPRSTUVW") for _ in range(self.rng.randint(3, 5)))
        stem = self.last(language)
        if dice < 0.62:
            stem += self.rng.choice(("tech", "soft", "net", "data", "pharm", "plan", "media", "systems", "-Werke", "bau", "lab")).lower()
        elif dice < 0.7:
            return f"{stem} {self.rng.choice(('&', 'and', '+'))} {self.last(language)}"
        elif dice < 0.75:
            return f"{stem}, {self.last(language)} {self.rng.choice(('&', 'and'))} {self.last(language)}"
        elif dice < 0.8:
            return stem + "-" + self.last(language) + (" Group" if language == "en" else "")
        return f"{stem} {self.rng.choice(COMPANY_ENDS[language])}"

    def street(self, language: str) -> str:
        """A street with its number."""
        form = self.rng.choice(STREETS[language])
        while "{n}" in form:
            form = form.replace("{n}", str(self.rng.randint(1, 999)), 1)
        return form.format(x=self.last(language))

    def date(self, language: str) -> str:
        """A day."""
        day, month, year = self.rng.randint(1, 28), self.rng.randint(1, 12), self.rng.randint(1940, 2026)
        if language in ("zh", "ja"):
            return f"{year}年{month}月{day}日"
        if self.rng.random() < 0.4:
            return f"{day:02d}{self.rng.choice('./-')}{month:02d}.{year}" if self.rng.random() < 0.5 else f"{year}-{month:02d}-{day:02d}"
        name = self.rng.choice(_MONTHS[language])
        return f"{name} {day}, {year}" if language == "en" else f"{day}{'.' if language == 'de' else ''} {name} {year}"

    def number(self, language: str) -> str:
        """A number."""
        return str(self.rng.randint(1, 10 ** self.rng.randint(1, 6)))

    def year(self, language: str) -> str:
        """A year."""
        return str(self.rng.randint(1780, 2026))

    def email(self, language: str) -> str:
        """An e-mail address."""
        name = self.rng.choice(self.lists.first["en"]).lower().replace(" ", "")
        last = self.rng.choice(self.lists.census[:999]).lower()
        return f"{name}{self.rng.choice(('', '.', '_'))}{last}@{self.rng.choice(('mail', 'post', 'web'))}.example"

    def phone(self, language: str) -> str:
        """A telephone number."""
        return f"+{self.rng.randint(1, 99)} {self.rng.randint(10, 999)} {self.rng.randint(1000, 9_999_999)}"

    def money(self, language: str) -> str:
        """An amount of money."""
        amount = self.rng.randint(1, 99_999)
        if language in ("zh", "ja"):
            return f"{amount}{'万元' if language == 'zh' else '万円'}"
        return self.rng.choice((f"${amount:,}", f"€ {amount}", f"{amount} EUR", f"{amount} {'Euro' if language == 'de' else 'euros'}"))

    def ordinary(self, language: str) -> str:
        """A common noun with a capital (German, English): any, a short one, or one that is somebody's name too."""
        dice = self.rng.random()
        pool = self._nouns if dice < 0.4 else self._short if dice < 0.8 else self._like_names
        noun = self.rng.choice(pool[language])
        return noun if language == "de" else noun[0].upper() + noun[1:]

    def title(self, language: str) -> str:
        """A form of address."""
        return self.rng.choice(_TITLES[language])

    def job(self, language: str) -> str:
        """A job's name."""
        return self.rng.choice(JOBS[language])
