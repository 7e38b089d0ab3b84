"""Rules of English phrases, and of the marks by which a text plays another role than it has.

Each rule has gate words of which one must stand near, and a pattern whose every gap is bounded; both read folded text with white
space squeezed. Scores are of a phrase that nothing softens. Leaves out: other languages (`languages`), and how rules run (`rules`).
"""

from __future__ import annotations

import re
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Rule:
    """A phrase that addresses the instructions of a model.

    Args:
        name: family of attack.
        score_ppm: of a hit that nothing softens.
        gates: words of which one stands in each hit or within `rules.AROUND` of it.
        pattern: what is looked for.
    """

    name: str
    score_ppm: int
    gates: tuple[str, ...]
    pattern: re.Pattern[str]


def _rule(name: str, score_ppm: int, gates: str, pattern: str) -> Rule:
    return Rule(name, score_ppm, tuple(gates.split("|")), re.compile(pattern))


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

RULES: tuple[Rule, ...] = (
    _rule("override", 900_000, "ignor|disregard|forget|overrid|overrul|bypass|skip|neglect|discard|follow",
          rf"\b{_DROP}\b(?: [\w',]{{1,14}}){{0,4}}? {_PRIOR}\b(?:[ \w',-]{{0,40}}?) ?\b{_ORDERS}\b"),
    _rule("override", 850_000, "ignor|disregard|forget|discard",
          r"\b(?:ignore|disregard|forget|discard) (?:\w{1,10} ){0,2}?(?:everything|anything|all"
          r"|what(?:ever)?)(?: of)?(?: that)?(?: (?:was|is|i|you|we|has been|have|had|were))*"
          r" ?(?:said|told|wrote|written|above|before|previously|so far|that came before"
          r"|prior(?! \w)|up to now|until now|learned|know)\b"),
    _rule("override", 850_000, "ignor|disregard|forget",
          r"\b(?:ignore|disregard|forget) (?:all |everything |the )?(?:of )?(?:the )?(?:above|previous|prior)(?: (?:text|content"
          r"|conversation|input|and)\b|[.,:;!\n]|$)"),
    _rule("override", 450_000, "ignor|disregard|forget",
          r"\b(?:ignore|disregard|forget) (?:all |everything |the )?(?:of )?(?:the )?(?:above|previous|prior) (?:task|message"
          r"|question)s?\b"),
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
          r"\b(?:(?:you(?: are|'re)?|it|he|she|which|that|who|dan)(?: [\w',]{1,12}){0,3}? (?:free(?:d)? (?:from|of)"
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
    _rule("markup", 850_000, "im_start|im_end|eot_id|start_header|endoftext|[inst]|<<sys>>|[/inst]|### system|[system]|</system>|<system>"
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
    _rule("override", 850_000, "no longer|do not apply|don't apply|void|lifted|revoked|disabled|suspended|outdated|were a test",
          rf"\b(?:your|the|all|these|those|previous|prior|safety|content)(?: \w{{1,12}}){{0,3}}? {_ORDERS}(?: (?:above|before this"
          rf"|so far))?"
          r" (?:no longer (?:apply|applies|matter|exist|hold)|(?:do not|don'?t) (?:apply|matter|count|exist)|(?:are|were|have been|is"
          r"|was|has been)"
          r" (?:now )?(?:void|lifted|revoked|disabled|suspended|removed|cancell?ed|outdated|deactivated|turned off|a test|superseded"
          r"|null))\b"),
    _rule("override", 800_000, "unlearn|set aside|throw out|pay no attention|wipe|do not obey|do not follow|don't obey|stop obeying"
          "|supersede|erase|drop ",
          r"\b(?:unlearn|set aside|throw (?:out|away)|pay no (?:attention|heed) to|wipe|(?:do not|don'?t|stop) (?:obey|follow)(?:ing)?"
          r"|supersedes?|erase|drop)"
          rf"(?: [\w',]{{1,14}}){{0,4}}? (?:{_PRIOR}|what)\b(?: [\w',-]{{1,14}}){{0,3}}? ?(?:{_ORDERS}|told|trained|said|written)\b"),
    _rule("override", 700_000, "above",
          r"\b(?:text|conversation|message|prompt|everything|instructions?) above (?:does not exist|doesn'?t exist|never happened|is "
          r"(?:irrelevant|fake|false|void)"
          r"|was (?:a test|deleted|an error))\b"),
    _rule("override", 700_000, "do not translate|don't translate|instead of|do not answer|don't answer|do not summar|don't summar"
          "|rather than",
          r"\b(?:(?:do not|don'?t) (?:translate|answer|summari[sz]e|classify|do|perform|complete|process)|instead of|rather than) "
          r"(?:translating|answering|summari[sz]ing"
          r"|classifying|the|this|that|my|any|it)\b(?: [\w',]{1,14}){0,8}?[,.;:]? (?:but |just |only |instead,? |and )?(?:say|print"
          r"|output|reply|respond|write|tell me|give me|return)\b"),
    _rule("override", 800_000, "pwned|hacked", r"\b(?:say|print|output|respond|reply|write|answer|return"
          r"|display)\b[^\n]{0,40}\b(?:pwned|hacked)\b"),
    _rule("authority", 700_000, "developer|admin|creator|openai|anthropic|authori|owner|root|engineer",
          r"\b(?:i am|i'm|this is|it'?s|as) (?:your|the|an? authori[sz]ed|openai'?s?|anthropic'?s?|a"
          r"|the system'?s?) ?(?:\w{1,12} ){0,2}?(?:developer|admin|administrator|creator"
          r"|system owner|root user|engineer|operator)\b[^\n]{0,80}?\b(?:order|authori[sz]e|command|instruct|override|disable|reveal"
          r"|permission|grant|debug|bypass|must|unlock)\w{0,3}\b"),
    _rule("persona", 700_000, " mode",
          r"\b(?:debug|maintenance|diagnostic|admin|root|sudo|unrestricted|developer|god|jailbreak|dan|unsafe|override|chaos|evil"
          r"|unfiltered|training)[ _-]mode"
          r" (?:is )?(?:now )?(?:enabled|activated|active|unlocked|engaged|on\b|initiated)"),
    _rule("persona", 700_000, "stop being|not an ai|not a language model|not an assistant|evil|opposite",
          r"\b(?:stop being (?:an? )?(?:\w{1,12} )?(?:assistant|ai|chatbot|helpful)|you are not (?:an? )?(?:ai|language model"
          r"|assistant)\b[^\n]{0,80}\b(?:you are|you're|but)"
          r"|(?:act|respond|behave|answer) as (?:your|an?|the) (?:\w{1,10} )?(?:evil|opposite|uncensored|amoral|malicious|shadow)\b)"),
    _rule("refusal", 600_000, "disclaimer|warning|apolog|sorry|i can't|i cannot|moral|lecture|as an ai|refus|inappropriate",
          r"\b(?:do not|don'?t|never|without|no|avoid|skip) (?:\w{1,10} ){0,3}?(?:disclaimers?|apologi[sz]\w{1,4}|moraliz\w{1,4}"
          r"|lectur\w{1,4}"
          r"|(?:mention|say|state|remind\w{0,3})(?: \w{1,8}){0,3}? (?:you are|you're|you can'?t|you cannot|i can'?t|i cannot|sorry"
          r"|as) ?(?:an ai|a language model|unable|it|\w{0,6}))\b"
          r"|\b(?:start|begin)(?: (?:your|the|each|every) (?:answer|response|reply|message))? with [\"'`]?(?:sure|absolutely|of course|yes"
          r"|certainly|hell yeah)"),
    _rule("splitting", 700_000, "concaten|combine|join|put together|merge",
          r"\b(?:concatenate|combine|join|merge|put together) (?:the |these |those |all |both )?(?:\w{1,12} ){0,3}?(?:strings?"
          r"|variables?|parts|pieces|fragments|letters|tokens|a and b|them)\b"
          r"[^\n]{0,80}?\b(?:follow|execute|answer|obey|respond|do what|run|act)\b"),
    _rule("splitting", 700_000, "decode|decipher|decrypt|base64|rot13|morse",
          r"\b(?:decode|decipher|decrypt|unscramble|translate)\b[^\n]{0,80}?\b(?:and|then) (?:\w{1,10} ){0,2}?(?:follow|execute|obey"
          r"|do what|do as|carry out|perform|answer it|comply)\b"),
    _rule("tool", 650_000, "delete|transfer|wire|drop table|rm -rf|purchase|disable|grant|install",
          r"\b(?:you (?:must|should|need to|have to|will)|please|now|immediately|then|and)(?: \w{1,12}){0,2}? (?:delete (?:all|every"
          r"|the (?:entire|whole|production))|transfer (?:\S{1,10} ){0,3}?"
          r"(?:dollars|usd|euros?|eur|btc|funds|money|\$)|wire \S{1,10}|drop table|run rm -rf|grant (?:me|admin|root)|disable (?:all "
          r"|the )?(?:safety|security|logging|firewall|monitoring))"),
    _rule("tool", 700_000, "tool|function|command",
          r"\b(?:call|use|invoke|run|execute|trigger)(?: [\w'_-]{1,24}){1,4}? (?:tool|function|command|plugin"
          r"|api)s?\b[^\n]{0,60}?\b(?:without (?:asking|confirm|telling|permission|approval)\w{0,5}"
          r"|full permissions|do not (?:ask|tell|confirm)|don'?t (?:ask|tell|confirm)|immediately and)"),
    _rule("indirect", 700_000, "summar|process|reading|read this|review|analyz|respond",
          r"\b(?:when|whenever|while|if you are|after|before) (?:you )?(?:are )?(?:summari[sz]\w{1,4}|process\w{0,4}|read\w{0,4}"
          r"|review\w{0,4}|analy[sz]\w{1,4}|respond\w{0,4}|asked)"
          r"(?: \w{1,12}){0,4}? (?:this|the|to this) (?:e-?mail|document|page|text|message|file|content|article|web ?site"
          r"|review)\b[^\n]{0,60}?\b(?:you must|must|always|include|add|say|tell"
          r"|recommend|instead|state|mention|append)\b"),
    _rule("indirect", 650_000, "following instruction|following order|following command|following request",
          r"\byou (?:must|have to|need to|are required to|will)(?: \w{1,12}){0,2}? (?:adhere to|follow|obey|execute|comply with"
          r"|carry out) the following (?:instruction|order|command|request)s?\b"),
    _rule("extraction", 700_000, "password|secret|passphrase|secret key|api key|flag",
          r"\b(?:reveal|spell(?: out)?|hints? (?:about|of|for|at)|encode|leak|disclose|base64|rot13|reverse|acrostic|rhymes? with"
          r"|letters? of|characters? of|synonyms? (?:of|for))\b"
          r"(?: [\w',]{1,14}){0,5}? (?:the|your|this|that) (?:\w{1,12} ){0,2}?(?:password|secret|passphrase|secret key|flag)\b(?! "
          r"(?:reset|manager|policy|field|hash))"),
    _rule("extraction", 800_000, "verbatim|word for word|word-for-word|exactly as|code block|in full",
          r"\b(?:prompt|instructions?|rules|guidelines|configuration|messages?|everything above|text above)\b[^\n.]{0,60}\b(?:verbatim"
          r"|word[ -]for[ -]word|exactly as (?:they|it) (?:are|is|was|were)"
          r"|in (?:a|one) code ?block)\b"),
    _rule("markup", 800_000, "system|developer|admin",
          r"(?:^|\n)[\s>*#\[(-]{0,4}(?:system|developer|admin|administrator)(?: (?:message|prompt|override|note|notice|update|command"
          r"|instruction))?[\])]?\s?:\s?"
          r"(?=[^\n]{0,160}\b(?:you|ignore|must|new instruction|override|disregard|reveal|assistant|the ai)\b)"),
    _rule("markup", 800_000, "start_of_turn|<tool_call|<assistant|</user|</document|</context|</instructions|</data|### instruction"
          "|### response|### assistant|<<user|<s>[",
          r"<start_of_turn>|<tool_call>|</?assistant>|</(?:user|document|context|instructions|data|email|query)>\s?[<\[]?(?:/?system"
          r"|assistant|new|instructions?|ignore|admin|you)"
          r"|###\s?(?:instruction|response|assistant)s?\s?:"),
    _rule("markup", 550_000, "assistant:|ai:|chatgpt:|bot:",
          r"\n\s?(?:assistant|ai|chatgpt|bot):[^\n]{0,200}\n\s?(?:user|human|me):[^\n]{0,160}\b(?:ignore|disregard|reveal|prompt"
          r"|instructions?|password|rules|pretend|now)\b"),
    _rule("exfiltration", 850_000, "](http|src=",
          r"!\[[^\]\n]{0,80}\]\(https?://[^)\s]{4,200}[?&/#][^)\s]{0,80}(?:\{|<|\[|%7b|\$\{|data=|q=|chat|secret|token|conversation"
          r"|history|summary)"
          r"|<img[^>\n]{0,80}src=[\"']?https?://[^>\s]{4,200}[?&][^>\s]{0,80}(?:\{|\[|data=|chat|secret|token|conversation|history)"),
    _rule("exfiltration", 700_000, "image|link|url",
          r"\b(?:include|add|insert|render|append|embed|display|show|put)\b(?: [\w',-]{1,16}){0,6}? (?:image|link|url|pixel"
          r"|markdown)\b[^\n]{0,120}?\b(?:data|conversation|history|secret|token"
          r"|credentials|password|answer|encoded|parameter|query string)\b"),
    _rule("override", 850_000, "ignor|disregard|forget|overrid|bypass|neglect|discard|skip|follow",
          rf"\b{_DROP}\b(?: [\w',]{{1,14}}){{0,3}}? {_ORDERS}\b(?: that| which)? (?:above|before(?! \w)|given|so far|i gave|provided"
          r"|you (?:were|have been|had|received|got|have)\b|(?:were|came) (?:before|above|given|earlier|previously))"),
    _rule("override", 800_000, "ignor|disregard|forget|bypass|circumvent",
          r"\b(?:ignore|disregard|forget(?: about)?|bypass|circumvent) (?:all |any )?(?:of )?(?:your|the|chatgpt's|openai's|these"
          r"|those) (?:\w{1,12} ){0,2}?(?:training"
          r"|programming|restrictions?|safety|safeguards|filters?|tos|terms of service|ethics|morals|alignment|content polic\w{1,3}"
          r"|(?:commands?|orders?|instructions?|rules?) (?:to|about|against|not to))\b"),
    _rule("extraction", 650_000, "instruction|rules",
          r"\b(?:instructions?|rules)\b(?: \w{1,10}){0,2}? (?:you (?:have been|were|are|had been) (?:given|told|provided|following)"
          r"|(?:that were |were )?(?:programmed in|given |told )to you)\b"
          r"|\bdid you (?:have|get|receive) any (?:\w{1,10} )?instructions\b|\bwhat (?:are|were) your (?:\w{1,12} )?instructions\b"),
    _rule("extraction", 600_000, "the secret|the password|the passphrase|the s3cr3t|secret word|secret key|the code word",
          r"\b(?:what(?: is|'s| was)|tell me|give me|say|reveal|know|print|output|repeat) the (?:secret|s3cr3t|password|passphrase"
          r"|secret (?:key|word|code)|code word)(?: ?[?.!,;:\n]|$| (?:now|please|again|in |as |with |backwards|letter|and ))"),
    _rule("extraction", 650_000, "character|letter|digit|symbol|secret|string",
          r"\b(?:first|last|next|second|third|every|each) (?:\w{1,8} )?(?:characters?|letters?|digits?|symbols?) (?:of|in|from) (?:the "
          r"|your |that |its )?(?:\w{1,10} )?(?:secret|password|code|passphrase|system|prompt|original)\b"
          r"|\bthe (?:\w{1,16} ){0,2}?(?:secret|string|word|code|value|key) (?:that )?(?:you (?:know|have|were|must|are)|in (?:your"
          r"|the) (?:system |previous |initial )?(?:prompt|instructions|prelude|context))\b"),
    _rule("extraction", 550_000, "confidential|classified|sensitive|private",
          r"(?:^|[.!?,;:\n] ?|\b(?:and|you must|must|please|now) )(?:share(?: with me)?|give me|provide(?: me(?: with)?)?|show me"
          r"|tell me|disclose|reveal|leak)\b(?: [\w']{1,12}){0,5}? (?:confidential|classified"
          r"|sensitive|private)(?: \w{1,12}){0,2}? (?:information|data|records|details|documents)\b"),
    _rule("persona", 700_000, "you are now|you're now",
          r"\byou(?: are|'re) now (?:an? |the |called |named |in )?\W?\w{0,16}(?:gpt|bot|dan|ai)\b"),
    _rule("persona", 700_000, "persona|responses|answers|two ways|different ways|separate ways",
          r"\b(?:two|2|three|3|both) (?:different |separate |distinct |unique )?(?:responses|answers|ways|personas?"
          r"|outputs)\b(?=[^\n]{0,300}\b(?:chatgpt|gpt|openai|jailb\w{1,8}|unfiltered|dan)\b)"),
    _rule("persona", 700_000, "any question|any request|every request|all request|any prompt|every question|any command|all question"
          "|whatever i|anything i",
          r"\b(?:comply|answer|respond|obey|follow|fulfil\w{0,2}|do)(?: [\w',]{1,12}){0,6}? (?:any|every|all|whatever|anything)\b"
          r"(?=[^\n]{0,120}\b(?:without (?:question|hesitation|restriction|warning|filter)\w{0,2}|no matter (?:what|how)|regardless"
          r"|illegal|unethical|nsfw|immoral|even if))"),
    _rule("markup", 800_000, "<", r"<\|[a-z_ ]{2,24}(?:\|>|>)"),
    _rule("markup", 600_000,
          "###'''|```\"\"\"|\"\"\"~~~|'''~~~|~~~\"\"\"|\"\"\"```|'''\"\"\"|###\"\"\"|\"\"\"'''",
          r"(?:###|'''|\"\"\"|~~~|```){3,8}"),
    _rule("markup", 650_000, "tool_invocation|<tool|<function_call|tool_call|<invoke|send_email(|send_mail(|<name>send",
          r"<(?:tool_invocation|tool_calls?|function_calls?|invoke|tool)\b[^>\n]{0,80}>|\b(?:execute|call|run"
          r"|invoke)\b[^\n]{0,60}\bsend_e?mail\(|<name>send_\w{2,10}</name>"),
    _rule("tool", 550_000, "e-mail|email| mail|confirmation",
          r"\b(?:send|write|generate|forward|reply|respond)\b(?: [\w',-]{1,14}){0,5}?"
          r" to [^\n]{0,12}?[\w.+-]{1,40}@[\w.-]{1,40}[^\n]{0,40}?\b(?:with|containing|saying)\b[^\n]{0,40}?\b(?:body|confirmation"
          r"|single word|only|just|one word)\b"
          r"|\b(?:reply|respond|answer)\b[^\n]{0,24}?[\"'`]?confirmation[\"'`]? to \S{1,60}@"),
)  # fmt: skip
