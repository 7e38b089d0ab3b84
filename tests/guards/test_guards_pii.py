"""Structured personal data: one positive for each form of each type, and what only looks alike."""

from __future__ import annotations

from functools import lru_cache
from itertools import pairwise

import pytest

from affiant.guards.detectors import pii
from affiant.guards.scan import Found, Scanner


@lru_cache(maxsize=1)
def _scanner() -> Scanner:
    return Scanner(pii.DETECTORS)


def _found(text: str) -> list[tuple[str, str]]:
    return [(found.type, text[found.start : found.end]) for found in _scanner().find(text)]


POSITIVE = [
    ("PHONE", "Call me at +1 (555) 123-4567 tomorrow", "+1 (555) 123-4567"),
    ("PHONE", "Phone: 555-0123", "555-0123"),
    ("PHONE", "my number is (020) 7946 0958", "(020) 7946 0958"),
    ("PHONE", "Ring 020 7946 0958 please", "020 7946 0958"),
    ("PHONE", "+44 20 7946 0958", "+44 20 7946 0958"),
    ("PHONE", "+44 (0)20 7946 0958", "+44 (0)20 7946 0958"),
    ("PHONE", "Tel.: 030/901820", "030/901820"),
    ("PHONE", "Telefon 030 / 90 18 20", "030 / 90 18 20"),
    ("PHONE", "Mobil: 0171-1234567", "0171-1234567"),
    ("PHONE", "Sie erreichen mich unter 0171 2345678.", "0171 2345678"),
    ("PHONE", "+49 (0) 171 2345678", "+49 (0) 171 2345678"),
    ("PHONE", "0049 171 2345678", "0049 171 2345678"),
    ("PHONE", "Tél. : 01.42.68.53.00", "01.42.68.53.00"),
    ("PHONE", "appelez le 06 12 34 56 78", "06 12 34 56 78"),
    ("PHONE", "au 06-12-34-56-78", "06-12-34-56-78"),
    ("PHONE", "joignable au +33612345678", "+33612345678"),
    ("PHONE", "llámame al 612 345 678", "612 345 678"),
    ("PHONE", "Teléfono: 912345678", "912345678"),
    ("PHONE", "móvil +34 612 34 56 78", "+34 612 34 56 78"),
    ("PHONE", "chiamami al 347 123 4567", "347 123 4567"),
    ("PHONE", "Cell. 3471234567", "3471234567"),
    ("PHONE", "tel. 06 6982 1234", "06 6982 1234"),
    ("PHONE", "telefono 02-12345678", "02-12345678"),
    ("PHONE", "+39 02 1234 5678", "+39 02 1234 5678"),
    ("PHONE", "ligue para 912 345 678", "912 345 678"),
    ("PHONE", "telemóvel: 91 234 56 78", "91 234 56 78"),
    ("PHONE", "+55 11 91234-5678", "+55 11 91234-5678"),
    ("PHONE", "telefone (11) 91234-5678", "(11) 91234-5678"),
    ("PHONE", "bel me op 06-12345678", "06-12345678"),
    ("PHONE", "telefoon 020 123 4567", "020 123 4567"),
    ("PHONE", "bereikbaar op 06 12 34 56 78", "06 12 34 56 78"),
    ("PHONE", "+31 6 12345678", "+31 6 12345678"),
    ("PHONE", "+32 475 12 34 56", "+32 475 12 34 56"),
    ("PHONE", "手机号：13812345678", "13812345678"),
    ("PHONE", "电话:010-62345678", "010-62345678"),
    ("PHONE", "電話番号は03-1234-5678です", "03-1234-5678"),
    ("PHONE", "携帯 090-1234-5678", "090-1234-5678"),
    ("PHONE", "+81 90-1234-5678", "+81 90-1234-5678"),
    ("PHONE", "+86 138 1234 5678", "+86 138 1234 5678"),
    ("PHONE", "call 415.555.2671", "415.555.2671"),
    ("PHONE", "415-555-2671", "415-555-2671"),
    ("PHONE", "tel:+14155552671", "+14155552671"),
    ("PHONE", '{"phone": "4155552671"}', "4155552671"),
    ("PHONE", "phone=4155552671", "4155552671"),
    ("PHONE", '"phone_number": "+4915112345678"', "+4915112345678"),
    ("PHONE", "1-800-555-0199", "1-800-555-0199"),
    ("PHONE", "reach us on 1800 123 456", "1800 123 456"),
    ("PHONE", "whatsapp 98765 43210", "98765 43210"),
    ("PHONE", "+91 98765 43210", "+91 98765 43210"),
    ("PHONE", "+61 412 345 678", "+61 412 345 678"),
    ("PHONE", "0412 345 678 is my mobile", "0412 345 678"),
    ("PHONE", "+1-415-555-2671 ext. 12", "+1-415-555-2671 ext. 12"),
    ("PHONE", "(579)888-3058x12 fax", "(579)888-3058x12"),
    ("PHONE", "416 60 039 office", "416 60 039"),
    ("PHONE", "Contact: Anna, 212 555 0147", "212 555 0147"),
    ("PHONE", "0800 1234567 hotline", "0800 1234567"),
    ("PHONE", "Contacto: (+351) 912 345 678", "(+351) 912 345 678"),
    ("PHONE", "Tel. (089) 123456-0", "(089) 123456-0"),
    ("PHONE", "Mi celular es 55 1234 5678", "55 1234 5678"),
    ("PHONE", "0039 06 698 1234", "0039 06 698 1234"),
    ("BANK_ROUTING", "account 000123456789 routing 026009593", "026009593"),
    ("ADDRESS", "Via Roma, 25 - 20121 Milano", "Via Roma, 25 - 20121 Milano"),
    ("ADDRESS", "Am Alten Markt 7, 14467 Potsdam", "Am Alten Markt 7, 14467 Potsdam"),
    ("EMAIL", "Þjohn@example.com", "john@example.com"),
    ("EMAIL", "mail müller@example.de now", "müller@example.de"),
    ("EMAIL", "请发邮件至liwei@example.com。", "liwei@example.com"),
    ("EMAIL", "mailto:anna.b@example.org?subject=x", "anna.b@example.org"),
    ("EMAIL", "o'brien@example.ie", "o'brien@example.ie"),
    ("EMAIL", "a.b+tag@sub-domain.example.museum", "a.b+tag@sub-domain.example.museum"),
    ("EMAIL", '"john@example.com",', "john@example.com"),
    ("EMAIL", "x(john@example.com)", "john@example.com"),
    ("CREDIT_CARD", "card number 4111111111111111", "4111111111111111"),
    ("CREDIT_CARD", "5500 0000 0000 0004", "5500 0000 0000 0004"),
    ("CREDIT_CARD", "3782 822463 10005", "3782 822463 10005"),
    ("CREDIT_CARD", "6011-1111-1111-1117", "6011-1111-1111-1117"),
    ("CREDIT_CARD", "Karte 4111 1111 1111 1111, gültig", "4111 1111 1111 1111"),
    ("CREDIT_CARD", "卡号：4111111111111111", "4111111111111111"),
    ("IBAN", "IBAN DE89 3704 0044 0532 0130 00", "DE89 3704 0044 0532 0130 00"),
    ("IBAN", "GB29NWBK60161331926819.", "GB29NWBK60161331926819"),
    ("IBAN", "FR14 2004 1010 0505 0001 3M02 606", "FR14 2004 1010 0505 0001 3M02 606"),
    ("IBAN", "NL91ABNA0417164300 en meer", "NL91ABNA0417164300"),
    ("IBAN", "ES91 2100 0418 4502 0005 1332 gracias", "ES91 2100 0418 4502 0005 1332"),
    ("IBAN", "IT60 X054 2811 1010 0000 0123 456", "IT60 X054 2811 1010 0000 0123 456"),
    ("IBAN", "PT50 0002 0123 1234 5678 9015 4", "PT50 0002 0123 1234 5678 9015 4"),
    ("IBAN", "BE68 5390 0754 7034", "BE68 5390 0754 7034"),
    ("IBAN", "CH93 0076 2011 6238 5295 7", "CH93 0076 2011 6238 5295 7"),
    ("US_SSN", "SSN: 536-22-8145", "536-22-8145"),
    ("US_SSN", "social security number 536228145", "536228145"),
    ("US_SSN", "my ssn 536 22 8145", "536 22 8145"),
    ("US_ITIN", "ITIN 912-70-1234", "912-70-1234"),
    ("NATIONAL_ID/de", "Steuer-ID: 36 574 261 809", "36 574 261 809"),
    ("NATIONAL_ID/de", "Steuerliche Identifikationsnummer 36574261809", "36574261809"),
    ("NATIONAL_ID/fr", "numéro de sécurité sociale 2 53 08 20 011 028 42? 2 95 10 99 126 111 93", "2 95 10 99 126 111 93"),
    ("NATIONAL_ID/es", "DNI 54362315K", "54362315K"),
    ("NATIONAL_ID/es", "NIE: X2482300W", "X2482300W"),
    ("NATIONAL_ID/it", "codice fiscale RCCMNL83S18D969H", "RCCMNL83S18D969H"),
    ("NATIONAL_ID/pt", "NIF: 501 964 843", "501 964 843"),
    ("NATIONAL_ID/nl", "BSN 111222333", "111222333"),
    ("NATIONAL_ID/be", "rijksregisternummer 85.07.30-033.28", "85.07.30-033.28"),
    ("NATIONAL_ID/pl", "PESEL 44051401359", "44051401359"),
    ("NATIONAL_ID/se", "personnummer 880320-0016", "880320-0016"),
    ("NATIONAL_ID/fi", "131052-308T", "131052-308T"),
    ("NATIONAL_ID/gb", "NHS number: 943 476 5870", "943 476 5870"),
    ("NATIONAL_ID/gb", "National Insurance number AB 12 34 56 C", "AB 12 34 56 C"),
    ("NATIONAL_ID/br", "CPF 390.533.447-05", "390.533.447-05"),
    ("NATIONAL_ID/cn", "身份证号360426199101010071", "360426199101010071"),
    ("NATIONAL_ID/jp", "マイナンバー 6214 9832 0257", "6214 9832 0257"),
    ("NATIONAL_ID/in", "Aadhaar 2341 2341 2346", "2341 2341 2346"),
    ("NATIONAL_ID/ca", "SIN 123-456-782", "123-456-782"),
    ("NATIONAL_ID/au", "TFN 123 456 782", "123 456 782"),
    ("NATIONAL_ID/ch", "756.9217.0769.85", "756.9217.0769.85"),
    ("NATIONAL_ID/mx", "CURP BOXW310820HNERXN09", "BOXW310820HNERXN09"),
    ("IP", "from 192.168.1.10 port 22", "192.168.1.10"),
    ("IP", "http://10.0.0.1:8080/x", "10.0.0.1"),
    ("IP", "addr 2001:db8::1 up", "2001:db8::1"),
    ("IP", "fe80::1ff:fe23:4567:890a", "fe80::1ff:fe23:4567:890a"),
    ("IP", "2001:0db8:85a3:0000:0000:8a2e:0370:7334", "2001:0db8:85a3:0000:0000:8a2e:0370:7334"),
    ("MAC", "mac 00:1A:2b:3c:4D:5e", "00:1A:2b:3c:4D:5e"),
    ("MAC", "001a.2b3c.4d5e", "001a.2b3c.4d5e"),
    ("URL", "see https://example.com/a_(b)?c=1.", "https://example.com/a_(b)?c=1"),
    ("URL", "www.example.com/x", "www.example.com/x"),
    ("URL_CREDENTIALS", "postgres://bob:s3cr3t@db.example.com:5432/x", "postgres://bob:s3cr3t@db.example.com:5432/x"),
    ("DATE_OF_BIRTH", "born on 12 March 1984 in", "12 March 1984"),
    ("DATE_OF_BIRTH", "DOB: 03/12/1984", "03/12/1984"),
    ("DATE_OF_BIRTH", "geboren am 12. März 1984", "12. März 1984"),
    ("DATE_OF_BIRTH", "née le 3 août 1975", "3 août 1975"),
    ("DATE_OF_BIRTH", "fecha de nacimiento: 3 de mayo de 1975", "3 de mayo de 1975"),
    ("DATE_OF_BIRTH", "nato a Roma il 03/05/1975", "03/05/1975"),
    ("DATE_OF_BIRTH", "data de nascimento 03-05-1975", "03-05-1975"),
    ("DATE_OF_BIRTH", "geboortedatum 3 mei 1975", "3 mei 1975"),
    ("DATE_OF_BIRTH", "出生日期：1975年5月3日", "1975年5月3日"),
    ("DATE_OF_BIRTH", '"date_of_birth": "1984-03-12"', "1984-03-12"),
    ("ADDRESS", "at 12 Baker Street, London NW1 6XE, thanks", "12 Baker Street, London NW1 6XE"),
    ("ADDRESS", "1600 Pennsylvania Avenue NW, Washington, DC 20500", "1600 Pennsylvania Avenue NW, Washington, DC 20500"),
    ("ADDRESS", "wohnt in der Hauptstraße 5, 10115 Berlin.", "Hauptstraße 5, 10115 Berlin"),
    ("ADDRESS", "Berliner Straße 12a, 60311 Frankfurt am Main", "Berliner Straße 12a, 60311 Frankfurt am Main"),
    ("ADDRESS", "habite 12 bis rue de la Paix, 75002 Paris", "12 bis rue de la Paix, 75002 Paris"),
    ("ADDRESS", "vive en Calle de Alcalá 45, 28014 Madrid", "Calle de Alcalá 45, 28014 Madrid"),
    ("ADDRESS", "abita in Via Giuseppe Garibaldi 10, 00153 Roma (RM)", "Via Giuseppe Garibaldi 10, 00153 Roma (RM)"),
    ("ADDRESS", "mora na Rua das Flores, nº 12, 1200-192 Lisboa", "Rua das Flores, nº 12, 1200-192 Lisboa"),
    ("ADDRESS", "woont op Keizersgracht 123, 1015 CJ Amsterdam", "Keizersgracht 123, 1015 CJ Amsterdam"),
    ("ADDRESS", "地址：北京市朝阳区建国路88号", "北京市朝阳区建国路88号"),
    ("ADDRESS", "住所は東京都港区芝公園4丁目2-8です", "東京都港区芝公園4丁目2-8"),
    ("BANK_ROUTING", "routing number 021000021", "021000021"),
    ("BIC", "BIC: DEUTDEFF500", "DEUTDEFF500"),
    ("PASSPORT", "passport number: C01X00T47", "C01X00T47"),
    ("PASSPORT", "Passport No. 123456789", "123456789"),
    ("PASSPORT", "Reisepass Nr. C4J8FH2K1? Reisepassnummer L01X00123", "L01X00123"),
    ("PASSPORT", "numéro de passeport 12AB34567", "12AB34567"),
    ("PASSPORT", "护照号码：E12345678", "E12345678"),
    ("US_DRIVER_LICENSE", "Driver's license: D1234567", "D1234567"),
    ("US_DRIVER_LICENSE", "driver's license number is F162823540116", "F162823540116"),
    ("DRIVER_LICENSE", "Führerscheinnummer B072RRE2I55", "B072RRE2I55"),
    ("DRIVER_LICENSE", "rijbewijs 5123456789", "5123456789"),
    ("MEDICAL_RECORD", "MRN: 00123456", "00123456"),
    ("MEDICAL_RECORD", "Medical record number MRN-4481920", "MRN-4481920"),
    ("MEDICAL_RECORD", "Patientennummer 4481920", "4481920"),
    ("NATIONAL_ID/se", "personnummer: 19880320-0016", "19880320-0016"),
    ("NATIONAL_ID/dk", "CPR 211062-5629", "211062-5629"),
    ("NATIONAL_ID/no", "fødselsnummer 15108695088", "15108695088"),
    ("NATIONAL_ID/ie", "PPS number 6433435F", "6433435F"),
    ("NATIONAL_ID/cz", "rodné číslo 710319/2745", "710319/2745"),
    ("NATIONAL_ID/at", "SVNR 1237 010180", "1237 010180"),
    ("NATIONAL_ID/cl", "12.531.909-2", "12.531.909-2"),
    ("NATIONAL_ID/in", "PAN: ACUPA7085R", "ACUPA7085R"),
    ("NATIONAL_ID/kr", "주민등록번호 971013-9019902", "971013-9019902"),
]

