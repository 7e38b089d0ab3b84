"""Names of services whose keys have no form of their own: beside such a name a random-looking value is a secret of that kind.

`DISTINCT` names mean a service wherever they stand; `COMMON` ones are also everyday words and count only directly before a word
such as *key* or *token*. Written without separators, lower case. Leaves out: what the values look like (`shapes`).
"""

from __future__ import annotations


def words(text: str) -> frozenset[str]:
    """The words of a text."""
    return frozenset(text.split())


DISTINCT = words(
    """
    ably abstractapi abuseipdb accuweather adafruitio adobe adyen aerisweather aeroworkflow aftership agora ahrefs ai21 airbrake airbyte
    airship airtable airvisual aiven akamai akeyless alchemy alconost alegra aletheiaapi algolia alibaba alibabacloud alienvault aliyun
    allsports alphavantage amadeus ambee amplitude amplitudeapikey anthropic anypoint anyscale apacta apideck apiflash apifonica apify
    apilayer apimatic apimetrics apitemplate appcues appdynamics appfollow applicationinsights appointedd appoptics appsflyer appsmith
    appsynergy apptivo appveyor appwrite artifactory asana asanaoauth assemblyai atera atlassian audd auth0 autodesk autoklose autopilot
    avazapersonalaccesstoken aviationstack aws axonaut aylien ayrshare azure azuredevops azureopenai backblaze bamboohr bannerbear
    baremetrics baseten beebole beehiiv besnappy besttime betterstack billomat binance bingmaps bitbar bitbucket bitcoinaverage bitfinex
    bitgo bitly bitmex bitrise bitstamp bittrex blablabus blazemeter blitapp blockchair blockcypher blockfrost blocknative bluesky blynk
    boldsign bombbomb boostnote borgbase botpress braintree braintrust branchio brandfetch brevo browserbase browserless browserstack
    browshot bscscan buddyns budibase bugcrowd bugherd bugsnag buildkite bulbul bulksms buttercms buttondown bybit caflou calendarific
    calendly calorieninja calorieninjas campayo capsulecrm captaindata carboninterface cashboard caspio castingnetworks censys
    centralstationcrm cerebras cexio chargebee chargify chartmogul chatfuel chatwork checkio checkly checklyhq checkmarx checkvist
    chronosphere circleci clarifai clearbit clickatell clickhelp clickhouse clicksend clickup clicky clientary clinchpad clockify
    clockworksms closecrm cloudconvert cloudelements cloudflare cloudimage cloudinary cloudmersive cloudplan cloudsight cloudsmith
    cloudways cloverly clustdoc codacy codeclimate codecov codemagic codeql codequiry codesandbox cohere coinapi coinbase coingate
    coingecko coinlayer coinlib coinmarketcap collect2 columnapi commercejs companyhub confluent contentful contentstack conversiontools
    convertapi convertkit convier copyscape couchbase countrylayer coveralls craftmypdf crossbrowsertesting crowdin crowdstrike
    cryptocompare cryptowatch currencycloud currencyfreaks currencylayer currencyscoop currentsapi cursoruseragent customerguru
    customerio cyolo d7network dailyco dandelion dareboot databox databricks datadog datadoghq datafire datagov dataiku deepai deepgram
    deepl deepseek deepsource deezer demio dependencytrack detectlanguage dialogflow dialpad diffbot digicert digitalocean dingtalk
    directus discogs discord disqus ditto dnscheck dnsimple docker dockerhub docparser documo docusign doppler dotdigital dotmailer
    dovico dreamstudio dronahq droneci dropbox duda duffel dwolla dynadot dynalist dynatrace dyspatch eagleeyenetworks easyinsight
    easypost easyship ebay ebayfinding ecostruxureit edamam edenai eightxeight elasticcloud elasticemail elasticsearch elevenlabs
    emailoctopus enablex endorlabs envoyapi eodhd esendex espocrm etherscan ethplorer etsy etsyapikey eventbrite everhour
    exchangerateapi exchangeratesapi exportsdk extractorapi facebook faceplusplus facepp fakturoid fastforex fastly fastspring fatalcode
    faunadb feedier fetchrss fiberapi figma fileio filestack finage financialmodelingprep findl finicity finnhub firebase fireblocks
    firecrawl fireworksai fivetran fixer fixerio flatio fleetbase flexport flickr flightapi flightlabs flightstats floatplan flodesk
    flowflu flutterwave fmfw foreman formbucket formcraft formio formsite formstack formstore foursquare frameio freshbooks freshdesk
    freshservice freshworks friendli fulcrum fullcontact fullstory fusebill fusionauth fxmarket geckoboard gengo geoapify geocode
    geocodify geocodio geoipifi geonames getaddress getemail getemails getgeoapi getgist getresponse getsandbox gitee gitguardian github
    gitlab gitter glassfrog glassnode glitterlyapi gnews gocanvas gocardless gocd godaddy gohighlevel goodreads googleai googlemaps
    gotowebinar grafana graphcms graphhopper greenhouse groovehq groq gtmetrix gumroad gyazo happi happyscribe hashicorp hasura hcaptcha
    heatmapapi helicone helius helpcrunch helpscout hereapi heroku hetzner hightouch hiveage holidayapi honeybadger honeycomb hootsuite
    hostinger html2pdf htmlcsstoimage hubspot huggingface hume hunterio hybiscus hypeauditor hypertrack ibm ibmcloud iconfinder iexapis
    iexcloud imagekit imagga imgbb imgix improvmx infobip infracost infura insightly instabot instagram instamojo integromat interseller
    intra42 intrinio invoiceocean ionic ip2location ipapi ipdata ipgeolocation ipifi ipify ipinfo ipinfodb ipqualityscore ipstack
    jenkins jfrog jiratoken jotform jumpcloud jumpseller jupiterone kagi kaleyra kanbanize kanbantool karmacrm keenio keycloak keygen
    keywordtool kickbox kintone klaviyo klipfolio knapsackpro kraken kucoin kylas langchain langfuse langsmith languagelayer lark
    larksuite lastfm launchdarkly leadfeeder lemlist lemonsqueezy lendflow lessannoyingcrm lexigram linearapi linemessaging linenotify
    linkedin linkpreview linode liveagent livestorm lob localazy locationiq loggly loginradius logz logzio lokalise loyverse lunchmoney
    luno luxand macaddress madkudu magicbell mailboxlayer mailchimp mailerlite mailersend mailgun mailjet mailmodo mailsac mailtrap
    mandrill mapbox mapquest marketstack mavenlink maxmind maxmindlicense mediastack meilisearch meistertask meraki mercadopago
    messagebird metaapi metabase metrilo microsoftteamswebhook midise midtrans mindmeister mindsdb miro mistral mite mixcloud mixmax
    mixpanel mockaroo mollie mondaycom mongodb monkeylearn moonclerk moonshot moosend moralis mparticle mrticktock mtn mux myfreshworks
    myintervals nasdaq nasdaqdatalink neon neptune netcore nethunt netlify netsuite neutrinoapi newrelic newsapi newscatcher newsdata
    nexmo nexudus nftport ngc ngrok nicereply nightfall nightwatch nocodb novita nozbe nozbeteams npm npmjs nuget numverify nutritionix
    nvapi nvidia nylas nytimes oanda octoai octopart omnisend onbuka oncall onedesk onelogin onepagecrm onesignal oopspam openai openaq
    opencage opencagedata opencorporates opengraphr openrouter openuv openvpn openweather openweathermap opsgenie optidash optimizely
    oura owlbot packagecloud paddle pagarme pagerduty pandadoc pandascore papertrail papyrs paralleldots parsehub parseur partnerstack
    passbase pastebin paymo paymoapp paymongo paypal paypaloauth paystack pdflayer pdfmonkey pdfshift peopledatalabs pepipost perigon
    perplexity pexels phacility phaxio phyllo pinata pinecone pingdom pinterest pipedream pipedrive pivotaltracker pixabay plaid
    plaidkey planetscale planviewleankit planyo plivo podio pollsapi poloniex polygonio polymarket portainer portkey positionstack
    postageapp posthog postman postmark postmarkapp powrbot prefect prismic privacycom prodpad prospectcrm prospectio protocolsio
    proxycrawl pubnub pubnubpublishkey pulumi purestake pushbullet pushover pyowm qase qdrant qonversion qualaroo qualtrics quickbase
    quickmetrics quicknode railwayapp rapidapi rawg razorpay readme readwise reallysimplesystems rebrandly recaptcha recruitee recurly
    reddit remotebg rentman repairshopr replicate replyio requestfinance restpack restpackhtmltopdf retellai revai revampcrm ringcentral
    ritekit roaring roboflow rocketreach rockset rollbar ronin rootly route4me rownd rubygems rudderstack runpod runrunit salesblink
    salescookie salesflare salesforce salesmate samsara sanity satismeter satismeterprojectkey saucelabs scaleway scalr scrapeowl
    scraperapi scraperbox scrapestack scrapfly scrapingant scrapingbee screenshotapi screenshotlayer scrutinizerci seatgeek
    securitytrails selectpdf semrush sendbird sendbirdorganizationapi sendgrid sendinblue sendpulse sentry serpapi serper serphouse
    serpstack serveravatar sevdesk sharetribe sheety sherpadesk shipday shipengine shippo shipstation shodan shopee shopify shortcut
    shortio shotstack shutterstock sightengine sightmap signalwire signaturit signupgenius sigopt simfin similarweb simplesat
    simplynoted simvoly sinch sinchmessage sirv siteleaf skrapp skrappio skybiometry slackapp smartsheet smartsheets smartystreets
    smooch smsapi snipcart snowflake snyk socrata softr sonarcloud sonarqube sorryapp sourcegraph sparkpost speechtextai splunk
    splunkobservability spoonacular sportradar sportsmonk spotify spotinst squarespace squareup sslmate stabilityai stackhawk
    stackoverflow statsig statuscake statuspage statuspal stitchdata stockdata storecove stormboard stormglass storyblok storychief
    strava stripe stripo stytch sugester sumologic supabase supernotes supportbee surveyanyplace surveybot surveymonkey surveysparrow
    survicate svix swiftype synthesia tableau taboola tailscale tallyfy tatumio tavily tawk taxjar teamgate teamwork teamworkcrm
    teamworkdesk teamworkspaces technicalanalysisapi tefter telegram telesign telnyx terraform textmagic theoddsapi thinkific
    thousandeyes ticketmaster tickettailor tiingo timecamp timetap timezoneapi tineswebhook tinybird tinypng tly tmdb tmetric todoist
    togetherai toggl toggltrack tomorrowio tomtom trackjs tradier trakt transferwise transloadit travelpayouts travisci trello
    tripadvisor trueconf truelayer truenas twelvedata twilio twitch twitter tyntec typeform typesense typetalk ubidots uclassify
    unifonic unifyid unplugg unsplash upcdatabase uplead uploadcare uptimerobot upwave urlscan userflow userpilot userstack vagrantcloud
    vatlayer vbout vercel vercelapi verimail veriphone versioneye viewneo virustotal visualcrossing voiceflow voicegain vonage voodoosms
    vouchery vpnapi vultr vyte wakatime walkscore wandb weatherbit weatherstack weaviate web3storage webex webexbot webflow webscraper
    webscraping websitepulse wepay whoxy wistia wiza wolframalpha woocommerce wordsapi workos worksnaps workstack worldcoinindex
    worldweather wrike xero xirsys yandex yelp yodlee youneedabudget youtube zapierwebhook zendesk zendeskapi zenkitapi zenrows
    zenscrape zenserp zeplin zeptomail zerobounce zerotier zipapi zipbooks zipcodeapi zipcodebase zohocrm zonkafeedback zoominfo
    zulipchat zuplo
    """
)

