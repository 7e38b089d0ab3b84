"""Which language a text is in, from its script and its commonest words. Bounded: only the beginning is read.

Short texts without such words have no answer (`""`), and that is said rather than guessed. Leaves out: dialects, and mixtures.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter

MAX_CHARS = 4_000
_MIN_WORDS = 2
_LETTER_WORD = 0.3  # words of one letter are initials, too
_WORD = re.compile(r"[^\W\d_]+")
# the words kept for each are common there and rare in the others; those that several share count for each in part
_COMMON_TEXT = {
    "en": "the of and to in is that it for was with as on are this be at by have from or not but which you they we were an has"
    " his her their"
    " there been if will would can more about when what who all one so your how my do any than its no out up could should into i a",
    "de": "nächste laut soll muss jede "
    "der die das und ist nicht ein eine einen einem einer zu den von mit sich auf für im dem auch es an werden aus er hat"
    " dass sie nach"
    " wird bei noch wie einem über so zum war haben nur oder aber vor zur bis mehr durch man sein wurde sind ich wir kann wenn ihr als ja",
    "fr": "sera aura seront lieu faire prochain prochaine depuis selon doit "
    "le la les de des et un une du est en que qui dans pour pas sur au plus par avec ne ce il elle sont cette ou mais se"
    " comme nous vous"
    " ils être fait été aux son sa ses leur on tout même où ont peut aussi je très bien sans votre c'est était l d à y",
    "es": "será serán hacia según cada hacer próximo próxima fueron "
    "el la los las de que y en un una del es por con no para se su al lo como más pero sus le ya o este sí porque esta"
    " entre cuando muy"
    " sin sobre también me hasta hay donde quien desde todo nos durante uno ni ese eso había esto antes algunos son está ser fue tiene",
    "it": "sarà saranno prossimo prossima secondo verso fare deve "
    "il lo la gli le di e che un una del della è in per non con si da sono nel alla ma come dei al più anche delle ha o"
    " questo se ci dal"
    " nella i essere stato suo sua loro quando ho così molto tutti tra già dopo mi solo perché degli quello cui può era l",
    "pt": "será serão próximo próxima segundo fazer deve cada "
    "o a os as de que e do da em um uma para com não no na se por mais dos como mas foi ao ele das tem à seu sua ou ser"
    " quando muito há"
    " nos já está eu também só pelo pela até isso ela entre era depois sem mesmo aos são você foram sobre às",
    "nl": "volgende volgens moet tegen elke "
    "de het een en van ik te dat die in is niet zijn op aan met als voor had er maar om hem dan zou of wat mijn men dit zo"
    " door over ze"
    " zich bij ook tot je uit der daar haar naar heb hoe heeft hebben deze u want nog wordt worden kan meer werd geen",
    "sv": "och att det som en är på för av med den till inte har de ett om var jag men från kan vi så när han eller hade nu mycket sig där"
    " också efter skulle vid mot ska bara mellan alla andra denna vara blir sin över",
    "da": "og at det som en er på for af med den til ikke har de et om var jeg men fra kan vi så når han eller havde nu meget sig"
    " der også efter"
    " skulle ved mod skal kun mellem alle andre denne være bliver sin over hvad hvor blev ud op",
    "no": "og at det som en er på for av med den til ikke har de et om var jeg men fra kan vi så når han eller hadde nå mye seg"
    " der også etter"
    " skulle ved mot skal bare mellom alle andre denne være blir sin over hva hvor ble ut opp",
    "fi": "ja on ei että se hän oli joka mutta niin kun ovat myös tai kuin ole sen mukaan vain jos olla sekä kanssa nyt vielä"
    " siitä jo hänen"
    " tämä sitä mitä minä me te he",
    "pl": "i w na z do się nie to że jest o jak po co tak za od przez ale dla czy już jego są może ich oraz być tylko ten ma"
    " który która które"
    " był było przy tym jej także bardzo",
    "cs": "a v na se že je s z do o to jako za by ale po od jsem podle si jeho které který která být pro jsou jen nebo také už má"
    " při tak až"
    " bylo není když více",
    "ro": "și de în la a un o cu pe nu că din se este care mai pentru sunt ca dar sau fost prin după lui fi au această acest sa"
    " ale al ei cum"
    " fiind când între",
    "hu": "a az és hogy nem is egy ez de van meg ha csak mint már el volt azt még vagy lesz kell szerint ki amely ezt minden után",
    "tr": "ve bir bu için ile de da çok olarak daha olan gibi var ne kadar sonra ama en her o ise değil ben sen biz mi mı şey yok oldu"
    " olduğu tarafından",
    "id": "yang dan di dengan untuk tidak ini itu dari dalam pada adalah akan juga oleh sebagai ada telah dapat atau karena"
    " mereka saya kita",
    "ru": "и в не на что он с как это по но из у за от так же для вы бы только его было мы все они к то я а о или если при был может",
    "uk": "і в не на що він з як це по але із у за від так для ви його було ми всі вони до та я а або якщо при був може є й",
    "bg": "и в не на че с от за са се да е по към като при или това той тя които който ще има най беше са",
}  # fmt: skip
LATIN_CYRILLIC = tuple(_COMMON_TEXT)
LANGUAGES = (*LATIN_CYRILLIC, "el", "he", "ar", "fa", "hi", "th", "ko", "ja", "zh")


def _weights() -> dict[str, tuple[tuple[str, float], ...]]:
    owners: dict[str, list[str]] = {}
    for language, text in _COMMON_TEXT.items():
        for word in dict.fromkeys(text.split()):
            owners.setdefault(word, []).append(language)
    return {
        word: tuple((language, len(languages) ** -1.5 * (1.0 if len(word) > 1 else _LETTER_WORD)) for language in languages)
        for word, languages in owners.items()
    }


_WORDS = _weights()
_LETTERS = {
    "ß": "de", "ä": "de sv fi", "ö": "de sv fi hu tr", "ü": "de tr hu", "ñ": "es",
    "¿": "es", "¡": "es", "ã": "pt", "õ": "pt", "å": "sv da no",
    "ø": "da no", "æ": "da no", "ł": "pl", "ż": "pl", "ę": "pl", "ą": "pl",
    "ř": "cs", "ě": "cs", "ů": "cs", "ț": "ro", "ș": "ro", "ă": "ro",
    "ő": "hu", "ű": "hu", "ı": "tr", "ğ": "tr", "ş": "tr", "ê": "fr pt", "è": "fr it", "ç": "fr pt tr", "œ": "fr", "ò": "it", "ì": "it",
    "ы": "ru", "э": "ru", "ё": "ru", "ї": "uk", "є": "uk", "ґ": "uk", "і": "uk", "ъ": "bg",
}  # fmt: skip
_LETTER_WEIGHT = 0.15
# runs of letters that are frequent in one of them and rare in the others
_RUN_TEXT = {
    "en": "th|ing |ght|wh|tion |ould", "de": "sch|ung |keit|cht|lich|ein", "fr": "eur |aux |ment |tion |ux |ille|eau",
    "es": "ción|iento|dad |ción |ará |erá |ión |uye|ía |los ", "it": "zione|gli|tà |cch|zza |mente |nno ",
    "pt": "ção|ões|ão |nh|lh|mente |ções",
    "nl": "ij|aan|oe|heid |sch|eel|oor", "pl": "sz|cz|rz|owa|nie |ych ", "cs": "ní |ých |ého |ově", "fi": "ään|sta |ssa |lla |kk|inen ",
    "tr": "lar |ler |yor|dır|ında|mak ", "hu": "gy|sz|nak |ban |ség", "ro": "ului |ilor |ţ|ea ", "sv": "ö|ning |för|ade ",
    "da": "ede |hed |af ",
    "no": "ene |het |av ", "id": "kan |nya |meng|ang ",
}  # fmt: skip
_RUNS = tuple((run, language) for language, runs in _RUN_TEXT.items() for run in runs.split("|"))
_RUN_WEIGHT = 0.12
_SCRIPTS = {
    "GREEK": "el", "HEBREW": "he", "ARABIC": "ar", "DEVANAGARI": "hi", "THAI": "th", "HANGUL": "ko", "HIRAGANA": "ja", "KATAKANA": "ja",
    "CJK": "zh",
}  # fmt: skip
_PERSIAN = frozenset("پچژگکی")
_CODE = re.compile(r"```.*?(?:```|$)|`[^`\n]*`|https?://\S+", re.DOTALL)


def identify(text: str) -> tuple[str, float]:
    """The language of a text as an ISO 639-1 code, and how sure that is, 0..1; ("", 0.0) where nothing tells.

    Code and addresses are not read; at most the first `MAX_CHARS` characters are.
    """
    sample = _CODE.sub(" ", text[:MAX_CHARS])
    if not sample.isascii():
        found = _by_script(sample)
        if found[0]:
            return found
    scores: dict[str, float] = {}
    words = _WORD.findall(sample.lower())
    known = 0
    for word, count in Counter(words).items():
        owners = _WORDS.get(word)
        if owners:
            known += count
            for language, weight in owners:
                scores[language] = scores.get(language, 0.0) + weight * min(count, 8)
    if not sample.isascii():
        for letter, languages in _LETTERS.items():
            count = sample.count(letter) + (sample.count(letter.upper()) if letter != "ı" else 0)
            for language in languages.split() if count else ():
                scores[language] = scores.get(language, 0.0) + _LETTER_WEIGHT * min(count, 20) / len(languages.split())
    low = " ".join(words) + " "
    for run, language in _RUNS:
        count = low.count(run)
        if count and language in scores:
            scores[language] += _RUN_WEIGHT * min(count, 12)
    if known < _MIN_WORDS or not scores:
        return "", 0.0
    order = sorted(scores, key=lambda language: (-scores[language], language))
    first = scores[order[0]]
    second = scores[order[1]] if len(order) > 1 else 0.0
    return order[0], (first - second) / first * min(1.0, known / 4)


def _by_script(sample: str) -> tuple[str, float]:
    """The language of a text whose script says it; ("", 0.0) for Latin and Cyrillic, which many share."""
    counts: Counter[str] = Counter()
    for char, count in Counter(sample).items():
        if char.isalpha():
            counts[_script(char)] += count
    total = sum(counts.values())
    if not total:
        return "", 0.0
    kana = counts["HIRAGANA"] + counts["KATAKANA"]
    if kana and kana + counts["CJK"] > total / 3:
        return "ja", (kana + counts["CJK"]) / total
    script, count = counts.most_common(1)[0]
    if script not in _SCRIPTS:
        return "", 0.0
    language = _SCRIPTS[script]
    if language == "ar" and sum(sample.count(letter) for letter in _PERSIAN) * 20 > total:
        language = "fa"
    return language, count / total


_SCRIPT_OF: dict[str, str] = {}


def _script(char: str) -> str:
    known = _SCRIPT_OF.get(char)
    if known is None:
        known = "LATIN" if char.isascii() else unicodedata.name(char, "OTHER").partition(" ")[0]
        if len(_SCRIPT_OF) < 20_000:
            _SCRIPT_OF[char] = known
    return known