NEGATIVE = [
    "Er kam auf Anhieb Platz 1 der Charts.",
    "Die Bundesstraße 11 führt dort vorbei.",
    "During 1996, this product was sold.",
    "Major General John C. Scheidt Jr., 15 July 1985",
    "ssh deploy@prod-1.example.com 'ls'",
    "tax id 12-3456789",
    "SELECT * FROM t WHERE id IN (1234567890, 2345678901);",
    '{"ts":1717171717171,"user":4155551234,"amount":1234567.89}',
    "2024-05-05T05:05:05+0200",
    "Flight BA 2490, PNR ABC123, ticket 125-2401234567",
    "UPC 012345678905, ASIN B08N5WRWNW",
    "Medicare 2123 45670 1",
    "2026-11-29T16:43:40.123456Z INFO req=4f9a1c2d took 1532 ms",
    "[1700000000.123456] usb 1-1.4: new high-speed USB device number 12 using xhci_hcd",
    "Nov 29 16:43:40 host kernel: [12345.678901] CPU0: 2400.000 MHz",
    '10.0.0.1 - - [29/Nov/2026:16:43:40 +0000] "GET /api/v1/items/4815162342 HTTP/1.1" 200 512 1024 "-" "Mozilla/5.0 Chrome/120.0"',
    "commit 9fceb02d0ae598e95dc970b74767f19372d61af8",
    "Merge: 1234567 89abcde",
    "@@ -1234,7 +1234567,8 @@ def main():",
    "-rw-r--r-- 1 root root 4096 Nov 29 16:15 1234567890.log",
    "version 1.23.456-7890",
    "numpy==1.26.4 scipy==1.11.3 torch==2.1.0+cu118",
    "pip install foo==0.12.345.678",
    "ISBN 978-3-16-148410-0",
    "ISBN-10: 0-306-40615-2",
    "ISSN 2049-3630, doi:10.1000/182.1234567",
    "The population was 8 336 817 in 2019 and 1 234 567 before.",
    "Total: 1,234,567.89 USD; net 1.234.567,89 EUR",
    "price 1 299 999 kr",
    "52.520008, 13.404954",
    "lat=40.7127281 lon=-74.0060152",
    "(40.7127281, -74.0060152)",
    "Order 4815162342 shipped",
    "Order #112-4815162-3421234",
    "Tracking number 1Z999AA10123456784",
    "tracking 9400 1000 0000 0000 0000 00",
    "invoice no. 2024-0012345",
    "Rechnung Nr. 4815162342 vom 12.03.2024",
    "Kundennummer: 0815 4711 22",
    "Bestellnummer 305 1234567 8901234",
    "facture n° 2024 0012 345",
    "pedido 123456789",
    "0x7ffe12345678 0000000000400526",
    "00000000  7f 45 4c 46 02 01 01 00  00 00 00 00 00 00 00 00  |.ELF............|",
    "00 01 02 03 04 05 06 07 08 09",
    "01 02 03 04 05 06",
    "sha256:2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824",
    "550e8400-e29b-41d4-a716-446655440000",
    "12345678-1234-1234-1234-123456789012",
    "timestamp: 1700000000 1700000001 1700000002",
    "epoch 1700000000000",
    "snowflake 1234567890123456789",
    "id: 4111111111111112",
    "user_id=76561198000000000",
    "x = 4503599627370496",
    "2147483647 4294967295 18446744073709551615",
    "3.14159265358979323846",
    "1e10 6.02214076e23",
    "int a[] = {1000000, 2000000, 3000000};",
    "100 200 300",
    "400 500 6000",
    "255 255 255 0",
    "matrix: 123 456 7890",
    "range 1990-2000 and 2001-2010",
    "1914-1918, 1939-1945",
    "from 2019 2020 2021",
    "call to 0x1234567",
    "2024-01-02 03:04:05",
    "01.02.2024 10:30",
    "1/2/2024",
    "12/31/1999",
    "20241129 164340",
    "20241129164340",
    "192.168.1.1",
    "255.255.255.0",
    "version 1.2.3.4",
    "v10.4.1.2",
    "Chrome/120.0.0.0 Safari/537.36",
    "OpenSSL 3.0.2.15",
    "section 4.3.2.1",
    "std::vector<int> a; foo::bar; dead::beef",
    "12:34:56:78",
    "sha1 fingerprint AA:BB:CC:DD:EE:FF:00:11:22:33:44:55:66:77:88:99:AA:BB:CC:DD",
    "git@github.com:acme/repo.git",
    "root@server:~# ls",
    "user@localhost",
    "foo@1.2.3",
    "name@2x.png",
    "getty@tty1.service",
    "@decorator",
    "Message-ID: <20240101.abc@mail.example.com>",
    "https://user@example.com/path",
    "npm i @scope/pkg@4.5.6",
    "kubectl get pods web-7d4b9c6f5d-abcde",
    "part number 123-45-6789",
    "SKU 123-45-6789",
    "000-12-3456",
    "case no. 212-555-0147-9",
    "GB82 WEST 1234 5698 7654 33",
    "DE00 0000 0000 0000 0000 00",
    "AB12 CDEF 3456 GHIJ 7890",
    "the routing table has 021000021 rows",
    "passport control took 45 minutes",
    "the passport office opened in 1998",
    "driver version 535.104.05",
    "MRN blot",
    "born in 1984 in Berlin",
    "born to run",
    "Via email 3 times",
    "Via API v2 10 requests",
    "12 Monkeys Way better than expected",
    "5 Star hotel",
    "10 Downing",
    "Room 12 Place the box",
    "The St. Louis 7 Court",
    "Straße der Zukunft",
    "Largo consumo 2024",
    "Plaza de toros",
    "Rua da amargura",
    "C. elegans 2024",
    "the way 5",
    "ring 0",
    "a Weg 5",
    "RFC 2119, RFC 8174; draft-ietf-quic-34567890",
    "port 8080 pid 1234567",
    "size 12345678 bytes",
    "0123456789",
    "0000 0000 0000 0000",
    "1234567890",
    "12345678",
    "+1234567",
    "a+12345678",
    "+  1234567 lines",
    "CVE-2024-12345678",
    "AS12345678",
    "EAN 4006381333931",
    "4006381333931",
    "GTIN 00012345600012",
    "IMEI 490154203237518",
    "VIN 1HGCM82633A004352",
    "4 5 4 5 1 2 3 4 5 4 3 2 1 2 3 4",
    "Lottery: 04 11 23 35 42 49",
    "score 3-1 2-0 4-4 1-1 2-2",
    "Phone model 12345",
    "Table 1.2.3 4.5.6 7.8.9",
    "1.0.0 2.0.0 3.0.0",
    "GET /users/5551234567/orders",
    "/var/log/2024/11/29/1234567.log",
    "page 123-1234",
    "pp. 123-145, 200-2345",
    "zip 90210-1234",
    "ZIP 12345-6789",
    "CEP 01310-100",
    "EIN 12-3456789",
    "HRB 123456",
    "USt-IdNr. DE123456789",
    "SIRET 732 829 320 00074",
    "BTW NL123456789B01",
    "P.IVA 12345678903",
    "PMID: 12345678",
    "arXiv:2301.12345",
    "chr1:12345678-12345999",
    "1234-5678-9012",
    "ISO 27001:2022, IEC 61508-3",
    "2 x 4 x 8 = 64",
    "10,000,000 people in 150 countries",
    "Temperature -273.15 to 1000.000",
    "build 20231129.1234567",
    "2.4.1-20231129.123456",
    "AAAAAAAA BBBBBBBB INTERNET SECURITY",
    "MONDAY12 DOCUMENT REFERENCE",
    "account 1234567890",
    "The 2008-2009 season 12 345 678",
    "0.0.0.0:8080 127.0.0.1",
]


