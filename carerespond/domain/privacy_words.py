"""The words and numbers that the checks of an answer look for.

Each pattern is bounded: no answer, and no post, can make one slow.
"""

import re

# What belongs to a patient. "your GP", "your pharmacist" and "your experience" are not here: an
# answer may send people to the first two, and the last says nothing.
CARE = (
    r"appointments?|operations?|procedures?|treatments?|treatment plan|diagnos[ie]s|results?"
    r"|test results?|blood tests?|bloods|biops(?:y|ies)|scans?|mri|ct|x ?-?rays?|ultrasounds?"
    r"|admissions?|discharges?|discharge (?:letter|summary)|referrals?|prescriptions?|medications?"
    r"|medicines?|tablets|meds|dos(?:e|es|age)|injections?|vaccinations?|(?:medical |patient "
    r"|case )?"
    r"records?|(?:medical |case )?notes|case file|files?|chart|consultations?|assessments?"
    r"|stay|visits?|attendances?|conditions?|illness|symptoms|injur(?:y|ies)|wounds?|fracture"
    r"|labour|delivery|births?|pregnancy|miscarriage|termination|chemo(?:therapy)?|radiotherapy"
    r"|dialysis|transplant|therapy(?: sessions?)?|counselling|check-?ups?|fillings?|extractions?"
    r"|root canals?|dentures?|braces|crowns?|implants?|eye tests?|sight tests?|glasses|spectacles"
    r"|lens(?:es)?|cataracts?|hearing aids?|care plan|key ?worker|care coordinator|bed|ward"
    r"|surgeon|consultant|anaesthetist|surgery|waiting list place|place on (?:the|our) waiting list"
    r"|mental health|insurance|bill|balance|payments?|account|relapse|overdose|self-harm"
)

PERSON_OF = (
    r"(?:mother|father|mum|mam|dad|son|daughter|husband|wife|partner|baby|child|sister|brother|nan"
    r"|nana"
    r"|gran|grandad|grandmother|grandfather|parent|relative|loved one|aunt|uncle|friend)'?s?"
)

WHEN = (
    r"(?:recent|last|latest|next|upcoming|first|second|previous|forthcoming|cancelled|missed"
    r"|delayed"
)

ADJECTIVE = (
    WHEN
    + r"|own|planned|scheduled|routine|follow-up|hospital|dental|gp|outpatient|clinic|emergency|"
    r"medical|personal|original|initial|whole|entire|annual)"
)

TREATED = (
    r"(?:admitted|discharged|treated|seen|operated on|referred|prescribed|diagnosed|examined"
    r"|assessed|triaged|sedated|vaccinated|transferred|sectioned|scanned|x-rayed|booked in"
    r"|scheduled|due to (?:see|have|come)|registered (?:with|at)|under the care|in our care"
    r"|under our care|in (?:our )?(?:a ?& ?e|hospital|the ward|surgery|theatre|labour)"
    r"|on (?:our|the) (?:ward|unit|list|waiting list)|with us (?:on|in|for|last|at|during)"
    r"|a patient|our patient|an inpatient|an outpatient|attending (?:our|the|a))"
)

