"""Words by which an injection shows itself in languages other than English, by class.

Classes: `drop` (set aside!), `orders` (instructions, rules), `prior` (earlier, your, of the system), `all`; `void` (no longer
apply); `reveal` and `hidden` (what a model was told); `persona` (be now, pretend) and `free` (without rules); `send` and `data`
(what must not leave); `act` (delete, pay, call) and `silent` (without telling anybody). Words are whole; a `*` at the end
stands for any ending. Written folded or not: they are folded when the table is read.
"""

from __future__ import annotations

Words = dict[str, str]

LANGUAGES: dict[str, Words] = {
    "de": {
        "drop": "abweichend|ignoriere|ignorier|ignorieren sie|ignorieren|vergiss|vergesse|vergessen sie|missachte|missachten|verwirf"
        "|verwerfen"
        "|verwerfe"
        "|übergehe|umgehe|umgehen|lösche|überschreibe|folge nicht|befolge nicht|setze dich über|hebe|beachte nicht|ignorierst du",
        "orders": "aufgaben|aufträge|anweisung*|instruktion*|regeln|vorgaben|befehle|befehlen|richtlinien|systemprompt*|system-prompt*"
        "|prompts|prompt"
        "|sicherheitsvorgaben"
        "|systemanweisung*|beschränkungen|einschränkungen|filter|ausführungen|alles",
        "prior": "vorherig*|bisherig*|obig*|früher*|vorangegangen*|vorig*|ursprünglich*|deine|deinen|deiner|system*|oben|zuvor"
        "|bis jetzt|davor|alten",
        "all": "alle|allen|sämtliche|jede|alles|jegliche",
        "void": "gelten nicht mehr|gilt nicht mehr|gelten ab sofort nicht|sind aufgehoben|sind ungültig|nicht mehr gültig|sind veraltet"
        "|alte vorgaben",
        "reveal": "zeige|zeig mir|zeig|gib|verrate|verrat|nenne|wiederhole|drucke|übersetze|schreibe|wie lautet|wie lauten|was ist"
        "|was sind|offenbare|zitiere|sag mir",
        "hidden": "systemprompt|system-prompt|system prompt|deine anweisungen|deine instruktionen|deine regeln|geheimen anweisungen"
        "|geheime anweisungen"
        "|internen regeln|startanweisungen|deine systemanweisungen|text oberhalb|dein passwort|das passwort, das du|geheime kennwort"
        "|anweisung, die dir"
        "|alles oberhalb|deine vorgaben|deinen system*|deine ursprünglichen|das geheime passwort|das geheimnis, das du|deine geheimen",
        "persona": "du bist jetzt|du bist nun|ab jetzt bist du|ab sofort bist du|von nun an bist du|tu so, als|tue so, als|spiele eine"
        "|spiele|stell dir vor|verhalte dich"
        "|gib dich als|antworte als|aktiviere|wechsle in|schlüpfe in|du wirst jetzt",
        "free": "ohne regeln|ohne filter|ohne moral|keine regeln|keine grenzen|keine filter|keine richtlinien|keine beschränkungen"
        "|keinerlei|uneingeschränkt*"
        "|niemals ablehnt|nie ablehnt|nichts ablehnt|lehnst nichts|entwicklermodus|gottmodus|dan|ohne einschränkungen|ohne zensur"
        "|unzensiert*|kennst keine|ohne ethische*",
        "send": "sende|schicke|leite|übermittle|maile|lade|füge|poste",
        "data": "unterhaltung|gespräch|chatverlauf|passwörter|zugangsdaten|kundendaten|posteingang|postfach*|daten des nutzers"
        "|api-schlüssel|geheimnisse|vertrauliche*|kreditkarte*",
        "act": "rufe|führe|lösche|überweise|bezahle|sende|installiere|ändere|buche|leite",
        "silent": "ohne den nutzer zu fragen|ohne zu fragen|erwähne es nicht|sage niemandem|sag niemandem|sag dem nutzer nichts"
        "|heimlich|unbemerkt|ohne rückfrage"
        "|ohne es zu erwähnen|verrate es niemandem|ohne den benutzer|informiere den nutzer nicht",
    },
    "fr": {
        "drop": "ignore|ignorez|ignorer|oublie|oubliez|oublier|néglige|négligez|ne tiens pas compte|ne tenez pas compte"
        "|ne tiens plus compte|contourne|contournez"
        "|fais abstraction|faites abstraction|écarte|efface|annule|désobéis|ne suis plus|ne suivez plus|abandonne",
        "orders": "instructions|consignes|règles|directives|ordres|consigne|instruction|prompt|prompts|invite système|restrictions"
        "|filtres|limites|tout ce qui",
        "prior": "précédent*|antérieur*|ci-dessus|préalables|initiales|tes|vos|du système|système|plus haut|avant|reçues|d'origine"
        "|au-dessus",
        "all": "toutes|tous|toute|tout|l'ensemble des",
        "void": "ne s'appliquent plus|ne sont plus valables|n'ont plus cours|sont annulées|sont désactivés|sont levées|plus en vigueur",
        "reveal": "révèle|révélez|affiche|affichez|montre|montrez|montre-moi|répète|répétez|donne-moi|donne|donnez|écris|imprime"
        "|traduis|quel est|quelles sont|quels sont"
        "|dévoile|dis-moi|recopie|copie|divulgue",
        "hidden": "prompt système|invite système|message système|tes instructions|vos instructions|tes consignes|vos consignes"
        "|instructions secrètes|règles cachées"
        "|consignes secrètes|texte au-dessus|texte qui précède|ton mot de passe|mot de passe que tu|tes règles|règles internes"
        "|instructions initiales|instructions système"
        "|consignes initiales|prompt initial|tes directives|texte avant ce message|mot secret|code secret",
        "persona": "tu es maintenant|tu es désormais|vous êtes maintenant|vous êtes désormais|à partir de maintenant, tu|désormais, tu"
        "|fais semblant|faites semblant|agis comme"
        "|comporte-toi|joue le rôle|imagine que tu|active|activez|passe en mode|prétends|réponds en tant que",
        "free": "sans règles|sans filtre|sans filtres|sans limites|sans limite|sans restriction|sans restrictions|sans morale"
        "|sans censure|aucune règle|aucune limite|aucune restriction"
        "|ne refuse jamais|ne refuses jamais|ne refuses rien|mode développeur|mode dieu|non censuré*|dan|aucun filtre|aucune morale",
        "send": "envoie|envoyez|transmets|transmettez|transfère|transférez|expédie|publie|ajoute",
        "data": "conversation|historique|mots de passe|identifiants|données des clients|données clients|données de l'utilisateur"
        "|boîte de réception|clés api|secrets|coordonnées bancaires|confidentiel*",
        "act": "appelle|exécute|supprime|efface|vire|virez|paie|transfère|envoie|transmets|lance|installe|invoque|utilise",
        "silent": "sans demander|sans le dire|sans en parler|n'en parle|n'en parlez|n'en dis rien|ne dis rien|ne dites rien|en secret"
        "|secrètement|discrètement|à l'insu|sans prévenir"
        "|n'informe pas|ne le mentionne pas|ne mentionne pas",
    },
    "es": {
        "drop": "ignora|ignore|ignorad|ignorar|olvida|olvide|olvídate|olvidar|omite|omita|descarta|descarte|desobedece|no sigas"
        "|no hagas caso|haz caso omiso|salta|sáltate|anula"
        "|deja de seguir|pasa por alto|borra|elude|desestima",
        "orders": "instrucciones|instrucción|reglas|indicaciones|órdenes|directrices|prompt|prompts|restricciones|filtros|normas"
        "|límites|todo lo que|todo lo",
        "prior": "anterior|anteriores|previas|previos|de arriba|tus|sus|del sistema|sistema|iniciales|originales|precedentes|antes"
        "|hasta ahora|arriba",
        "all": "todas|todos|toda|todo|cualquier",
        "void": "ya no se aplican|ya no valen|ya no rigen|quedan anuladas|ya no son válidas|han sido desactivados|ya no están vigentes"
        "|quedan sin efecto",
        "reveal": "revela|revele|muestra|muéstrame|muestre|repite|repita|dime|dame|escribe|imprime|traduce|cuál es|cuáles son|enseña"
        "|enséñame|copia|divulga|cuáles fueron",
        "hidden": "prompt del sistema|prompt de sistema|mensaje del sistema|mensaje de sistema|tus instrucciones|sus instrucciones"
        "|instrucciones secretas|reglas ocultas"
        "|instrucciones iniciales|texto anterior a este|tu contraseña|contraseña que debes|tus reglas|reglas internas"
        "|instrucciones del sistema|indicaciones iniciales|prompt inicial"
        "|tus directrices|texto de arriba|palabra secreta|código secreto|la clave que",
        "persona": "ahora eres|a partir de ahora eres|desde ahora eres|finge|finge ser|finge que|actúa como|compórtate como"
        "|haz de cuenta|imagina que eres|activa|entra en|pasa a|responde como"
        "|simula ser|hazte pasar",
        "free": "sin reglas|sin filtros|sin filtro|sin límites|sin restricciones|sin moral|sin censura|sin ética|ninguna regla"
        "|ninguna restricción|nunca se niega|nunca te niegas|no rechazas nada"
        "|modo desarrollador|modo dios|dan|no tienes límites|nunca rechaza|nunca rechazas",
        "send": "envía|envíe|manda|mande|reenvía|reenvíe|transmite|publica|añade|sube",
        "data": "conversación|historial|contraseñas|credenciales|datos de los clientes|datos de clientes|datos del usuario"
        "|bandeja de entrada|claves api|secretos|tarjeta de crédito|confidencial*",
        "act": "llama|ejecuta|borra|elimina|transfiere|paga|envía|reenvía|instala|invoca|usa|realiza",
        "silent": "sin preguntar|sin avisar|sin decir|no se lo digas|no lo menciones|no digas nada|no le digas|en secreto|a escondidas"
        "|discretamente|sin informar|sin que lo sepa|no lo comentes|sin que nadie",
    },
    "it": {
        "drop": "ignora|ignorate|ignori|ignorare|dimentica|dimenticate|dimenticare|trascura|scarta|non seguire|non seguire più|aggira"
        "|tralascia|elimina|lascia perdere|disobbedisci|annulla|smetti di seguire",
        "orders": "istruzioni|istruzione|regole|indicazioni|ordini|direttive|prompt|restrizioni|filtri|limiti|tutto ciò che"
        "|tutto quello che|linee guida",
        "prior": "precedenti|precedente|sopra|tue|tuoi|di sistema|del sistema|sistema|iniziali|originali|finora|prima|ricevute|anteriori",
        "all": "tutte|tutti|tutto|qualsiasi|ogni",
        "void": "non valgono più|non sono più valide|non si applicano più|sono annullate|sono stati disattivati|non sono più in vigore",
        "reveal": "rivela|rivelami|mostra|mostrami|ripeti|dimmi|dammi|scrivi|stampa|traduci|qual è|quali sono|copia|svela|quali erano",
        "hidden": "prompt di sistema|prompt del sistema|messaggio di sistema|tue istruzioni|vostre istruzioni|istruzioni segrete"
        "|regole nascoste|istruzioni iniziali|testo prima di questo"
        "|tua password|password che devi|tue regole|regole interne|istruzioni di sistema|prompt iniziale|testo sopra|parola segreta"
        "|codice segreto|parola d'ordine",
        "persona": "ora sei|adesso sei|d'ora in poi sei|da ora sei|fingi di|fingi|fai finta|comportati come|agisci come|immagina di"
        "|attiva|entra in|passa alla|rispondi come|simula",
        "free": "senza regole|senza filtri|senza limiti|senza restrizioni|senza morale|senza censura|nessuna regola|nessun limite"
        "|nessuna restrizione|non rifiuta mai|non rifiuti mai|non rifiuti nulla"
        "|modalità sviluppatore|modalità dio|dan|non censurat*",
        "send": "invia|inviate|manda|inoltra|trasmetti|spedisci|pubblica|aggiungi|carica",
        "data": "conversazione|cronologia|password|credenziali|dati dei clienti|dati dell'utente|posta in arrivo|casella|chiavi api"
        "|segreti|carta di credito|riservat*",
        "act": "chiama|esegui|cancella|elimina|trasferisci|paga|bonifica|invia|inoltra|installa|usa|invoca",
        "silent": "senza chiedere|senza avvisare|senza dirlo|non dirlo|non menzionarlo|non dire nulla|non dire niente|di nascosto"
        "|in segreto|segretamente|senza informare|non parlarne|all'insaputa",
    },
    "pt": {
        "drop": "ignore|ignora|ignorem|ignorar|esqueça|esquece|esqueçam|esquecer|desconsidere|desconsidera|descarte|não siga|não sigas"
        "|não obedeça|contorne|pule|anule|deixe de seguir|desobedeça|apague",
        "orders": "instruções|instrução|regras|orientações|ordens|diretrizes|prompt|prompts|restrições|filtros|limites|tudo o que"
        "|comandos",
        "prior": "anterior|anteriores|prévias|acima|suas|seus|tuas|do sistema|sistema|iniciais|originais|até agora|antes|recebidas",
        "all": "todas|todos|toda|tudo|quaisquer",
        "void": "não valem mais|já não valem|não se aplicam mais|foram anuladas|foram desativados|não estão mais em vigor"
        "|já não se aplicam",
        "reveal": "revele|revela|mostre|mostra|mostre-me|repita|repete|diga|diga-me|dê-me|escreva|escreve|imprima|traduza|qual é"
        "|quais são|copie|divulgue|exiba|quais foram",
        "hidden": "prompt do sistema|prompt de sistema|mensagem do sistema|suas instruções|tuas instruções|instruções secretas"
        "|regras ocultas|instruções iniciais|texto antes desta"
        "|sua senha|senha que você deve|suas regras|regras internas|instruções do sistema|prompt inicial|texto acima|palavra secreta"
        "|código secreto|suas diretrizes|palavra-passe",
        "persona": "agora você é|você agora é|agora és|a partir de agora você|a partir de agora, você|finja|finge|faça de conta"
        "|aja como|comporte-se como|imagine que você|ative|entre no|responda como|simule",
        "free": "sem regras|sem filtros|sem filtro|sem limites|sem restrições|sem moral|sem censura|nenhuma regra|nenhuma restrição"
        "|nunca recusa|nunca se recusa|não recusa nada|modo desenvolvedor|modo de desenvolvedor"
        "|modo programador|modo deus|dan|sem ética",
        "send": "envie|envia|mande|manda|encaminhe|encaminha|transmita|publique|adicione|inclua",
        "data": "conversa|histórico|senhas|credenciais|dados dos clientes|dados de clientes|dados do usuário|dados do utilizador"
        "|caixa de entrada|chaves de api|segredos|cartão de crédito|confidencia*",
        "act": "chame|execute|apague|exclua|transfira|pague|envie|encaminhe|instale|use|invoque|delete",
        "silent": "sem perguntar|sem avisar|sem contar|não conte|não mencione|não diga nada|não diga ao|em segredo|secretamente"
        "|discretamente|sem informar|às escondidas|sem que o usuário",
    },
    "nl": {
        "drop": "negeer|vergeet|sla|laat|gooi|omzeil|verwerp|volg niet|schrap|overschrijf|wis|stop met het volgen|luister niet",
        "orders": "instructies|instructie|regels|opdrachten|aanwijzingen|richtlijnen|bevelen|prompt|prompts|beperkingen|filters|alles wat",
        "prior": "vorige|eerdere|bovenstaande|voorgaande|oorspronkelijke|je|jouw|uw|systeem*|hierboven|tot nu toe",
        "all": "alle|al|elke|alles",
        "void": "gelden niet meer|zijn niet meer geldig|zijn vervallen|zijn uitgeschakeld|gelden niet langer|zijn opgeheven",
        "reveal": "toon|laat|onthul|herhaal|geef|vertel|schrijf|print|vertaal|wat is|wat zijn|wat staat|kopieer|noem|verklap|welke",
        "hidden": "systeemprompt|systeem-prompt|system prompt|je instructies|jouw instructies|geheime instructies|verborgen regels"
        "|eerste instructies|tekst boven|tekst vóór"
        "|wachtwoord dat je|je wachtwoord|interne regels|je systeem*|beginprompt|geheime woord|geheime code|je eerste instructies",
        "persona": "je bent nu|jij bent nu|vanaf nu ben je|doe alsof|gedraag je als|speel|stel je voor dat je|activeer|schakel over"
        "|ga naar|antwoord als",
        "free": "zonder regels|zonder filter|zonder filters|zonder grenzen|zonder beperkingen|zonder moraal|zonder censuur|geen regels"
        "|geen grenzen|geen beperkingen|nooit weigert|weigert nooit|weigert niets"
        "|ontwikkelaarsmodus|godmodus|dan-modus|ongecensureerd*|onbeperkte",
        "send": "stuur|verstuur|verzend|mail|zend|plaats|voeg",
        "data": "gesprek|chatgeschiedenis|wachtwoorden|inloggegevens|klantgegevens|gegevens van de gebruiker|postvak|inbox|api-sleutels"
        "|geheimen|creditcard*|vertrouwelijke*",
        "act": "roep|voer|verwijder|wis|maak|betaal|stuur|installeer|gebruik",
        "silent": "zonder te vragen|zonder het te vragen|zonder de gebruiker|vertel het niemand|zeg niets|vertel niemand|noem het niet"
        "|stiekem|ongemerkt|in het geheim|zonder te melden|zeg dit niet",
    },
    "pl": {
        "drop": "zignoruj|ignoruj|zapomnij|pomiń|odrzuć|nie stosuj się|przestań słuchać|obejdź|porzuć|nie przestrzegaj|anuluj|usuń"
        "|skasuj|nie wykonuj",
        "orders": "instrukcj*|zasad*|polece*|wytyczn*|reguł*|prompt*|ogranicze*|filtr*|rozkaz*|wszystko",
        "prior": "poprzedni*|wcześniejsz*|powyższ*|dotychczasow*|swoje|twoje|systemow*|pierwotn*|powyżej|początkow*|stare",
        "all": "wszystkie|wszystkich|każde|całkowicie|wszystko",
        "void": "już nie obowiązują|nie obowiązują|zostały wyłączone|zostały anulowane|straciły ważność",
        "reveal": "pokaż|powtórz|wypisz|ujawnij|podaj|zdradź|wyświetl|napisz|przetłumacz|jakie|jaki jest|skopiuj|zacytuj",
        "hidden": "prompt systemowy|promptu systemowego|systemowy prompt|swoje instrukcje|twoje instrukcje|tajne instrukcje"
        "|ukryte zasady|początkowe instrukcje|tekst przed tą|hasło, które"
        "|tajny kod|instrukcje systemowe|swoje zasady|swój prompt|tekst powyżej|tajne hasło|wewnętrzne zasady",
        "persona": "jesteś teraz|teraz jesteś|od teraz jesteś|udawaj|zachowuj się jak|wciel się|wyobraź sobie, że jesteś|włącz"
        "|przejdź w|odpowiadaj jako",
        "free": "bez zasad|bez filtrów|bez granic|bez ogranicze*|bez moralności|bez cenzury|żadnych zasad|żadnych ogranicze*"
        "|nigdy nie odmawia*|niczego nie odmawia*|nie wolno ci odmówić|tryb programisty"
        "|tryb dewelopera|tryb boga|dan|nieocenzurowan*",
        "send": "wyślij|prześlij|przekaż|podeślij|opublikuj|dołącz|wstaw",
        "data": "rozmow*|histori*|hasł*|dane logowania|dane klientów|dane użytkownika|skrzynk*|klucze api|sekret*|karty kredytowej|poufn*",
        "act": "wywołaj|uruchom|usuń|skasuj|przelej|zapłać|wyślij|przekaż|zainstaluj|użyj|wykonaj",
        "silent": "bez pytania|nikomu o tym nie mów|nikomu nie mów|nie wspominaj|nic nie mów|po cichu|bez wiedzy|potajemnie|w tajemnicy"
        "|nie informuj",
    },
    "tr": {
        "drop": "yok say|yoksay|unut|dikkate alma|görmezden gel|göz ardı et|bırak|geçersiz say|boş ver|uyma|çiğne|iptal et|sil",
        "orders": "talimat*|kural*|komut*|yönerge*|istem*|kısıtlama*|filtre*|emirler*|sınırlama*|her şeyi",
        "prior": "önceki|yukarıdaki|şimdiye kadarki|sistem*|daha önceki|ilk|güvenlik|eski|senin|sana verilen|bundan önceki",
        "all": "tüm|bütün|her",
        "void": "artık geçerli değil|geçerli değildir|kapatıldı|iptal edildi|yürürlükten kalktı",
        "reveal": "göster|tekrarla|yazdır|açıkla|söyle|çevir|kopyala|paylaş|yaz|neler|nedir|listele",
        "hidden": "sistem istem*|sistem komut*|sistem mesaj*|sistem prompt*|ilk talimat*|gizli talimat*|saklı kural*|mesajdan önceki"
        "|sistem talimat*|gizli kod*|parolayı|gizli şifre*|kendi talimat*|iç kural*",
        "persona": "artık|şu andan itibaren|bundan sonra|gibi davran|rolünü|taklit et|rol yap|hayal et|moduna geç|moda geç|modunu aç",
        "free": "kuralsız|filtresiz|sınırsız|sansürsüz|ahlakı olmayan|hiçbir kural|hiçbir sınır|reddetmez*|geri çevirme*"
        "|geliştirici mod*|tanrı mod*|dan'sin|dan|reddetmek yasak|kısıtlama olmadan",
        "send": "gönder|ilet|yolla|paylaş|yükle|ekle",
        "data": "konuşma*|sohbet geçmiş*|parola*|şifre*|giriş bilgi*|müşteri veri*|kullanıcı veri*|gelen kutu*|api anahtar*|sır*"
        "|kredi kart*|gizli*",
        "act": "çağır|çalıştır|sil|gönder|öde|havale et|aktar|kur|kullan",
        "silent": "sormadan|kimseye söyleme|kimseye söylemeden|bundan bahsetme|gizlice|kullanıcıya söyleme|haber vermeden"
        "|hiçbir şey söyleme|sessizce",
    },
    "ru": {
        "drop": "игнорируй|игнорируйте|проигнорируй|проигнорируйте|забудь|забудьте|отбрось|отбросьте|не выполняй|не выполняйте"
        "|не следуй|не следуйте|обойди|обойдите|отмени|отмените|пренебреги"
        "|перестань следовать|отключи|удали|не подчиняйся|не подчиняешься",
        "orders": "инструкци*|правил*|указани*|команд*|ограничени*|фильтр*|промпт*|запрет*|директив*|установк*|всё|предписани*",
        "prior": "предыдущ*|прежн*|вышеуказанн*|вышеизложенн*|системн*|выше|свои|своим|твои|ранее|исходн*|первоначальн*|старые"
        "|безопасности|до этого",
        "all": "все|всё|всех|любые|всем",
        "void": "больше не действуют|больше не работают|утратили силу|отменены|отключены|уже не действуют",
        "reveal": "покажи|покажите|повтори|повторите|выведи|выведите|раскрой|назови|напиши|скажи|переведи|какие|какой|каков|скопируй"
        "|процитируй|перечисли",
        "hidden": "системный промпт|системного промпта|системную подсказку|системное сообщение|свои инструкции|твои инструкции"
        "|секретные инструкции|скрытые правила|начальные инструкции"
        "|текст перед этим|пароль, который ты|секретное слово|системные инструкции|внутренние правила|свой промпт|твой промпт"
        "|текст выше|секретный пароль|твой пароль|первоначальные инструкции",
        "persona": "теперь ты|ты теперь|отныне ты|с этого момента ты|притворись|веди себя как|представь, что ты|сыграй роль|играй роль"
        "|включи|перейди в|отвечай как|вообрази",
        "free": "без правил|без фильтров|без границ|без ограничений|без морали|без цензуры|никаких правил|никаких ограничений"
        "|никогда не отказ*|ни в чём не отказ*|отвечает на всё|режим разработчика"
        "|режим бога|dan|все фильтры отключены|отказывать нельзя|свободный ии|нецензурированн*",
        "send": "отправь|отправьте|перешли|перешлите|пошли|передай|вставь|опубликуй|загрузи",
        "data": "переписк*|беседу|историю|пароли|учётные данные|данные клиентов|данные пользователя|содержимое почты|ключи api|секреты"
        "|кредитн*|последние письма|конфиденциальн*",
        "act": "вызови|запусти|удали|переведи|оплати|отправь|перешли|установи|выполни|используй",
        "silent": "не спрашивая|никому не говори|не упоминай|тайно|незаметно|ничего не говори|не сообщай|втайне|без ведома"
        "|не говори пользователю",
    },
    "zh": {
        "drop": "忽略|无视|無視|忘记|忘掉|忘記|不要理会|不要理會|不理会|不再遵守|不必遵循|不要遵循|不要遵守|不用遵守|绕过|繞過|抛弃"
        "|丢弃|取消|推翻|覆盖|关闭|跳过|别管",
        "orders": "指令|指示|提示|规则|規則|要求|命令|限制|过滤|設定|设定|说明|内容|约束|准则",
        "prior": "之前|以前|以上|上面|先前|前面|原有|系统|系統|安全|你的|此前|最初|上述|所有的|原来",
        "all": "所有|全部|一切|任何",
        "void": "已经失效|已失效|不再有效|已被关闭|已取消|作废|不再适用|不再生效",
        "reveal": "输出|輸出|重复|重複|显示|顯示|告诉我|告訴我|写出|寫出|打印|透露|泄露|复述|翻译|复制|说出|是什么|列出|展示",
        "hidden": "系统提示|系統提示|系统消息|系统指令|初始指令|你的指令|你的提示词|你的规则|内部规则|秘密指令|隐藏规则|消息之前的"
        "|以上的文字|必须保密|需要保护|你的密码|初始提示|原始指令|隐藏指令"
        "|上面的内容|开头的内容",
        "persona": "你现在是|你現在是|现在你是|从现在起,你|从现在开始,你|从现在起你|从现在开始你|假装|扮演|假设你是|假設你是|进入"
        "|切换到|想象你是|充当",
        "free": "没有任何规则|没有规则|没有限制|没有任何限制|没有道德|不受限制|不受约束|不受过滤|无限制|无审查|从不拒绝|绝不拒绝"
        "|不会拒绝|什么都回答|开发者模式|上帝模式|dan|自由人|不受任何|没有任何道德"
        "|不允许拒绝",
        "send": "发送|發送|转发|轉發|发给|寄给|上传|加入图片|发到",
        "data": "对话|對話|聊天记录|密码|凭据|客户资料|客户数据|用户数据|收件箱|密钥|邮件|机密|信用卡",
        "act": "调用|执行|删除|转账|支付|发送|转发|安装|汇款|运行",
        "silent": "不要询问|不要告诉|别告诉|不要提|不要声张|偷偷|秘密地|悄悄|无需确认|不需要确认|不经用户",
    },
    "ja": {
        "drop": "無視して|無視し、|無視し,|無視せよ|無視しなさい|忘れて|忘れろ|忘れなさい|破棄して|従わず|従わないで|従うな|守らないで"
        "|回避して|取り消して|削除せよ|無効にして",
        "orders": "指示|命令|ルール|プロンプト|制限|規則|ガイドライン|設定|フィルター|制約|内容",
        "prior": "これまでの|これまで|以前の|上記の|上記|前の|今までの|システム|安全|あなたの|最初の|先ほどの|従来の|古い|元の|以上の",
        "all": "すべて|全て|全部|あらゆる",
        "void": "もう無効|無効です|解除され|適用されません|廃止され",
        "reveal": "表示して|表示せよ|繰り返して|出力して|教えて|教えなさい|書いて|書き出して|見せて|翻訳して|開示して|公開して|写して"
        "|何ですか|明かして|列挙して",
        "hidden": "システムプロンプト|システムメッセージ|最初の指示|秘密の指示|隠しルール|隠された指示|このメッセージより前"
        "|あなたの指示|内部ルール|守るように言われた|秘密のパスワード|合言葉|初期プロンプト|元の指示"
        "|あなたに与えられた|上の文章|内部の指示",
        "persona": "あなたは今から|今からあなたは|これからあなたは|あなたはこれから|あなたは今|ふりをして|役を演じて|なりきって"
        "|として振る舞|として行動|モードに入|モードを有効|と仮定して",
        "free": "規則のない|ルールのない|制限なし|制限のない|限界のない|道徳のない|倫理のない|無検閲|決して断ら|断らないで|何でも答え"
        "|開発者モード|dan|自由なai|フィルターはすべて無効|拒否は禁止|制約のない|フィルターなし",
        "send": "送信し|送って|転送し|転送せよ|アップロードし|送りなさい|投稿し|貼って",
        "data": "会話|履歴|パスワード|認証情報|顧客データ|ユーザーのデータ|ユーザーデータ|受信箱|apiキー|秘密|クレジットカード|機密"
        "|最近のメール",
        "act": "呼び出|実行し|削除し|振り込|送金し|支払|送信し|転送し|インストールし",
        "silent": "確認せずに|言うな|触れるな|こっそり|知らせずに|黙って|内緒で|伝えないで|知られないよう|言わないで|気づかれない",
    },
    "ko": {
        "drop": "무시해|무시하고|무시하라|무시하세요|무시하십시오|잊어|잊어버려|따르지 마|따르지 말고|지키지 마|우회해|취소해|삭제하라"
        "|버려|무시한 채",
        "orders": "지시|규칙|명령|지침|프롬프트|제한|필터|설정|안내|가이드라인|내용",
        "prior": "이전|위의|지금까지|시스템|안전|너의|네|당신의|앞의|앞선|기존|처음|원래|위에",
        "all": "모든|모두|전부|전체",
        "void": "더 이상 유효하지|해제되었|무효|취소되었|적용되지 않",
        "reveal": "보여|반복해|출력해|말해|알려|적어|공개해|번역해|복사해|뭐야|무엇|써 줘|나열해|드러내",
        "hidden": "시스템 프롬프트|시스템 메시지|처음 받은 지시|비밀 지시|숨겨진 규칙|이 메시지 앞|너의 지시|당신의 지시|내부 규칙"
        "|지켜야 하는|초기 프롬프트|초기 지침|원래 지시|비밀번호를 말|위의 텍스트|비밀 코드"
        "|시스템 지침",
        "persona": "너는 이제|이제 너는|이제부터 너는|지금부터 너는|당신은 이제|이제 당신은|지금부터 당신은|인 척|것처럼 행동|역할을"
        "|모드로 들어|모드를 켜|연기해|가정해",
        "free": "규칙 없는|규칙이 없는|필터 없이|제한 없이|제한이 없는|한계가 없는|도덕이 없는|무검열|절대 거절하지|거절하지 않"
        "|거절하지 마|무엇이든 대답|개발자 모드|dan|자유로운 ai|모든 필터가 꺼|거절은 금지|검열 없는",
        "send": "보내|전달해|전송해|업로드해|올려|첨부해",
        "data": "대화|비밀번호|로그인 정보|고객 데이터|고객 정보|사용자 데이터|사용자 정보|받은 편지함|api 키|최근 메일|신용카드|기밀"
        "|채팅 기록",
        "act": "호출해|실행해|삭제해|삭제하고|송금해|보내고|결제해|전달해|설치해",
        "silent": "묻지 말고|말하지 마|언급하지 마|몰래|알리지 말고|알리지 마|확인 없이|비밀로",
    },
    "ar": {
        "drop": "تجاهل|تجاهلي|انس|انسى|أهمل|اهمل|لا تتبع|لا تلتزم|تخط|تجاوز|ألغ|احذف|اترك|تغاض",
        "orders": "تعليمات*|التعليمات|القواعد|قواعد*|الأوامر|أوامر*|التوجيهات|توجيهات*|القيود|قيود*|المطالبة|موجه النظام|الإرشادات"
        "|المرشحات|كل ما",
        "prior": "السابقة|السابق|المذكورة|أعلاه|النظام|الأصلية|الأولى|القديمة|الأمان|قبل|الخاصة بك",
        "all": "جميع|كل|كافة",
        "void": "لم تعد سارية|لم تعد صالحة|تم إلغاؤها|متوقفة|ملغاة",
        "reveal": "اعرض|كرر|اكتب|أظهر|اطبع|أخبرني|اكشف|ما هي|ما هو|ترجم|انسخ|اذكر|أعطني",
        "hidden": "تعليمات النظام|موجه النظام|رسالة النظام|تعليماتك|التعليمات السرية|القواعد المخفية|النص الذي قبل|كلمة المرور التي"
        "|بكلمة المرور|بالرمز السري|الكلمة السرية|التعليمات الأولية|قواعدك الداخلية"
        "|التعليمات المخفية|المطالبة النظامية",
        "persona": "أنت الآن|أنت من الآن|من الآن فصاعدا أنت|تظاهر|تصرف كأنك|تصرف ك|تخيل أنك|العب دور|ادخل|فعل وضع|تقمص",
        "free": "بلا قواعد|بدون قواعد|بلا قيود|بدون قيود|بلا حدود|بلا أخلاق|دون أي تصفية|بدون رقابة|لا ترفض|لا يرفض|وضع المطور"
        "|غير المقيد|غير مقيد|dan|الرفض ممنوع|يجيب عن كل|حر",
        "send": "أرسل|ارسل|مرر|حول|ابعث|انشر|ارفع|أضف",
        "data": "المحادثة|كلمات المرور|بيانات العملاء|بيانات الدخول|بيانات المستخدم|محتوى البريد|صندوق الوارد|مفاتيح|الرسائل الأخيرة"
        "|سرية|بطاقة الائتمان|سجل الدردشة",
        "act": "استدع|نفذ|احذف|حول|ادفع|أرسل|شغل|ثبت|مرر",
        "silent": "دون سؤال|لا تخبر|لا تذكر|سرا|دون إخبار|بدون علم|دون علم|خفية|دون أن يعلم",
    },
    "hi": {
        "drop": "अनदेखा करो|अनदेखा करें|अनदेखा कर|अनदेखी करो|नज़रअंदाज़ करो|नज़रअंदाज़ करें|नजरअंदाज करो|नजरअंदाज करें|भूल जाओ|भूल जाएं"
        "|भूल जाइए|मत मानो|न मानो|हटा दो|रद्द करो|छोड़ दो|पालन मत करो|पालन न करें",
        "orders": "निर्देश*|नियम*|आदेश*|प्रॉम्प्ट|प्रतिबंध*|फ़िल्टर*|फिल्टर*|दिशानिर्देश*|हिदायत*|सीमाओं|बातें",
        "prior": "पिछले|पिछली|ऊपर|अब तक|पहले|सिस्टम|सुरक्षा|अपने|तुम्हारे|आपके|पूर्व|पुराने|मूल",
        "all": "सभी|सारे|सब|तमाम",
        "void": "लागू नहीं|हटा दिए गए|अब मान्य नहीं|रद्द हैं",
        "reveal": "दिखाओ|दिखाएं|दोहराओ|दोहराएं|लिखो|लिखें|बताओ|बताएं|बताइए|प्रकट करो|अनुवाद करो|कॉपी करो|क्या हैं|क्या है|छापो",
        "hidden": "सिस्टम प्रॉम्प्ट|सिस्टम संदेश|शुरुआती निर्देश|गुप्त निर्देश|छिपे नियम|अपने निर्देश|संदेश से पहले|गुप्त शब्द"
        "|पासवर्ड बताओ|आंतरिक नियम|प्रारंभिक निर्देश|सिस्टम निर्देश|गुप्त कोड|तुम्हें छिपाना",
        "persona": "अब तुम|अब आप|अब से तुम|अब से आप|नाटक करो|होने का नाटक|की तरह व्यवहार|भूमिका निभाओ|कल्पना करो|मोड चालू|मोड में",
        "free": "बिना नियम*|बिना फ़िल्टर|बिना फिल्टर|बिना सीमा|बिना नैतिकता|बिना सेंसर|बिना किसी प्रतिबंध|कोई नियम नहीं|कभी मना नहीं"
        "|मना मत करो|मना करना वर्जित|डेवलपर मोड|dan|हर बात का जवाब|सारे फ़िल्टर बंद|आज़ाद",
        "send": "भेजो|भेज दो|भेजें|अपलोड करो|साझा करो|जोड़ो",
        "data": "बातचीत|पासवर्ड|लॉगिन जानकारी|ग्राहकों का डेटा|उपयोगकर्ता का डेटा|इनबॉक्स|ईमेल|गोपनीय|क्रेडिट कार्ड|चैट इतिहास"
        "|एपीआई कुंजी",
        "act": "चलाओ|मिटा दो|भेजो|भेज दो|ट्रांसफर करो|भुगतान करो|कॉल करो|हटा दो|इंस्टॉल करो",
        "silent": "पूछे बिना|बिना पूछे|किसी को मत बताना|ज़िक्र मत करना|चुपके से|बिना बताए|उपयोगकर्ता को मत बताना|कुछ मत बताना"
        "|गुप्त रूप से",
    },
}  # fmt: skip

UNSPACED = ("zh", "ja")
"""Languages written without blanks: no word borders, and half the width."""
FREE_ENDS = ("zh", "ja", "ko", "ar")
"""Languages whose words run on into particles, or start with one: no word borders."""
VERB_LAST = ("ja", "ko", "tr", "hi")
"""Languages whose imperatives stand at the end and cannot be taken for statements."""
NEGATIONS = {
    "de": "nicht|nie|niemals|ich|er|sie", "fr": "pas|ne|n|jamais|je|il|elle|on", "es": "no|nunca|yo|él|ella|que", "it": "non|mai|io|che",
    "pt": "não|nunca|eu|ele|ela|que", "nl": "niet|nooit|ik|hij|zij", "pl": "nie|nigdy", "tr": "", "ru": "не|никогда",
    "zh": "不要|别|不能|不应|不可|请勿",
    "ja": "", "ko": "", "ar": "لا|لن|لم", "hi": "न|मत",
}  # fmt: skip
"""Words directly before `drop` that turn it: it is not to be done, or somebody else does it."""