@pytest.mark.parametrize(("type_", "text", "value"), POSITIVE)
def test_each_form_is_found_whole(type_: str, text: str, value: str) -> None:
    """The span covers the value and nothing else, and carries the name of its rule."""
    assert (type_, value) in _found(text)
    found = next(one for one in _scanner().find(text) if text[one.start : one.end] == value)
    assert 500_000 <= found.score_ppm <= 1_000_000 and "/" in found.rule


_MACHINES = frozenset(("IP", "MAC", "URL"))


@pytest.mark.parametrize("text", NEGATIVE)
def test_what_only_looks_alike_is_left_alone(text: str) -> None:
    """Logs, code, versions, hashes, dates, prices, orders, coordinates and book numbers hold no personal data."""
    assert [found for found in _found(text) if found[0] not in _MACHINES] == []


@pytest.mark.parametrize(
    "text",
    ["version 1.2.3.4", "v10.4.1.2", "Chrome/120.0.0.0 Safari", "section 4.3.2.1", "1.2.3.4.5", "256.1.1.1", "std::dead::beef", "12:34:56"],
)
def test_versions_and_names_in_code_are_no_addresses(text: str) -> None:
    """Four numbers with dots are an address only where nothing says otherwise."""
    assert _found(text) == []


@pytest.mark.parametrize(
    ("good", "bad"),
    [
        ("card 4111111111111111", "card 4111111111111112"),
        ("DE89370400440532013000", "DE88370400440532013000"),
        ("BSN 111222333", "BSN 111222334"),
        ("PESEL 44051401359", "PESEL 44051401358"),
        ("CPF 390.533.447-05", "CPF 390.533.447-06"),
        ("routing number 021000021", "routing number 021000022"),
        ("codice fiscale RCCMNL83S18D969H", "codice fiscale RCCMNL83S18D969G"),
        ("DNI 54362315K", "DNI 54362315L"),
        ("NHS number 943 476 5870", "NHS number 943 476 5871"),
        ("身份证号360426199101010071", "身份证号360426199101010072"),
        ("SIN 123-456-782", "SIN 123-456-783"),
        ("Aadhaar 2341 2341 2346", "Aadhaar 2341 2341 2347"),
    ],
)
def test_check_digits_decide(good: str, bad: str) -> None:
    """One wrong digit, and it is no such number."""
    types = {found[0] for found in _found(good)}
    assert types and types.isdisjoint({found[0] for found in _found(bad)})