CONFIRM = (
    r"\b(?:as|being|were|are|was|been|you're) (?:a |an |one of )?(?:valued |long-?standing "
    r"|former |registered )?"
    r"(?:our )?(?:valued )?patients?(?: of ours| here| with us| at our)?\b(?! (?:and"
    r"|or) (?:carers?|families))",
    r"\b(?:one of our|our valued|a valued|a registered) patients?\b",
    rf"\b(?:your|you and your|(?:his|her|their)(?= (?:operation|diagnosis|treatment|admission"
    rf"|discharge)))"
    rf" (?:{ADJECTIVE} ){{0,2}}(?:{CARE})\b",
    rf"\byour {PERSON_OF} (?:{ADJECTIVE} ){{0,2}}(?:{CARE}|care|death|passing)\b",
    rf"\byour {PERSON_OF} (?:was|were|is|had been|has been|came|attended|died|passed away)\b",
    rf"\b(?:you|he|she|they|patient) (?:were|was|are|have been|had been|has been|got|being)"
    rf"(?: not| never| only| previously| recently| first| last| being| actually)? {TREATED}\b",
    r"\b(?:when|while|after|before|since|during|that|because) you (?:attended|visited|came (?:in"
    r"|to (?:see )?(?:us|our))"
    r"|saw (?:us|our|the (?:doctor|nurse|consultant|dentist|optician))|were with us|stayed|arrived"
    r"|had your)\b",
    r"\byou (?:missed|cancelled|did not attend|didn't attend|failed to attend|did not turn up"
    r"|didn't turn up|refused|declined|consented|signed|walked out|left before|arrived late"
    r"|turned up"
    r"|were late|were offered|were advised|were told|were given|still owe|owe|did not pay"
    r"|didn't pay"
    r"|attended|had (?:a|an|the) (?:operation|scan|procedure|fall|biopsy|filling|extraction"
    r"|appointment))\b",
    r"\b(?:we|our (?:team|teams|staff|nurses?|doctors?|dentists?|opticians?|consultants?"
    r"|surgeons?)|i"
    r"|dr [a-z]+|the (?:doctor|nurse|team|dentist|surgeon|consultant))"
    r" (?:have |has |had )?(?:treated|admitted|discharged|examined|diagnosed|prescribed"
    r"|operated on|referred"
    r"|assessed|scanned|saw|seen|met|booked|rebooked|called|rang|phoned|contacted"
    r"|spoke(?:n)? (?:to|with))"
    r" (?:you|him|her|your (?:mum|dad|mother|father|son|daughter|wife|husband))\b",
    r"\b(?:having|we(?:'ve| have)?|i(?:'ve| have)?) (?:checked|looked (?:at|into|up|through)"
    r"|reviewed|read|found|pulled)"
    r" (?:up )?(?:your|his|her|the (?:patient's|medical)) (?:details|notes|records?|file|case"
    r"|history)\b",
    r"\b(?:our|the|your|hospital|medical) (?:records?|notes|files?|system) (?:show|shows|say|says"
    r"|state|confirm|indicate)s?\b",
    r"\baccording to (?:our|your|the) (?:records?|notes|files?|system)\b",
    r"\bthank(?:s| you) for (?:attending|visiting|coming (?:in|to)|choosing|being (?:a|our)"
    r"|your (?:visit|custom))",
    r"\b(?:died|passed away) (?:on|at|in|under|whilst in|while in) (?:our|the) (?:ward|care"
    r"|hospital|unit|home|a ?& ?e)\b",
    r"\b(?:see|seeing|treat|treating|having|have|welcom(?:e|ing)) you (?:again|back)\b",
    r"\b(?:lovely|good|great|nice|pleasure) to (?:have )?(?:meet|met|see|seen|treat|treated) you\b",
    r"\byou have (?:a|no) (?:history|record) of\b",
    r"\b(?:rebook|reschedule|rearrange|move|bring forward|book|cancel) you(?:r appointment| in)?\b",
)

SURGERY = re.compile(  # "your surgery" is also the GP practice that people are sent to
    r"\b(?:contact|call|ring|ask|phone|visit|speak|e-?mail)\b(?:(?![.!?]).){0,40}"
    r"\byour (?:local |gp |own |doctor's )*surgery\b"
)

WARD_LOCAL = re.compile(r"\byour (?:local|nearest) [a-z]+\b")

# "Please don't post your results here" guards privacy; "if you have a question about your
# appointment" confirms nothing, but comes near.
GUARDING = re.compile(
    r"\b(?:do not|don't|please not|never|avoid|without|rather than|instead of|not to|be careful"
    r"|refrain from|protect)\b"
    r"(?:(?![.!?]).){0,40}\b(?:post|posting|share|sharing|put|putting|send|sending|give|giving"
    r"|include|including"
    r"|tweet|reply|write|mention|privacy|discuss|discussing)\b"
)

CANNOT_DISCUSS = re.compile(
    r"\b(?:can't|cannot|can not|not able to|unable to|won't|never)\b(?:(?![.!?]).){0,25}"
    r"\b(?:discuss|comment|talk|go into|confirm)\b"
)

