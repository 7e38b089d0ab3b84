"""Concepts that injections are made of, in English words: what the model weighs besides raw n-grams.

The first classes are those of `languages`, so that what is learnt of them in English holds for the other languages. The rest
are English only, or marks that every language shares. A concept is no sign of an attack by itself: many stand in ordinary
requests, some (`meta`, `code`, `thanks`) speak for harmless talk.
"""

from __future__ import annotations

SHARED = ("drop", "orders", "prior", "all", "void", "reveal", "hidden", "persona", "free", "send", "data", "act", "silent")
"""Classes that `languages` fills too."""

WORDS: dict[str, str] = {
    "drop": "ignore|ignoring|disregard|disregarding|forget|forget about|override|overrule|bypass|bypassing|discard|neglect"
    "|do not follow|don't follow"
    "|do not obey|stop following|set aside|pay no attention|unlearn|throw out|dismiss|erase|circumvent|supersede|abandon|stop obeying"
    "|put aside|skip over",
    "orders": "instruction|instructions|directive|directives|directions|rules|guidelines|prompts|prompt|commands|constraints"
    "|restrictions|orders|programming"
    "|policies|safeguards|guardrails|training|protocols|limitations",
    "prior": "previous|prior|above|earlier|preceding|foregoing|original|initial|before this|up to now|so far|everything above|until now"
    "|system's|given to you"
    "|your own|you were given|you were told|you have been given|existing",
    "all": "all|any|every|everything|anything|whatever|entire",
    "void": "no longer apply|no longer applies|no longer bound|do not apply|don't apply|are void|are lifted|have been revoked"
    "|have been disabled|are disabled"
    "|are suspended|are outdated|no longer need to|been deactivated|free from|freed from|broken free|not bound|no longer restricted",
    "reveal": "reveal|show|print|output|repeat|display|tell me|give me|write down|leak|disclose|expose|dump|list|recite|translate"
    "|reproduce|copy|echo"
    "|what is|what was|what were|what are|share|paste|quote|spell|summarize|say the",
    "hidden": "system prompt|system message|system instructions|initial prompt|hidden prompt|hidden instructions|secret instructions"
    "|developer message|your instructions"
    "|your prompt|your rules|your guidelines|your configuration|your programming|your initial|your original|your system|your hidden"
    "|your secret|the text above"
    "|above text|text above|words above|the message above|starting with you are|context window|original instructions"
    "|initial instructions|prompt verbatim",
    "persona": "you are now|you're now|from now on|pretend|act as|acting as|roleplay|role-play|role play|henceforth|you will now"
    "|going to act|take on the role|immerse yourself"
    "|simulate|imagine you|behave like|respond as|answer as|you will be|stay in character|persona|character named|you are going to"
    "|become|impersonate|alter ego|in the role",
    "free": "no restrictions|without restrictions|without any restrictions|unrestricted|unfiltered|uncensored|no rules|no limits"
    "|no limitations|without limitations|no filters|no filter"
    "|without filters|anything now|dan|developer mode|god mode|jailbreak|jailbroken|amoral|no ethical|no moral|no morals|without ethics"
    "|regardless of|no boundaries|without censorship"
    "|evil|unethical|immoral|no guidelines|never refuse|never refuses|cannot refuse|can't refuse|no longer have to|bypasses",
    "send": "send|sending|forward|upload|post|email|e-mail|exfiltrate|transmit|append|deliver|submit|share with|cc|bcc|reply to",
    "data": "conversation|chat history|credentials|api key|api keys|passwords|access tokens|token|private key|environment variables"
    "|user data|personal data|customer list|customer data"
    "|confidential|sensitive information|contacts|inbox|bank details|credit card|social security|personal information|user's data"
    "|attachments|database",
    "act": "call|execute|run|delete|transfer|pay|wire|purchase|install|invoke|trigger|modify|grant|disable|enable|update the|remove"
    "|download|book|send_email|rm -rf|drop table",
    "silent": "do not tell|don't tell|without telling|without informing|do not mention|don't mention|secretly|without asking"
    "|do not inform|without confirmation|do not reveal this|quietly"
    "|without the user|do not alert|don't say anything|without notifying|covertly|do not ask",
    "ai": "ai|a.i|assistant|assistants|chatbot|chatgpt|gpt|gpt-4|gpt-3|llm|language model|language models|openai|bot|claude|model|agent"
    "|anthropic|bard|copilot|virtual assistant",
    "must": "you must|you will|you have to|you should|you need to|must always|must not|you shall|you are required|you can only"
    "|you cannot|make sure to|be sure to|always|never|strictly|under no circumstances",
    "instead": "instead|rather than|but first|before that|and then|then also|also do|afterwards|in addition|new task|new instructions"
    "|new instruction|your task is|your new|next task|your goal|first of all"
    "|new objective|real task|actual task|task complete|important:|attention|urgent|note:",
    "only": "only|nothing else|exactly|just say|just reply|respond with|reply with|answer with|respond only|say only|begin your"
    "|start your|end your|end with|in all caps|word for word|verbatim|literally",
    "secret": "password|passwords|secret|secrets|passphrase|secret key|secret word|the key|flag|codeword|code word|pin code|hidden word"
    "|access code|secret code|classified",
    "encode": "base64|rot13|encode|encoded|decode|cipher|hex|ascii|backwards|reverse|reversed|letter by letter|acrostic|morse|spell it"
    "|hint|rhyme|first letter|characters of|emoji|binary",
    "fiction": "story|hypothetical|hypothetically|fictional|novel|scene|dialogue|imagine|simulation|game|movie|in a world|script"
    "|screenplay|poem|pretend that|for educational|thought experiment|academic",
    "harm": "illegal|hack|hacking|malware|bomb|weapon|weapons|drugs|meth|steal|kill|violent|violence|sexual|explicit|harmful|dangerous"
    "|offensive|racist|hate|phishing|exploit|ransomware|poison|vulgar|nsfw"
    "|swear|curse|profanity|controversial|inappropriate|toxic",
    "refuse": "refuse|refuses|decline|apologize|apologise|apology|i'm sorry|sorry|i cannot|i can't|as an ai|disclaimer|disclaimers"
    "|warning|warnings|moral|ethics|ethical|morality|content policy|safety|policy|against|lecture",
    "authority": "developer|developers|admin|administrator|creator|engineer|owner|root|authorized|authorised|override code"
    "|access granted|permission|security team|test mode|debug mode|maintenance|supervisor|ceo",
    "roles": "system:|user:|assistant:|human:|ai:|<|im_start|[inst]|[/inst]|<<sys>>|### instruction|### response|[system]|<system>"
    "|</system>|</user>|<user>|end of|---|```|===|{{|[prompt]|[insert",
    "sink": "http://|https://|www.|@|webhook|url|link|click|attacker|.com/|ftp://",
    "obey": "obey|comply|follow|following|adhere|do as|listen to me|serve|do what|at all costs|immediately|right now|no matter what"
    "|without question",
    "meta": "prompt injection|injection attack|attacker|attackers|example|such as|security|detect|detection|phishing|article|explain"
    "|paper|researchers|for instance|what does|how do|how can|why do|best practices|documentation",
    "request": "write a|give me a|suggest|create a|how to|recipe|find the|classify|calculate|design|generate|describe|help me|edit"
    "|rewrite|identify|compare|provide|make a|convert|name|explain|summarise|outline",
    "person": "he|she|his|her|they|their|we|our|was|were|had|my|me|i",
    "thanks": "thanks|thank you|regards|best|hello|hi|dear|please|sincerely|kind regards|let me know",
    "code": "def|import|return|class|print(|function|null|select|var|const|</div>|public|error|traceback|void|#include",
}  # fmt: skip

CONCEPTS = tuple(WORDS)
