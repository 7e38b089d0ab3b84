"""Words that announce an identifier of a state, in general and country by country, with English names of each.

Alternatives of regular expressions, so that the automaton can look for them too: (of scripts with blanks, of others).
Leaves out: the identifiers' forms and check digits (`national`).
"""

from __future__ import annotations

GENERAL = (
    r"national[ _-]?(?:id\b|identi|insurance|number)|citizen(?:ship)?[ _-]?(?:id|number)|identity[ _-]?(?:card|number|no)"
    r"|personal[ _-]?(?:id\b|identi|number|code)"
    r"|tax(?:payer)?[ _-]?(?:id|identi|number|file|no\b)|tin\b|fiscal (?:code|number)|social (?:security|insurance)"
    r"|resident[ _-]?(?:id|number)|id card|government id"
    r"|personalausweis|ausweisn|steuer|num[eé]ro (?:national|fiscal|d'identit)|carte d.identit|documento de identidad|c[eé]dula"
    r"|identificaci[oó]n"
    r"|codice fiscale|carta d.identit|documento d.identit|documento de identifica|n[uú]mero de identifica|identiteitsnummer"
    r"|persoonsnummer|identiteitskaart",
    "身份证|身分证|证件号|個人番号|マイナンバー|身分証",
)
DE = (r"steuer|idnr|id-?nr|tax id|tin\b|identifikationsn", "")
FR = (
    r"nir\b|insee|s[eé]curit[eé] sociale|num[eé]ro de s[eé]cu|n° ?(?:de )?s[eé]cu|carte vitale|social security"
    r"|num[eé]ro d'immatriculation",
    "",
)
FR_TAX = (r"num[eé]ro fiscal|spi\b|fiscal|imp[oô]ts|tax", "")
ES = (r"dni\b|d\.n\.i|nie\b|n\.i\.e|nif\b|n\.i\.f|documento|identidad|pasaporte|extranjer", "")
IT = (r"codice|cod\.? ?fisc|c\.f\.|cf\b|fiscale", "")
PT = (r"nif\b|n\.i\.f|contribuinte|fiscal|finan[cç]as", "")
NL = (r"bsn\b|burgerservice|sofi|citizen service|burgerservicen", "")
BE = (r"rijksregister|registre national|num[eé]ro national|national regist|insz|niss|nrn\b|nn\b|bis-?nummer", "")
PL = (r"pesel", "")
SE = (r"personnummer|samordningsnummer|personal identity|pnr\b", "")
FI = (r"hetu\b|henkil[oö]tunnus|sosiaaliturva|personal identity", "")
GB_NHS = (r"nhs\b|national health|health service", "")
GB_NINO = (r"nino\b|national insurance|ni (?:no|number|num)|n\.i\.", "")
BR = (r"cpf\b|c\.p\.f|cadastro de pessoa", "")
CN = (r"resident id|chinese id|id card|shenfen", "身份证|身分证|证件|公民")
JP = (r"my ?number|individual number|kojin bango", "マイナンバー|個人番号|マイナ")
IN_AADHAAR = (r"aadha?ar|uidai|uid\b|adhaar|आधार", "")
IN_PAN = (r"pan\b|permanent account|income tax", "")
CA = (r"sin\b|s\.i\.n|social insurance|nas\b|assurance sociale", "")
AU = (r"tfn\b|tax file|t\.f\.n", "")
CH = (r"ahv|avs\b|navs|sozialversicherung|assurance[ -]sociale|oasi", "")
AT = (r"svnr|sv-?n|sozialversicherung|versicherungsn|vsnr", "")
DK = (r"cpr\b|cpr-|personnummer", "")
NO = (r"f[oø]dselsnummer|personnummer|d-nummer|fnr\b", "")
CZ = (r"rodn[eé]|r\.? ?[cč]\.|birth number", "")
RO = (r"cnp\b|cod numeric", "")
IE = (r"pps\b|ppsn|personal public service", "")
GR = (r"amka|α\.?μ\.?κ\.?α", "")
BG = (r"egn\b|егн", "")
HR = (r"oib\b|osobni identi", "")
KR = (r"rrn\b|resident registration", "주민등록")
ZA = (r"south african|sa id|rsa id|id (?:number|no)", "")
TR = (r"t\.?c\.? ?kimlik|tckn|kimlik", "")
CL = (r"rut\b|r\.u\.t|run\b", "")
MX = (r"curp", "")
IL = (r"teudat zehut", "תעודת זהות|ת\\.ז")
NZ = (r"ird\b|inland revenue", "")