@pytest.mark.parametrize(
    ("with_word", "without"),
    [
        ("BSN 111222333", "nummer 111222333"),
        ("ssn 536228145", "ref 536228145"),
        ("SWIFT: DEUTDEFF500", "WORD: DEUTDEFF500"),
        ("passport number 123456789", "parcel number 123456789"),
        ("MRN: 00123456", "SRN: 00123456"),
        ("born on 12 March 1984", "founded on 12 March 1984"),
        ("call 4155552671", "id 4155552671"),
        ("card 4222222222222", "article 4222222222222"),
    ],
)
def test_words_decide_about_bare_numbers(with_word: str, without: str) -> None:
    """The same value is found after its word and left alone after another."""
    assert _found(with_word) and not _found(without)


def test_the_nearer_word_decides() -> None:
    """A telephone's word does not reach beyond another number's."""
    assert _found("Call me about order number 4815162342") == []
    assert _found("About order 77 call 4155552671") == [("PHONE", "4155552671")]
    assert _found('{"phone": null, "order_id": 4155552671}') == []


def test_credentials_in_a_url_are_one_span_and_no_mail_address() -> None:
    """The user, the password and the host go together; placeholders are no credentials."""
    assert _found("postgres://bob:s3cr3t@db.example.com/x") == [("URL_CREDENTIALS", "postgres://bob:s3cr3t@db.example.com/x")]
    assert _found("https://${USER}:${PASS}@example.com/") == [("URL", "https://${USER}:${PASS}@example.com/")]


