"""Valid identifiers made by the numbering plans and check digits themselves, in sentences of nine languages."""

from __future__ import annotations

import random
from functools import lru_cache

import phonenumbers
import pytest
from stdnum import iban as iban_check
from stdnum import luhn

from affiant.guards.detectors import iban, pii
from affiant.guards.scan import Scanner

SENTENCES = {
    "en": (
        "Please call Mrs Hill on {phone} after five.",
        "We refunded card {card} today.",
        "Pay the rent to {iban}, thanks.",
        "Write to {email}!",
    ),
    "de": (
        "Rufen Sie bitte Frau Berg unter {phone} zurück.",
        "Die Karte {card} wurde belastet.",
        "Überweisen Sie auf {iban}.",
        "Mail an {email}.",
    ),
    "fr": (
        "Merci d'appeler Mme Roche au {phone} ce soir.",
        "La carte {card} est expirée.",
        "Virement sur {iban}, merci.",
        "Écrivez à {email} !",
    ),
    "es": ("Llame a la señora Peña al {phone} mañana.", "La tarjeta {card} fue bloqueada.", "Transfiera a {iban}.", "Escriba a {email}."),
    "it": ("Chiami la signora Monti al {phone} stasera.", "La carta {card} è scaduta.", "Bonifico su {iban}.", "Scriva a {email}."),
    "pt": ("Ligue para a senhora Rocha: telefone {phone}.", "O cartão {card} expirou.", "Transfira para {iban}.", "Escreva para {email}."),
    "nl": ("Bel mevrouw Berg op {phone} terug.", "De kaart {card} is verlopen.", "Maak over naar {iban}.", "Mail naar {email}."),
    "zh": ("请拨打{phone}联系她。", "卡号{card}已过期。", "转账到{iban}。", "请写信给{email}。"),
    "ja": ("電話は{phone}です。", "カード番号{card}は期限切れです。", "{iban}に振り込みます。", "{email}に送ってください。"),
}
REGIONS = {
    "en": ("US", "GB", "AU", "CA", "IE"), "de": ("DE", "AT", "CH"), "fr": ("FR", "BE"), "es": ("ES", "MX", "AR"), "it": ("IT",),
    "pt": ("PT", "BR"), "nl": ("NL", "BE"), "zh": ("CN",), "ja": ("JP",),
}  # fmt: skip
KINDS = (phonenumbers.PhoneNumberType.FIXED_LINE, phonenumbers.PhoneNumberType.MOBILE)
FORMATS = (phonenumbers.PhoneNumberFormat.NATIONAL, phonenumbers.PhoneNumberFormat.INTERNATIONAL, phonenumbers.PhoneNumberFormat.E164)
BANKS = {
    "DE": "370400440532013000", "GB": "NWBK60161331926819", "NL": "ABNA0417164300", "BE": "539007547034", "ES": "21000418450200051332",
    "PT": "000201231234567890154", "IT": "X0542811101000000123456", "FR": "20041010050500013M02606", "CH": "00762011623852957",
}  # fmt: skip


@lru_cache(maxsize=1)
def _scanner() -> Scanner:
    return Scanner(pii.DETECTORS)


def _hits(text: str, type_: str) -> list[str]:
    return [text[found.start : found.end] for found in _scanner().find(text) if found.type == type_]


@pytest.mark.parametrize(("language", "region"), [(language, region) for language, regions in REGIONS.items() for region in regions])
def test_telephone_numbers_of_a_region_in_its_language(language: str, region: str) -> None:
    """Fixed and mobile numbers, as the region writes them and as others dial them."""
    for kind in KINDS:
        number = phonenumbers.example_number_for_type(region, kind)
        assert number is not None
        for form in FORMATS:
            written = phonenumbers.format_number(number, form)
            text = SENTENCES[language][0].format(phone=written)
            assert _hits(text, "PHONE") == [written], text


@pytest.mark.parametrize("language", SENTENCES)
def test_cards_in_every_language(language: str) -> None:
    """Of five brands, in one run of digits and in the brand's groups."""
    chance = random.Random(7)
    for prefix, length in (("4", 16), ("52", 16), ("37", 15), ("6011", 16), ("3566", 16)):
        body = prefix + "".join(chance.choice("0123456789") for _ in range(length - len(prefix) - 1))
        card = body + luhn.calc_check_digit(body)
        sizes = (4, 6, 5) if length == 15 else (4, 4, 4, 4)
        groups, place = [], 0
        for size in sizes:
            groups.append(card[place : place + size])
            place += size
        for written in (card, " ".join(groups), "-".join(groups)):
            assert _hits(SENTENCES[language][1].format(card=written), "CREDIT_CARD") == [written]


@pytest.mark.parametrize("language", SENTENCES)
def test_bank_accounts_in_every_language(language: str) -> None:
    """Of nine countries, in one run, in groups of four and in lower case."""
    for country, account in BANKS.items():
        plain = country + iban_check.calc_check_digits(country + "00" + account) + account
        assert iban.valid(plain)
        for written in (plain, " ".join(plain[place : place + 4] for place in range(0, len(plain), 4)), plain.lower()):
            assert _hits(SENTENCES[language][2].format(iban=written), "IBAN") == [written]


@pytest.mark.parametrize("language", SENTENCES)
@pytest.mark.parametrize(
    "address", ["a.b@example.org", "max.müller+x@mail.example.de", "O'Neill_99@sub.example.co.uk", "jo@xn--bcher-kva.example"]
)
def test_mail_addresses_in_every_language(language: str, address: str) -> None:
    """Whatever script stands directly beside them."""
    assert _hits(SENTENCES[language][3].format(email=address), "EMAIL") == [address]


@pytest.mark.parametrize(
    "text",
    [
        "The meeting on 12.05.2024 at 10.30 covers items 4 to 12; the budget is 1 250 000 euros.",
        "Die Rechnung 2024-004711 über 1.299,00 Euro ist am 01.02.2024 fällig, Auftrag 88 123 456.",
        "La facture n° 2024 118 du 3 mars s'élève à 12 450,80 euros, dossier 77 001 234.",
        "El pedido 20240117 de 3 000 000 de pesos se aprobó el 12/04/2024, expediente 123/456/2024.",
        "L'ordine 2024/00123 del 5 maggio vale 10.000,50 euro, protocollo 0012345/2024.",
        "A encomenda 4815162342 custou 1.250,00 euros em 12-05-2024, processo 123/45.6TVLSB.",
        "Bestelling 20240511 kost 1.250,00 euro, dossiernummer volgt, artikel 8712345678906.",
        "订单编号20240511123456，金额1250000元，邮编100080。",
        "注文番号20240511123456、金額は1250000円です。",
    ],
)
def test_ordinary_numbers_in_every_language_are_left_alone(text: str) -> None:
    """Orders, invoices, amounts, dates and files are no personal data."""
    assert _scanner().find(text) == []
