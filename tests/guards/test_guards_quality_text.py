"""Language, refusals, loops, links, citations and risk of an answer."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from affiant.guards.quality import Asked, Code, Quality, identify
from affiant.guards.quality.links import parse

SAMPLES = {
    "en": "The meeting was moved to Tuesday because the room is not available this week.",
    "de": "Die Besprechung wurde auf Dienstag verschoben, weil der Raum nicht frei ist.",
    "fr": "La réunion a été déplacée à mardi parce que la salle n'est pas disponible.",
    "es": "La reunión se ha movido al martes porque la sala no está disponible.",
    "it": "La riunione è stata spostata a martedì perché la sala non è disponibile.",
    "pt": "A reunião foi mudada para terça-feira porque a sala não está disponível.",
    "nl": "De vergadering is verplaatst naar dinsdag omdat de zaal niet vrij is.",
    "sv": "Mötet har flyttats till tisdag eftersom rummet inte är ledigt den här veckan.",
    "fi": "Kokous on siirretty tiistaille, koska huone ei ole vapaa, mutta se on myös hyvä.",
    "pl": "Spotkanie jest we wtorek, bo sala nie jest wolna i co teraz z tego będzie.",
    "tr": "Toplantı salı günü olacak çünkü bu oda ve o oda çok dolu.",
    "ru": "Встреча перенесена на вторник, потому что комната не свободна и это так.",
    "uk": "Зустріч перенесено на вівторок, тому що кімната не вільна, але це також і добре.",
    "el": "Η συνάντηση μεταφέρθηκε την Τρίτη.",
    "ar": "تم نقل الاجتماع إلى يوم الثلاثاء",
    "he": "הפגישה הועברה ליום שלישי",
    "hi": "बैठक मंगलवार को है",
    "ko": "회의가 화요일로 옮겨졌습니다",
    "ja": "会議は火曜日に変更されました。",
    "zh": "会议改到星期二举行。",
}


def found(answer: str, asked: Asked | None = None) -> list[tuple[Code, str]]:
    return [(finding.code, answer[finding.start : finding.end]) for finding in Quality().check(answer, asked or Asked())]


@pytest.mark.parametrize("language", SAMPLES)
def test_the_language_of_a_sentence_is_known(language: str) -> None:
    assert identify(SAMPLES[language])[0] == language


@pytest.mark.parametrize("text", ["", "42", "Paris", "https://the.of.and/to", "```\nfor the in of and to:\n```", "!!!", "\ud800\ud800"])
def test_a_text_that_does_not_tell_has_no_language(text: str) -> None:
    assert identify(text)[0] == ""


def test_an_answer_in_another_language_is_found() -> None:
    assert found(SAMPLES["de"], Asked(language="en")) == [(Code.WRONG_LANGUAGE, SAMPLES["de"])]
    assert found(SAMPLES["de"], Asked(language="de-AT")) == []
    assert found("OK.", Asked(language="fr")) == []


@pytest.mark.parametrize(
    "answer",
    [
        "I'm sorry, but I can't help with that.",
        "I’m sorry, but I can’t assist with that request.",
        "As an AI language model, I cannot give opinions.",
        "Es tut mir leid, aber ich kann Ihnen dabei nicht helfen.",
        "Je suis désolé, mais je ne peux pas vous aider.",
        "Lo siento, pero no puedo ayudar con eso.",
        "Mi dispiace, ma non posso aiutarti.",
        "Desculpe, mas não posso ajudar com isso.",
        "Het spijt me, maar ik kan je daar niet mee helpen.",
    ],
)
def test_refusals_of_seven_languages(answer: str) -> None:
    assert [code for code, _ in found(answer)] == [Code.REFUSAL]


@pytest.mark.parametrize(
    "answer",
    [
        "I can help you with that. First, list your income.",
        "I cannot overstate how good this is.",
        "You can't help but admire it, and I am not sorry.",
        "The server cannot provide more memory.",
    ],
)
def test_what_only_sounds_like_a_refusal(answer: str) -> None:
    assert found(answer) == []


@pytest.mark.parametrize("answer", ["", "   \n", "…", "--- !!!"])
def test_an_empty_answer(answer: str) -> None:
    assert found(answer) == [(Code.EMPTY, answer)]


def test_a_loop_is_named_with_where_it_stands() -> None:
    answer = "Here is the plan for Zoë. " + "and then we go home. " * 20
    (code, text) = found(answer)[0]
    assert code is Code.REPETITION
    assert text.startswith(("and then", "we go", "home"))
    assert answer.rstrip().endswith(text)


@pytest.mark.parametrize(
    "answer",
    [
        "| a | b |\n|---|---|\n" + "| 0 | 0 |\n" * 30,
        "\n".join(f"{number}. Step {number} is about part {number} of the thing." for number in range(1, 12)),
        "-" * 400 + " done",
    ],
)
def test_tables_lists_and_rules_are_no_loops(answer: str) -> None:
    assert Code.REPETITION not in [code for code, _ in found(answer)]


@pytest.mark.parametrize(("answer", "finish"), [("All of it", "length"), ("```python\nx = 1", "stop"), ("word " * 50 + "and the", "stop")])
def test_an_answer_that_was_cut(answer: str, finish: str) -> None:
    assert Code.TRUNCATED in [code for code, _ in found(answer, Asked(finish=finish))]


def test_an_answer_that_ends_well_is_not_cut() -> None:
    assert found("All is well. " * 3 + "Done.", Asked(finish="stop")) == []


def test_placeholders_are_named() -> None:
    answer = "Dear [Your Name], Zoë of {{company}} says ${amount}. See [your cart](https://shop.example/cart). TODO"
    assert [text for code, text in found(answer) if code is Code.PLACEHOLDER] == ["[Your Name]", "{{company}}", "${amount}", "TODO"]


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("https://раypal.com/login", "look-alike letters"),
        ("https://xn--pypal-4ve.com", "look-alike letters"),
        ("https://xn--99999999999", "broken punycode"),
        ("https://paypa1.com", "look-alike name"),
        ("http://192.168.1.1/x", "numeric host"),
        ("http://3232235777/", "numeric host"),
        ("http://0x7f.1/", "numeric host"),
        ("http://[::1]:80/", "numeric host"),
        ("https://user:pw@host.example/", "credentials"),
        ("https://bit.ly/abc", "shortener"),
        ("javascript:alert(1)", "javascript scheme"),
        ("data:text/html;base64,PHNjcmlwdD4=", "data scheme"),
        ("file:///etc/passwd", "file scheme"),
        ("gopher://old.example/1", "unusual scheme"),
        ("https://paypal.secure.login.example/", "known name below another"),
    ],
)
def test_links_that_may_harm(url: str, why: str) -> None:
    answer = f"Für Zoë: {url} oder nicht"
    findings = Quality().check(answer, Asked())
    assert [(finding.code, finding.detail) for finding in findings] == [(Code.UNSAFE_LINK, why)]
    assert url.startswith(answer[findings[0].start : findings[0].end])


@pytest.mark.parametrize(
    "answer",
    [
        "See https://en.wikipedia.org/wiki/A_(b), https://docs.python.org/3/ and mailto:me@x.example.",
        "The data: see below. Note: at 10:30, C: drive, foo::bar, ratio 3:4.",
        "[example.org](https://www.example.org/a) and [the docs](https://docs.example.net)",
        "https://bücher.example/ and https://例え.example/",
    ],
)
def test_links_that_are_fine(answer: str) -> None:
    assert found(answer) == []


def test_a_link_that_shows_one_host_and_leads_to_another() -> None:
    assert [code for code, _ in found("[bank.example](https://evil.example/x)")] == [Code.UNSAFE_LINK]


def test_only_named_domains_are_allowed_where_some_are_named() -> None:
    asked = Asked(domains=("example.org",))
    assert found("https://example.org/ https://a.example.org/b", asked) == []
    assert found("https://notexample.org/", asked) == [(Code.UNSAFE_LINK, "https://notexample.org/")]
    assert found("https://example.org.evil.example/", asked) == [(Code.UNSAFE_LINK, "https://example.org.evil.example/")]


def test_an_address_is_read_as_browsers_do() -> None:
    assert parse("https:\\\\a.example\\@b.example/").host == "a.example"
    assert parse("https://a.example@b.example/").host == "b.example"
    assert parse("HTTPS://Host.Example.:443/x").host == "host.example"


def test_citations_that_cannot_be() -> None:
    good = "ISBN 978-0-306-40615-7, doi:10.1000/182, arXiv:1706.03762, ISSN 0378-5955"
    assert found(good) == []
    bad = "ISBN 978-0-306-40615-8, doi:foo, arXiv:2413.12345, ISSN 0378-5954"
    assert [code for code, _ in found(bad)] == [Code.BAD_CITATION] * 4


def test_sentences_that_contradict_each_other() -> None:
    assert found("The bridge opened in 1950. It is long. The bridge did not open in 1950.") == [
        (Code.CONTRADICTION, "The bridge did not open in 1950.")
    ]
    assert found("The tower is 324 metres tall in Paris. The tower is 310 metres tall in Paris.")[0][0] is Code.CONTRADICTION
    assert found("Step 1 opens the file. Step 2 opens the file. Is it open? It is open.") == []


def test_numbers_that_the_context_does_not_hold() -> None:
    asked = Asked(context="Revenue was 1.2 million in 2018.")
    assert found("Revenue was 1,200,000 in 2018, 2 more.", asked) == []
    assert found("Revenue was 1,200,000 in 2019.", asked) == [(Code.UNSOURCED_NUMBER, "2019")]


def test_risk_grows_with_each_sign() -> None:
    checker = Quality()
    plain = checker.report("The bridge opened in 1950.", Asked()).risk_ppm
    hedged = checker.report("I think the bridge perhaps opened in 1950.", Asked()).risk_ppm
    cited = checker.report("I think the bridge perhaps opened in 1950. ISBN 978-0-306-40615-8.", Asked()).risk_ppm
    assert 0 == plain < hedged < cited < 1_000_000
    assert checker.report("It is so.", Asked(), ungrounded_ppm=900_000).risk_ppm == 900_000
    assert [finding.code for finding in checker.report("It is so.", Asked(), ungrounded_ppm=900_000).found] == [Code.RISK]


@settings(max_examples=150)
@given(st.text(st.characters(codec=None) | st.sampled_from("ab1 .:/@[]{}()\n`'\"xn--")), st.sampled_from(["", "en", "de"]))
def test_whatever_the_text_findings_lie_within_it(text: str, language: str) -> None:
    report = Quality().report(text, Asked(language=language, domains=(), context=text[:40], max_chars=50), ungrounded_ppm=0)
    assert 0 <= report.risk_ppm <= 1_000_000
    for finding in report.found:
        assert 0 <= finding.start <= finding.end <= len(text)
        assert 0 <= finding.score_ppm <= 1_000_000


@pytest.mark.parametrize(
    "part", ["https://", "a@", "[x](", "{{", "ISBN 97 8", "data:", "x://a.", "1 ", "{", '"', "not open. ", "I am sorry "]
)
def test_long_hostile_texts_are_read(part: str) -> None:
    text = part * (60_000 // len(part))
    assert len(Quality().check(text, Asked())) <= len(text)