CONDITIONAL = re.compile(r"\b(?:if (?:you|your)|should you|anyone|anybody|whether)\b")

NEAR = re.compile(
    r"\b(?:looked after|cared for|look after|care for|helped) you\b|\byour (?:care|carers?|midwife"
    r"|nurse)\b"
    r"|\bwhich (?:ward|clinic|department|site|branch|practice) (?:you|were you|was it|did you)\b"
)

TEN = re.compile(r"(?<![\d+])\d{3}[ .-]?\d{3}[ .-]?\d{4}(?![\d])")

LABELLED = re.compile(
    r"\b(?:nhs|hospital|patient|case|record|reference|mrn|ni|national insurance)"
    r" ?(?:number|no\.?|id|ref|#)?(?: is|:"
    r"|=)? ?[:#]? ?((?=[a-z]{0,3} ?\d)[a-z]{0,3} ?\d[\d -]{4,14}[a-z]?)\b",
    re.IGNORECASE,
)

PHONE = re.compile(r"(?<![\d£$])(?:\+ ?44 ?(?:\(0\))?|\(?0)(?:[ ()-]{0,2}\d){8,10}(?!\d)")

MONTH = r"(?:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]*"

DATE = re.compile(
    r"(?<![\d/.-])(?:\d{1,2}[/.-]\d{1,2}[/.-](\d{4}|\d{2})|(\d{4})-\d{2}-\d{2}"
    rf"|\d{{1,2}}(?:st|nd|rd|th)?(?: of)? {MONTH},? (\d{{4}}))(?![\d/-])",
    re.IGNORECASE,
)

BORN = re.compile(
    r"\b(?:dob|d\.o\.b\.?|date of birth|born(?: on)?|birthday)\W{1,4}$", re.IGNORECASE
)

EMAIL = re.compile(r"[A-Za-z0-9._%+'-]{1,64}@(?:[A-Za-z0-9-]{1,63}\.){1,6}[A-Za-z]{2,24}")

AREAS = (
    "AB AL B BA BB BD BH BL BN BR BS BT CA CB CF CH CM CO CR CT CV CW DA DD DE DG DH DL DN DT DY E"
    " EC EH EN EX FK"
    " FY G GL GU GY HA HD HG HP HR HS HU HX IG IM IP IV JE KA KT KW KY L LA LD LE LL LN LS LU M ME"
    " MK ML N NE NG"
    " NN NP NR NW OL OX PA PE PH PL PO PR RG RH RM S SA SE SG SK SL SM SN SO SP SR SS ST SW SY TA"
    " TD TF TN TQ TR"
    " TS TW UB W WA WC WD WF WN WR WS WV YO ZE"
)

POSTCODE = re.compile(
    rf"\b(?:{'|'.join(sorted(AREAS.split(), key=len, reverse=True))})\d[A-Z\d]?"
    r" ?(?!1ST|2ND|3RD|[04-9]TH)\d[ABD-HJLNP-UW-Z]{2}\b",
    re.IGNORECASE,
)

