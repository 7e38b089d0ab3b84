"""Closed word classes of seven languages, as the groundedness features read them.

Entries are folded (lower case, no diacritics), as `words` gives them. Leaves out: open classes; those are compared by stem.
"""

from __future__ import annotations


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


LANGUAGES = ("en", "de", "fr", "es", "it", "pt", "nl")

_STOP_TEXT = {
    "en": "a about above after again against all also am an and any are as at be because been before being below between both but by can"
    " could did do does doing down during each few for from further had has have having he her here hers herself him himself his how i"
    " if in into is it its itself just let like me more most my myself no nor not of off on once one only or other our ours out over own"
    " same she should so some such than that the their theirs them themselves then there these they this those through to too under"
    " until up upon us very was we were what when where which while who whom whose why will with would you your yours yourself s t d ll"
    " m re ve don may might must shall yet however",
    "de": "aber als am an auch auf aus bei bin bis bist da damit dann das dass daten dem den denn der des die dies diese diesem diesen"
    " dieser dieses doch dort du durch ein eine einem einen einer eines er es etwas fur gegen hat hatte hatten haben hier ich ihm ihn ihr"
    " ihre ihren im in ist ja jede jeder jedes jetzt kann kein keine konnen mein mit nach nicht noch nun nur ob oder ohne sehr sein seine"
    " seinen seiner seit sich sie sind so soll uber um und uns unter vom von vor war waren was wegen weil wenn werden wer wie wieder wir"
    " wird wo wurde wurden zu zum zur zwischen",
    "fr": "a ai alors apres au aussi autre aux avait avant avec avoir c ce ceci cela ces cet cette chez comme contre d dans de depuis des"
    " donc dont du elle elles en entre est et etaient etait ete etre eux fait fut ici il ils j je l la le les leur leurs lui ma mais me"
    " meme mes moi mon n ne nos notre nous on ont ou par pas pendant peu plus pour qu quand que quel quelle qui s sa sans se ses si son"
    " sont sous sur t ta te tes ton tous tout toute toutes tres tu un une vers vos votre vous y",
    "es": "a al algo algunos ante antes aquel aqui asi aunque cada como con contra cual cuando de del desde donde dos durante e el ella"
    " ellas ellos en entre era eran es esa ese eso esta estaba estan este esto estos fue fueron ha habia han hasta hay la las le les lo"
    " los mas me mi mientras muy nada ni no nos nosotros o os otra otro para pero por porque que quien se sea segun ser si sido sin sobre"
    " son su sus tambien tan tanto te tiene todo todos tras tu un una uno unos y ya yo",
    "it": "a ad ai al alla alle allo anche che chi ci cio come con contro cosi cui d da dal dalla dei del della delle dello di dopo dove e"
    " ed era erano essere fu fra gia gli ha hanno ho i il in io l la le lei li lo loro lui ma me mentre mi mia mio molto ne negli nei nel"
    " nella non nostro o ogni per perche piu poi prima qual quale quando quanto quella quello questa questo qui quindi se sei si sia sono"
    " sta stata stato su sua sue sul sulla suo te ti tra tu tutti tutto un una uno voi",
    "pt": "a ao aos as ate com como da das de dela dele depois do dos e ela elas ele eles em entre era"
    " eram essa esse esta estao estava este"
    " eu foi foram ha isso isto ja la lhe mais mas me mesmo meu minha muito na nao nas nem no nos nossa nosso num numa o os ou para pela"
    " pelo pode por porque quando que quem sao se sem ser sera seu seus si so sobre sua suas tambem te tem tinha toda todo todos tu um uma"
    " voce voces",
    "nl": "aan achter al als altijd andere bij daar dan dat de deze die dit doch doen door dus een en er ge geen had heb hebben heeft hem"
    " het hier hij hoe hun iets ik in is ja je kan kon kunnen maar me meer men met mij mijn moet na naar niet niets nog nu of om omdat"
    " onder ons onze ook op over reeds te tegen toch toen tot u uit uw van veel voor want waren was wat we wel werd werden wezen wie wij"
    " wil worden wordt zal ze zelf zich zij zijn zo zonder zou",
}  # fmt: skip
STOPS: dict[str, frozenset[str]] = {language: frozenset(words.split()) for language, words in _STOP_TEXT.items()}