COMMON = words(
    """
    adafruit age amazon apollo apple appointed artsy bamboo base beam beamer bitcoin block blocks blogger box branch brave bubble buddy
    canny canvas cargo chat chatbot cicero circle clear click cloud cloze coda coggle column commerce commodities convex copper courier
    daily delighted delta deputy detect discourse drift drone elastic element emaildefense enigma envoy equinix eraser etcd ethereum
    eventful exa expo fb fibery flat flow fly frame front gcp gemini ghost goodday google gradle graph guardian guru harbor harness
    harvest hawk helm help here hive holistic hub humanity hunter image imgur impala influx ingest intercom jdbc jira juro jwt kafka
    kanban karma keen kite klarna kong kontent lambda layer less line linear loop magnetic mail mailbox map maps matrix mesibo metal
    metaphor microsoft modal mode moderation monday mongo mysql nats neo nimble nimbus node nomad noticeable notify notion nylon oculus
    onfleet oracle orbit overloop parse parsers passage path pay percy phrase pipe plane plunk polar polygon portal porter postbacks
    postgres privacy prospect pulse pusher quay rabbitmq railway ramp raven redis refiner render resend retool rev segment semaphore
    sendy sentiment sheet shift shop signable signal simple site slack smart snap solid sonar spark sparkle speechtext square stack stat
    stormpath streak stream sumo surge survey swell tank tap team teletype ticket time tool tower track tray trigger triumph tru twist
    unbounce unleash vault verifier vimeo wave weather web3 whereby wise wit wiz workday xai zapier zoho zoom
    """
)

HOSTING = words("github gitlab bitbucket docker dockerhub npm npmjs gitee nuget rubygems gitter")
"""Services whose names stand before commit ids and digests; alone they say nothing about a hexadecimal value."""