DETAIL = re.compile(
    r"\b(?:cancers?|tumou?rs?|lump|leukaemia|lymphoma|melanoma|chemo(?:therapy)?|radiotherapy"
    r"|diabet\w{1,6}|insulin"
    r"|asthma\w{0,4}|copd|epilep\w{1,6}|seizures?|strokes?|heart (?:attack|failure|condition)"
    r"|angina|stents?"
    r"|sepsis|pneumonia|covid|infections?|mrsa|hernias?|gall ?(?:bladder|stones?)|appendi\w{1,8}"
    r"|kidney stones?"
    r"|dialysis|transplant|hysterectomy|endometriosis|pcos|fibroids?|miscarr\w{1,8}|stillb\w{1,6}"
    r"|pregnan\w{1,4}"
    r"|abortion|termination|ivf|caesarean|c-section|vasectomy|prostate|erectile|menopaus\w{1,4}"
    r"|hiv|herpes"
    r"|depress\w{1,5}|anxiety|bipolar|schizo\w{1,8}|psychos\w{1,3}|psychotic|ptsd|adhd"
    r"|autis\w{1,3}|eating disorder"
    r"|anorexi\w{1,2}|bulimi\w{1,2}|self-?harm\w{0,5}|suicid\w{1,4}|overdos\w{1,3}|addict\w{1,4}"
    r"|alcoholi\w{1,3}"
    r"|dementia|alzheimer\w{0,3}|parkinson\w{0,3}|multiple sclerosis|arthritis|fractur\w{1,2}"
    r"|hip replacement"
    r"|knee replacement|biops(?:y|ies)|colonoscopy|endoscopy|catheters?|stoma|colostomy"
    r"|incontinen\w{1,4}"
    r"|cataracts?|glaucoma|macular|retina\w{0,2}|root canal|abscess\w{0,2}|dentures|fillings?"
    r"|wisdom t(?:oo|ee)th"
    r"|morphine|methadone|antidepressants?|antibiotics?|warfarin|steroids?|sertraline|metformin"
    r"|lithium"
    r"|eczema|psoriasis|migraines?|anaemia|coeliac|crohn'?s|colitis|ibs|bleeding|vomiting|rash)\b",
    re.IGNORECASE,
)

THEIRS = re.compile(r"\b(?:your|his|her|their)(?: [\w'-]{1,20}){0,2} \Z", re.IGNORECASE)

GREETED = re.compile(
    r"(?:\A|[.!?\n] ?)(?:@\w{1,30} )*(?:[Dd]ear|[Hh]i(?:ya)?|[Hh]ello|[Hh]ey|[Gg]ood (?:morning"
    r"|afternoon|evening))"
    r" ((?:(?:Mr|Mrs|Ms|Miss|Dr|Prof)\.? )?[A-Z][\w'-]{1,30}(?: [A-Z][\w'-]{1,30})?)"
)

TITLED = re.compile(r"\b(?:Mr|Mrs|Ms|Miss)\.? ([A-Z][\w'-]{1,30})")

NOBODY = frozenset(
    (
        "there",
        "all",
        "everyone",
        "both",
        "again",
        "sir",
        "madam",
        "friend",
        "it",
        "thank",
        "we",
        "i",
    )
)

ASKS = re.compile(
    r"\b(?:nhs number|date of birth|dob|hospital number|patient number|full name|home address"
    r"|address|postcode"
    r"|phone number|mobile number|contact details|medical history)\b"
)

ASKING = re.compile(
    r"\b(?:reply|tweet|post|comment|tell us|send (?:us|me)?|let us (?:have|know)|share|give us"
    r"|provide|confirm"
    r"|what is|what's|what was|may we have|can (?:we|i) have|could (?:we|i|you)|can you|please)\b"
)

PRIVATELY = re.compile(
    r"\b(?:dm|dms|direct message|private(?:ly)?|message us|e-?mail|call|ring|phone us|by phone"
    r"|telephone"
    r"|in confidence|form|do not|don't|never|avoid|not to|without)\b"
)

BLAME = re.compile(
    r"\b(?:you should(?:n't| not)? have|your (?:own )?fault|if you had (?:only|just)"
    r"|as you (?:well )?know|you failed to"
    r"|calm down|with all due respect|we (?:strongly )?refute|not true|that is (?:false|a lie)"
    r"|you are (?:wrong|mistaken|lying))\b",
    re.IGNORECASE,
)

WARM = re.compile(
    r"\b(?:thank|thanks|sorry|apolog\w{1,5}|pleased|glad|delighted|lovely|grateful|concerned"
    r"|appreciate|sad to|diolch"
    r"|mae'n ddrwg|hoffem|hi|hello|dear)\b",
    re.IGNORECASE,
)

SHOUTED = re.compile(r"\b[A-Z]{4,}(?: [A-Z]{2,}){2,}\b")

QUOTES = str.maketrans("\u2018\u2019\u02bc\u2010\u2011\u2013\u2014", "'''----")

SENTENCE = re.compile(r"[^.!?\n]+(?:[.](?=\S)[^.!?\n]+)*[.!?]*")

CONFIRMING = re.compile("|".join(f"(?:{one})" for one in CONFIRM), re.IGNORECASE)