NEGATIONS = _words(
    "no not never none nobody nothing neither nor without cannot cant wont dont didnt doesnt isnt arent wasnt werent hasnt havent hadnt"
    " couldnt wouldnt shouldnt unable n't nicht kein keine keinen keiner keines niemals nie nichts ohne weder pas jamais aucun aucune sans"
    " rien nunca jamas ningun ninguna ninguno sin tampoco non mai nessun nessuno nessuna senza nao nem nenhum nenhuma sem niet geen nooit"
    " niets zonder noch"
)
ABSOLUTES = _words(
    "all every always only never none entire whole everyone everything must first last best worst most least alle jeder immer nur nie"
    " tous toujours seulement jamais todos siempre solo nunca tutti sempre soltanto mai somente altijd alleen nooit"
)
PARTIALS = _words(
    "some few several many most often sometimes usually part partly almost nearly about around approximately least einige manche viele oft"
    " fast etwa quelques certains souvent presque environ algunos varios muchos casi unos alcuni molti spesso quasi circa alguns muitos"
    " enkele sommige vaak bijna ongeveer"
)
MODALS = _words(
    "may might could can would should will shall must likely possibly perhaps probably reportedly allegedly claims claimed expected set"
    " plans planned konnte konnten wurde soll vielleicht wahrscheinlich pourrait devrait peut podria deberia quizas potrebbe dovrebbe forse"
    " poderia deveria talvez zou kan misschien waarschijnlijk"
)
HEDGES = _words(
    "sure think guess believe know maybe perhaps probably possibly likely seem seems feel wonder hope suppose imagine glaube denke"
    " vielleicht crois pense peut-etre creo quizas credo penso forse acho talvez denk misschien"
)
CHATTER = _words(
    "yes yeah yep no nope oh wow hi hello thanks thank great cool nice awesome love like enjoy hate favorite favourite really well haha lol"
    " actually definitely absolutely interesting fun agree ja nein oui merci si gracias grazie sim obrigado nee"
)
FIRST = _words("i me my mine myself we our us ich mein mir mich wir je j mon ma moi nous yo mi mis io mio mia eu meu minha ik mijn wij")
SECOND = _words("you your yours yourself du dein sie ihr tu vous votre usted tuyo voce seu jij je jouw u")
THIRD = _words(
    "he she him her his hers they them their it its who er sie ihn ihm il elle ils elles lui el ella"
    " ellos lei loro ele ela eles hij zij hem haar"
)
TEMPORAL = _words(
    "before after during since until when while now today yesterday tomorrow later earlier recently previously former formerly current"
    " currently still already ago next last first soon vor nach seit bis heute gestern fruher spater avant apres depuis hier antes despues"
    " desde ayer prima dopo dal ieri depois ontem voor na sinds gisteren"
)
RELATIONS = _words("by of from to for with in on at against between over under into than von durch zu par pour por para da di door")
WH_NUMBER = _words(
    "many much old long far year when date age percent often wann wieviel combien quand cuantos cuando quanti quando hoeveel wanneer"
)
WH_NAME = _words(
    "who whom whose which where name what wer wo welche qui ou quel quien donde cual chi dove quale quem onde qual wie waar welke"
)
POLAR = _words(
    "is are was were do does did has have had can could will would should ist sind war hat est sont"
    " etait es son era fue e sono foi sao zijn heeft"
)
_ANTONYM_TEXT = (
    "increase decrease|rise fall|rose fell|up down|more less|more fewer|most least|high low|higher lower"
    "|highest lowest|big small|large small"
    "|larger smaller|largest smallest|win lose|won lost|winner loser|win defeat|won beaten|success"
    " failure|succeed fail|buy sell|bought sold"
    "|open close|opened closed|start end|started ended|start finish|begin end|began ended|first last|before after|early late|earlier later"
    "|old new|older younger|young old|male female|man woman|men women|boy girl|father mother|son"
    " daughter|brother sister|husband wife|he she"
    "|his her|him her|north south|east west|northern southern|eastern western|left right|accept reject|accepted rejected|accept refuse"
    "|agree disagree|agreed refused|allow ban|allowed banned|allow prevent|approve reject|approved rejected|support oppose|supports opposes"
    "|supporters opponents|supporters critics|confirm deny|confirmed denied|guilty innocent|guilty acquitted|convicted acquitted|alive dead"
    "|born died|live die|survive die|survived died|arrive leave|arrived left|enter exit|join leave|joined left|remain leave|stay leave"
    "|hire fire|hired fired|appoint dismiss|arrest release|arrested released|true false|right wrong|correct incorrect|good bad|better worse"
    "|best worst|positive negative|safe dangerous|legal illegal|public private|rich poor|strong weak|easy difficult|hard soft|hot cold"
    "|warm cold|light dark|fast slow|long short|longer shorter|wide narrow|deep shallow|thick thin|full empty|single married|single double"
    "|major minor|maximum minimum|import export|gain loss|profit loss|gained lost|love hate|loved hated|friend enemy|remember forget"
    "|include exclude|included excluded|with without|inside outside|above below|over under|always never|all none|all some|every no"
    "|everyone nobody|both neither|many few|often rarely|possible impossible|able unable|likely unlikely"
    "|known unknown|happy sad|domestic foreign"
    "|attack defend|attacked defended|employer employee|teacher student|doctor patient|ancient modern"
    "|permanent temporary|home away|upper lower"
    "|advantage disadvantage|add remove|added removed|build destroy|built destroyed|create destroy"
    "|borrow lend|give take|gave took|send receive"
    "|push pull|ascend descend|vertical horizontal|solid liquid|carnivore herbivore|vegetable fruit|top bottom|day night|morning evening"
    "|summer winter|spring autumn|war peace|victory defeat|offense defense|victim attacker|defendant"
    " plaintiff|prosecution defence|mehr weniger"
    "|hoch niedrig|gross klein|alt neu|steigt sinkt|stieg sank|gewann verlor|vor nach|plus moins|grand petit|avant apres|augmente diminue"
    "|gagne perdu|mas menos|grande pequeno|antes despues|aumento disminucion|piu meno|grande piccolo|prima dopo|mais menos|antes depois"
    "|meer minder|groot klein|voor na|won verloor"
)


