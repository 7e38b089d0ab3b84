"""Words that announce a telephone number, and words that announce another number, in seven languages and two more.

Leaves out: the deciding (`phone`). The nearer word wins.
"""

from __future__ import annotations

import re

from affiant.guards.detectors.context import words

REGIONS = ("US", "GB", "DE", "FR", "ES", "IT", "NL", "PT", "BE", "AT", "CH", "BR", "MX", "AU", "JP", "IN", "ZA", "SE", "FI", "DK", "PL")
"""Numbering plans that are tried for a number that nothing announces."""

NAMED = words(
    # English
    r"(?:tele|smart|cell)?phones?\b|ph\b|tel\b|tel\.|telephone|mobile|mob\b|mob\.|cell\b|cellular|call(?:s|ed|ing|back)?\b"
    r"|dial(?:led|ing)?\b"
    r"|fax|whats ?app|telegram|viber|sms|text(?:ed|ing)? (?:me|us|him|her|them|back|to|at)\b|text(?::| [(+0-9])|hotline"
    r"|reach(?:able)?\b|ring (?:me|us|him|her|back|[(+0-9])|landline|pager|desk\b"
    r"|answering|voicemail|direct line|helpline|switchboard|messages? (?:to|at|on)\b|contact(?:s|ed|ing)?\b|msisdn|office:"
    r"|(?:my|his|her|their|your|our) (?:new |private |personal |direct |work |home )?number\b"
    # German
    r"|telefon|tel-?nr|handy|mobil\b|mobilnummer|mobiltelefon|rufnummer|durchwahl|festnetz|anruf|anrufen|rufen|ruf\b|rufe\b|erreich"
    r"|r[uü]ckruf|zur[uü]ckrufen|telefax|kontakt|(?:meine|ihre|seine|deine|unsere) (?:neue |private )?nummer\b"
    # French
    r"|t[eé]l[eé]phon|t[eé]l\b|t[eé]l\.|portable|gsm|appel|rappel|joindre|joignable|ligne directe|num[eé]ro de t|fixe\b"
    r"|t[eé]l[eé]copie|contacte|(?:mon|son|votre|ton|leur) (?:nouveau )?num[eé]ro\b"
    # Spanish
    r"|tel[eé]fono|tfno|tlf|m[oó]vil|celular|llam[aeáé]|ll[aá]m|fijo\b|l[ií]nea directa|contact[aeoáé]|marque\b|marcar\b"
    r"|localiz|(?:mi|su|tu) (?:nuevo )?n[uú]mero\b"
    # Italian
    r"|telefon|cellulare|cell\.|chiam|numero di tel|recapito|recapiti|contatt|fisso\b|richiam|rispond|(?:mio|suo|tuo"
    r"|nostro) (?:nuovo )?numero\b"
    # Portuguese
    r"|telem[oó]vel|telefone|fone\b|celular|ligar\b|ligue\b|ligu|liga[cç]|contac?t[oea]|zap\b|(?:meu|seu|teu|nosso) (?:novo )?n[uú]mero\b"
    # Dutch
    r"|telefoon|mobiel|bel\b|bellen|belt\b|gebeld|bereik|telnr|(?:mijn|zijn|haar|uw|ons) (?:nieuwe )?nummer\b|terugbel|vaste lijn",
    "电话|手机|回拨|拨打|致电|联系方式|热线|传真|拨|电联|電話|携帯|ファックス|ＴＥＬ|連絡先|お問い合わせ",
)

LABEL = re.compile(
    r"(?:[xX][0-9]{1,6})?(?: ?- ?| ?/ ?| )?[(\[]?(?:office|fax|mobile|cell|home|work|mob\.|landline|direct|phone|tel\b|privat"
    r"|büro|dienstlich|geschäftlich|mobil|festnetz"
    r"|bureau|domicile|portable|travail|oficina|casa|trabajo|móvil|ufficio|cellulare|escritório|telemóvel|celular|trabalho"
    r"|kantoor|thuis|mobiel"
    r"|手机|电话|携帯)",
    re.IGNORECASE,
)
"""Words directly after a number that say what it is."""

OTHER = words(
    r"(?:order|invoice|ticket|case|account|acct|customer|client|reference|ref|serial|tracking|transaction|confirmation|booking"
    r"|reservation|claim|policy"
    r"|part|item|product|model|batch|lot|build|commit|request|session|trace|job|document|file|license|licence|registration"
    r"|member|membership|employee"
    r"|student|patient|project|contract|vendor|supplier|purchase|shipment|receipt|user|device|asset|process|thread|message"
    r"|event|record|revision|issue|bug"
    r"|pull)[ _-]?(?:id|no\b|no\.|nr\b|number|num\b|code|key|#|:|=)"
    r"|id\b|ids\b|uuid|isbn|issn|doi\b|ean\b|upc\b|gtin|sku\b|imei|vin\b|ssn\b|pid\b|tid\b|port\b|epoch|unix|timestamp|time\b"
    r"|date\b|version|ver\.|v\b"
    r"|rev\b|release|hash|checksum|sha|crc|offset|address 0x|bytes?\b|size\b|length\b|lat\b|latitude|lon\b|longitude|lng\b"
    r"|coordinates?|price|amount|total"
    r"|cost|balance|budget|revenue|usd\b|eur\b|gbp\b|zip\b|zipcode|postcode|postal|iban|bic\b|swift|routing|aba\b|account\b"
    r"|card\b|credit|passport|isrc|range"
    r"|rfc\b|pp?\.|vol\b|vol\.|article \d|section \d|line\b|lines\b|row\b|rows\b|page\b|pages\b|population|id:|order\b|invoice\b|tracking\b"
    r"|bestell|auftrag|rechnung|kundennummer|kunden-?nr|konto|vertrag|aktenzeichen|steuer|artikel|seriennummer|betrag|preis"
    r"|plz\b|ausweis|vorgang|sendung"
    r"|commande|facture|dossier|compte|client\b|r[eé]f[eé]rence|colis|montant|prix|siret|siren|s[eé]curit[eé] sociale|nir\b|n° de (?!t)"
    r"|pedido|factura|cuenta|expediente|importe|precio|referencia|dni\b|nie\b|nif\b|cif\b|env[ií]o|cliente\b"
    r"|ordine|fattura|conto|pratica|importo|prezzo|codice|partita iva|spedizione|protocollo"
    r"|encomenda|fatura|conta\b|processo|valor|cpf\b|cnpj|cep\b|pre[cç]o|matr[ií]cula"
    r"|bestelling|factuur|rekening|klantnummer|dossiernummer|bedrag|prijs|bsn\b|ordernummer|zaaknummer",
    "订单|编号|账号|帐号|卡号|身份证|金额|流水号|邮编|快递|注文|口座|価格|郵便番号",
)