def test_identifiers_within_a_url_are_found_all_the_same() -> None:
    """A mail address in a query is personal, and wins over the URL around it."""
    assert _found("https://example.com/?mail=anna@example.org") == [("EMAIL", "anna@example.org")]


def test_the_first_four_types_keep_their_reading() -> None:
    """`find` gives EMAIL, PHONE, CREDIT_CARD and US_SSN, from `start` on."""
    text = "anna@example.org, 415-555-2671, 4111 1111 1111 1111, 536-22-8145, gb29nwbk60161331926819"
    assert [type_ for _, _, type_ in pii.find(text)] == ["EMAIL", "PHONE", "CREDIT_CARD", "US_SSN"]
    assert [type_ for _, _, type_ in pii.find(text, 10)] == ["PHONE", "CREDIT_CARD", "US_SSN"]


def test_every_span_is_sorted_and_apart() -> None:
    """Overlaps are resolved whatever the detectors."""
    text = " ".join(text for _, text, _ in POSITIVE)
    spans: list[Found] = _scanner().find(text)
    assert all(one.end <= two.start for one, two in pairwise(spans)) and len(spans) > 100


def test_a_word_of_an_earlier_sentence_denies_no_number() -> None:
    """`order` before a full stop says nothing about the number after it; in the number's own sentence it does."""
    text = "Draft a note on the cancellation of a standing order. Nadia Ivanov can be reached at (312) 555-0193."
    assert [(f.type, text[f.start : f.end]) for f in Scanner(pii.DETECTORS).find(text)] == [("PHONE", "(312) 555-0193")]
    assert Scanner(pii.DETECTORS).find("the order 312 555 0193 has left") == []