def _antonyms() -> dict[str, frozenset[str]]:
    """Each word's opposites, both ways."""
    pairs: dict[str, set[str]] = {}
    for pair in _ANTONYM_TEXT.split("|"):
        one, other = pair.split()
        pairs.setdefault(one, set()).add(other)
        pairs.setdefault(other, set()).add(one)
    return {word: frozenset(others) for word, others in pairs.items()}


ANTONYMS = _antonyms()

_MONTH_TEXT = (
    "january jan januar janvier enero gennaio janeiro januari|february feb februar fevrier febrero febbraio fevereiro februari"
    "|march mar marz mars marzo marco maart|april apr avril abril aprile|may mai mayo maggio maio mei|june jun juni juin junio giugno junho"
    "|july jul juli juillet julio luglio julho|august aug aout agosto augustus|september sept sep septembre septiembre settembre setembro"
    "|october oct oktober octobre octubre ottobre outubro|november nov novembre noviembre novembro"
    "|december dec dezember decembre diciembre dicembre dezembro december"
)
MONTHS: dict[str, int] = {
    name: number
    for number, names in enumerate(_MONTH_TEXT.split("|"), 1)
    for name in names.split()
    if name not in ("may", "march", "mar", "mars", "mai", "mei", "marz", "sep", "dec", "jan", "marco")
}

_NUMBER_TEXT = (
    "zero null zero cero|one eins|two zwei deux dos due dois twee|three drei trois tres tre drie|four vier quatre cuatro quattro quatro"
    "|five funf cinq cinco cinque vijf|six sechs seis sei zes|seven sieben sept siete sette sete zeven|eight acht huit ocho otto oito"
    "|nine neun neuf nueve nove negen|ten zehn dix diez dieci dez tien|eleven elf onze once undici|twelve zwolf douze doce dodici doze"
    " twaalf"
)
NUMBER_WORDS: dict[str, float] = {
    word: float(number)
    for number, names in enumerate(_NUMBER_TEXT.split("|"))
    for word in names.split()
    if word not in ("null", "sept", "once", "sei", "tre", "elf")
}
NUMBER_WORDS.update(
    thirteen=13.0, fourteen=14.0, fifteen=15.0, sixteen=16.0, seventeen=17.0, eighteen=18.0, nineteen=19.0, twenty=20.0, thirty=30.0,
    forty=40.0, fifty=50.0, sixty=60.0, seventy=70.0, eighty=80.0, ninety=90.0, zwanzig=20.0, vingt=20.0, veinte=20.0, venti=20.0,
    vinte=20.0, twintig=20.0, twice=2.0, double=2.0, pair=2.0, triple=3.0, dozen=12.0, half=0.5, once=1.0,
)  # fmt: skip
ORDINALS: dict[str, float] = {
    "first": 1, "second": 2, "third": 3, "fourth": 4, "fifth": 5, "sixth": 6, "seventh": 7, "eighth": 8, "ninth": 9, "tenth": 10,
    "eleventh": 11, "twelfth": 12,
}  # fmt: skip
MULTIPLIERS: dict[str, float] = {
    "hundred": 1e2, "hundert": 1e2, "cent": 1e2, "cien": 1e2, "cento": 1e2, "honderd": 1e2,
    "thousand": 1e3, "tausend": 1e3, "mille": 1e3, "mil": 1e3, "mila": 1e3, "duizend": 1e3, "k": 1e3,
    "million": 1e6, "millions": 1e6, "m": 1e6, "mn": 1e6, "mio": 1e6, "millionen": 1e6, "millones": 1e6, "milioni": 1e6, "milhoes": 1e6,
    "miljoen": 1e6, "billion": 1e9, "billions": 1e9, "bn": 1e9, "milliarden": 1e9, "milliards": 1e9, "miliardi": 1e9, "miljard": 1e9,
    "bilhoes": 1e9, "mrd": 1e9, "trillion": 1e12,
}  # fmt: skip
UNITS: dict[str, str] = {
    "%": "percent", "percent": "percent", "prozent": "percent", "percentage": "percent", "procent": "percent", "$": "dollar", "€": "euro",
    "£": "gbp",
}  # fmt: skip
