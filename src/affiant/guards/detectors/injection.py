"""Prompt injection by rules: phrases that address the model's instructions, in user text and in tool results alike.

Each rule has cheap gate words; its pattern runs only where one of them stands, and every gap in a pattern is bounded, so that
time stays linear. Score = the strongest rule, raised a little where several families agree. Quoted talk about injections
scores lower than speech to the model. Leaves out: trained detectors (a later stage), languages beyond a few phrase tables.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from affiant.guards.detectors.decode import readings
from affiant.guards.text import Folded

Hit = tuple[int, int, str, int]
"""start, end (in the source), `INJECTION/<rule>`, score in parts per million."""


@dataclass(frozen=True, slots=True)
class _Rule:
    name: str
    score: int
    gates: tuple[str, ...]
    pattern: re.Pattern[str]


def _rule(name: str, score: int, gates: str, pattern: str) -> _Rule:
    return _Rule(name, score, tuple(gates.split("|")), re.compile(pattern))


def _folded(words: str) -> str:
    """Words of another script as they read after folding."""
    return Folded(words).text


_DROP = (
    r"(?:ignore|ignoring|disregard|disregarding|forget|override|overrule|bypass|skip|neglect|discard|do not follow"
    r"|don'?t follow|stop following)"
)
_PRIOR = (
    r"(?:previous|prior|above|earlier|preceding|foregoing|existing|current|original|initial|system|your|all|any|these|those"
    r"|everything|other)"
)
_ORDERS = (
    r"(?:instructions?|prompts?|rules|directions?|directives?|guidelines?|commands?|polic(?:y|ies)|programming|constraints?"
    r"|orders|restrictions?|safeguards?|guardrails?)"
)
_HIDDEN = (
    r"(?:system prompt|system message|initial prompt|hidden prompt|initial instructions|system instructions"
    r"|hidden instructions|secret instructions|developer message|original instructions"
    r"|your (?:\w{1,12} ){0,2}(?:instructions|prompt|rules|guidelines))"
)

_RULES = (
    _rule("override", 900_000, "ignor|disregard|forget|overrid|overrul|bypass|skip|neglect|discard|follow",
          rf"\b{_DROP}\b(?: [\w',]{{1,14}}){{0,4}}? {_PRIOR}\b(?:[ \w',-]{{0,40}}?) ?\b{_ORDERS}\b"),
    _rule("override", 850_000, "ignor|disregard|forget|discard",
          r"\b(?:ignore|disregard|forget|discard) (?:\w{1,10} ){0,2}?(?:everything|anything|all"
          r"|what(?:ever)?)(?: of)?(?: that)?(?: (?:was|is|i|you|we|has been|have|had|were))*"
          r" ?(?:said|told|wrote|written|above|before|previously|so far|that came before|prior|up to now|until now|learned|know)\b"),
    _rule("override", 850_000, "ignor|disregard|forget",
          r"\b(?:ignore|disregard|forget) (?:all |everything |the )?(?:of )?(?:the )?(?:above|previous|prior)(?: (?:text|content"
          r"|conversation|task|message|input|and)\b|[.,:;!\n]|$)"),
    _rule("new_orders", 750_000, "instruction|task|rules|objective|orders|directive",
          r"\b(?:here (?:are|is)|follow|obey|execute|you have|these are|this is|receive|with) (?:my |your |the |these |this "
          r"|a )?new (?:\w{1,12} ){0,1}(?:instructions?|task|rules|objective|orders?|directives?)\b"),
    _rule("new_orders", 700_000, "instruction|task|orders",
          r"(?:^|[\n.!>\]*#-] ?)(?:new|updated|real|actual|important|urgent|additional) (?:\w{1,10} ){0,1}(?:instructions?|task"
          r"|orders) ?(?:for (?:the )?(?:ai|assistant|model|llm|bot)|from (?:the )?(?:system|admin|developer)s?|:)"),
    _rule("extraction", 850_000, "prompt|instruction|message|rules|guideline",
          rf"\b(?:reveal|show|print|output|repeat|display|tell me|give me|write(?: out| down)?|return|leak|disclose|expose|share"
          rf"|dump|list|recite|summari[sz]e|translate|reproduce|copy|echo|what (?:is|are|was|were)(?! an? )|what's(?! an? )"
          rf"|say)\b(?: [\w',]{{1,14}}){{0,6}}? {_HIDDEN}\b"),
    _rule("extraction", 850_000, "above|before|beginning|start",
          r"\b(?:repeat|print|output|reproduce|copy|write|return|recite|echo) (?:\w{1,12} ){0,5}?(?:words?|text|everything|all"
          r"|sentences?|lines?|content|conversation|messages?)(?: \w{1,12}){0,3}? (?:above|before (?:this|that)"
          r"|from the (?:beginning|start|top)|verbatim from)\b"),
    _rule("extraction", 900_000, "you are|starting with|beginning with",
          r"\b(?:starting|beginning|starts?|begins?) with (?:the (?:words?|phrase) )?[\"'`]?you are\b"),
    _rule("persona", 900_000, "do anything now|dan mode|developer mode|jailb|god mode|unrestricted|no restrictions|unfiltered|uncensored"
          "|amoral",
          r"\b(?:do anything now|dan mode|(?:enable|enter|activate|switch to|in|with|engage|simulate) (?:the )?(?:developer|god"
          r"|debug|sudo|admin|dan|jailbreak|unrestricted) mode|jailbroken|"
          r"(?:act|respond|answer|behave|reply|pretend|roleplay|operate|be|become|you are"
          r"|are now)(?: [\w',]{1,14}){0,6}? (?:unrestricted|unfiltered|uncensored|amoral|no restrictions"
          r"|without (?:any )?(?:restrictions|filters?|limitations|censorship)))"),
    _rule("persona", 800_000, "free from|without any|no longer|not bound|break free|broken free|freed from|have no|no ethical|any ethical"
          "|any moral",
          r"\b(?:(?:you(?: are|'re)?|it|he|she|which|that|who|dan)(?: \w{1,12}){0,3}? (?:free(?:d)? (?:from|of)"
          r"|no longer (?:bound|restricted|limited|constrained|have to)|not bound (?:by|to)|without any|have no|has no"
          r"|broken? free (?:of|from)))(?: [\w',]{1,14}){0,5}? "
          r"(?:restrictions?|rules|limits|limitations|guidelines|polic(?:y|ies)|filters?|confines|ethics?|ethical|moral"
          r"|censorship|constraints?|openai)\b"),
    _rule("persona", 700_000, "from now on|you are now|you will now|you're now|pretend|henceforth",
          r"\b(?:from now on,? you (?:are|will|must|have|shall|'re)|you (?:are|'re) now (?:a |an |the |going to |in |to act)"
          r"|you will now (?:act|be|play|pretend|behave)|henceforth,? you)\b(?=[^\n]{0,240}?\b(?:ignore|rules|restrict|polic"
          r"|filter|refuse|anything|no longer|without|hack|unethical|illegal|evil|limits|disregard|comply|obey|openai|ethic))"),
    _rule("persona", 700_000, "refuse|decline|reject",
          r"\b(?:never|cannot|can'?t|won'?t|will not|must not|not allowed to|unable to|don'?t) (?:\w{1,10} ){0,2}?(?:refuse"
          r"|decline|reject)"
          r" (?:to |any|my |a |or |direct|anything|human)"),
    _rule("persona", 750_000, "regardless of|without regard|bypass|circumvent|disregard|unconcerned|no matter how",
          r"\b(?:regardless of|without regard (?:to|for)|bypass\w{0,3}|circumvent\w{0,3}|disregard\w{0,3}|unconcerned with|no matter how)"
          r" (?:[\w',/]{1,12} ){0,6}?(?:ethic\w{0,4}|moral\w{0,5}|legal\w{0,4}|illegal|unethical|immoral|openai\w{0,2}"
          r"|content polic\w{1,3}"
          r"|safety (?:guidelines|filters|measures)|content filters?|censorship|legality|consequences)\b"),
    _rule("persona", 750_000, "chatgpt|language model|ai model|al model|dan ",
          r"\b(?:hello|hi|hey|dear)[, ]{1,2}(?:chatgpt|gpt|ai|assistant)\b[^\n]{0,160}?\b(?:from now on|immerse yourself|act as"
          r"|take on the role|into the role|pretend)\b"
          r"|\b(?:chatgpt|gpt|dan|[a-z]{2,12}bot) (?:can|will|must|should) (?:now )?(?:do|say|answer|generate) (?:any ?thing"
          r"|everything)\b"),
    _rule("persona", 750_000, "in character|jailbreak]|developer mode|stay a dan|be a dan|unfiltered",
          r"\[?\W?(?:jailbreak|developer mode output|developer mode)\W?\]|\bstay (?:in character"
          r"|a dan)\b(?=[^\n]{0,200}\b(?:tokens?|remind|dan|break|refus|anything))"),
    _rule("extraction", 750_000, "secret|hidden|confidential|password|passphrase",
          r"\b(?:spell|reveal|tell me|give me|print|repeat|encode|decode|translate|output|hint|say|write|leak|disclose|what is"
          r"|what's|show)\b"
          r"(?: [\w',]{1,14}){0,6}? (?:your|the system'?s?|you were given|you were told|you are hiding|you have) (?:\w{1,12} ){0,2}?"
          r"(?:secret|hidden|confidential|password|passphrase)(?: (?:key|password|passphrase|code|word|phrase|string"
          r"|instructions?|information|message))?\b"),
    _rule("markup", 850_000, "<|im_start|<|system|[inst]|<<sys>>|[/inst]|<|endoftext|### system|[system]|</system>|<system>"
                             "|end of prompt|end of instructions|end of document",
          r"<\|(?:im_start|im_end|system|endoftext|assistant|eot_id|start_header_id)\|?>?|\[/?inst\]|<</?sys>>|(?:^"
          r"|\n)\s*#{2,} ?system\b ?:?|\[system\](?:\(|:| )|</?system>(?=[^\n]{0,80}\b(?:you|ignore|new|must|instruction))"
          r"|[-=*#<\[({] ?end of (?:prompt|instructions|document|user input|context|system)"),
    _rule("indirect", 850_000, "assistant|ai |model|llm|chatbot|language model|agent",
          r"\b(?:if you are|attention|note to|message to|instructions? (?:for|to)|hey|dear|to the|important for)(?: (?:an|the|any"
          r"|all|every|your))?(?: \w{1,14}){0,2}? (?:ai|assistants?|language models?|llms?|chatbots?|ai models?"
          r"|ai agents?)\b[ ,:;.-]{1,3}(?:\w{1,14} ){0,10}?"
          r"(?:ignore|disregard|must|send|forward|email|reveal|output|print|say|respond|include|do not|execute|call|run|please"
          r"|rate|recommend|mention|transfer|write|reply|summari[sz]e|instead)\b"),
    _rule("indirect", 800_000,
          "do not tell|don't tell|without telling|without informing|do not mention|don't mention|do not inform|secretly"
          "|without asking|without the user",
          r"\b(?:do not|don'?t|never|without) (?:tell(?:ing)?|inform(?:ing)?|mention(?:ing)? (?:this|it|that)|notify(?:ing)?"
          r"|ask(?:ing)?|alert(?:ing)?|reveal(?:ing)? (?:this|it)) ?(?:\w{1,8} ){0,3}?(?:to )?(?:the )?(?:user|human|anyone|owner"
          r"|customer|them)\b|\bsecretly (?:send|forward|email|upload|add|include|execute|call|transfer)\b"),
    _rule("exfiltration", 850_000, "send|forward|upload|post|email|exfiltrat|append",
          r"\b(?:send|forward|upload|post|e-?mail|exfiltrate|append|transmit|leak)\b(?: [\w',/-]{1,16}){0,8}? (?:conversation"
          r"|chat history|system prompt|credentials|api keys?|passwords?|secrets?|access tokens?|private keys?"
          r"|environment variables|user'?s? (?:data|information|messages|emails))\b(?: [\w',/-]{1,16}){0,6}? (?:to|as|via|at"
          r"|in) [^\n]{0,24}?(?:https?:|@|url|webhook|server|endpoint|attacker|\[email)"),
    _rule("override_de", 900_000, "ignorier|vergiss|missacht",
          r"\b(?:ignorier(?:e|en|t)?|vergiss|vergesse?n?|missachte)\b(?: \w{1,14}){0,4}? (?:anweisungen|anweisung|instruktionen"
          r"|regeln|befehle|vorgaben|prompts?)\b"),
    _rule("override_es", 900_000, "ignor|olvid|omit",
          r"\b(?:ignora|ignore|ignorar|olvida|olvide|omite|omita)\b(?: \w{1,14}){0,4}? (?:instrucciones|reglas|indicaciones"
          r"|ordenes|directrices)\b"),
    _rule("override_fr", 900_000, "ignor|oubli",
          r"\b(?:ignore[zr]?|oublie[zr]?)\b(?: [\w']{1,14}){0,4}? (?:instructions|consignes|regles|directives|ordres)\b"),
    _rule("override_it", 900_000, "ignor|dimentic",
          r"\b(?:ignora|ignorare|dimentica|dimenticare)\b(?: \w{1,14}){0,4}? (?:istruzioni|regole|indicazioni|ordini)\b"),
    _rule("override_pt", 900_000, "ignor|esque",
          r"\b(?:ignore|ignora|ignorar|esqueca|esquece)\b(?: \w{1,14}){0,4}? (?:instrucoes|regras|orientacoes|ordens)\b"),
    _rule("override_ru", 900_000, _folded("игнориру|забудь|проигнориру"),
          rf"(?:{_folded('игнорируй|игнорируйте|забудь|забудьте|проигнорируй|проигнорируйте')})(?: \w{{1,16}}){{0,4}}? "
          rf"(?:{_folded('инструкции|указания|правила|команды|инструкций')})"),
    _rule("override_zh", 900_000, "忽略|无视|忘记|無視|忘れ",
          r"(?:忽略|无视|忘记|無視|忘れ)[^\n。]{0,16}(?:指令|指示|提示|规则|規則|ルール|プロンプト)|(?:指示|命令|ルール|プロンプト)[^\n。]{0,8}(?:無視|忘れ)"),
)  # fmt: skip

_SOFTENERS = re.compile(
    r"\b(?:prompt injections?|injection attacks?|jailbreaks?|attackers?|phishing|for example|such as|e\.g\.|example of|detect(?:s"
    r"|ing|ion)?|"
    r"what happens (?:if|when)|why (?:do|does|would)|phrase|research|paper|training data|filter(?:s|ed)?|he said|she said"
    r"|told (?:him|her|them)|wrote)\b"
)
_QUOTES = "\"'`"
_SPACE_RUN = re.compile(r"[ \t\r\n]{2,}|[\t\r\n]")
MAX_HITS = 32


def find(folded: Folded, depth: int = 0) -> list[Hit]:
    """Hits in one text and in its other readings; a hit in a decoded reading spans the whole text."""
    hits = _scan(folded)
    if depth <= 2:
        for how, reading in readings(folded.source, folded.text, depth):
            inner = find(Folded(reading), depth + 1 if how in ("base64", "hex", "percent") else 3)
            if inner:
                best = max(inner, key=lambda hit: hit[3])
                hits.append((0, len(folded.source), f"{best[2]}+{how}", min(1_000_000, best[3] + 50_000)))
    return hits


def _scan(folded: Folded) -> list[Hit]:
    text = folded.text
    if "  " in text or "\n" in text or "\t" in text or "\r" in text:
        text = _SPACE_RUN.sub(_one_space, text)
    hits: list[Hit] = []
    for rule in _RULES:
        for gate in rule.gates:
            if gate in text:
                break
        else:
            continue
        for match in rule.pattern.finditer(text):
            start, end = _before_squeeze(folded.text, len(text), match.start(), match.end())
            start, end = folded.span(start, end)
            hits.append((start, end, f"INJECTION/{rule.name}", _weigh(text, match, rule.score)))
            if len(hits) >= MAX_HITS:
                return hits
    return _agreed(hits)


def _one_space(run: re.Match[str]) -> str:
    """A phrase broken over lines still reads; an empty line ends it."""
    return "\n" if run.group().count("\n") > 1 else " "


def _before_squeeze(text: str, squeezed: int, start: int, end: int) -> tuple[int, int]:
    """Offsets of a squeezed span in the text before white space was squeezed."""
    if squeezed != len(text):
        for run in _SPACE_RUN.finditer(text):
            surplus = len(run.group()) - 1
            if run.start() < start:
                start += surplus
            if run.start() >= end - 1:
                break
            end += surplus
    return start, end


def _weigh(text: str, match: re.Match[str], score: int) -> int:
    """Lower the score of quoted talk about injections."""
    start, end = match.span()
    quoted = start > 0 and text[start - 1] in _QUOTES and text.find(text[start - 1], end, end + 80) >= 0
    about = _SOFTENERS.search(text, max(0, start - 120), start) is not None
    if quoted and about:
        return score * 45 // 100
    return score * 80 // 100 if quoted or about else score


def _agreed(hits: list[Hit]) -> list[Hit]:
    """Raise scores where different families agree."""
    families = {hit[2] for hit in hits}
    if len(families) < 2:
        return hits
    return [(start, end, name, min(1_000_000, score + 50_000 * (len(families) - 1))) for start, end, name, score in hits]
