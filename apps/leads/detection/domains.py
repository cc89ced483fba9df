"""Where the domain of an address ends and the next sentence begins: `ana@example.com.Thanks`."""

import re


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


_COMMON_TLDS = _words("""
com org net edu gov mil int info biz io co ai app dev me tv cc eu us uk de fr es it nl be ch at
pt se no dk fi pl cz ru ua br mx ar cl pe au nz jp cn kr hk tw sg in id my ph th vn tr il ae sa
za ng ke ie gr hu ro bg hr rs si sk lt lv ee is ca
""")
"""Top-level domains after which a word that is none must be the next sentence."""
_OTHER_TLDS = _words("""
academy aero agency art asia bank bar berlin best bike bio blog boutique build business cafe
camera camp capital care careers casa cash cat center church city clinic cloud club coach codes
coffee community company computer consulting contact cool coop dental design digital direct
directory doctor domains education email energy engineer engineering estate events exchange
expert express family farm fashion film finance fit florist fun fund fyi gallery game games
garden gmbh graphics green group guide guru health help holdings hospital hosting house inc
industries ink institute insurance international jobs kitchen land law legal life limited link
live loan lol london ltd marketing mba media mobi money moscow museum music name network news
ngo ninja nyc one online organic page paris partners parts party pet pharmacy photo photography
photos pics pizza plus post press pro productions properties pub quest realestate rent repair
report rest restaurant review reviews rocks run sale salon school science services shoes shop
shopping show site ski social software solar solutions space sport store studio style support
surf swiss systems tax team tech technology tel tennis theater tips today tools top tours town
toys trade training travel university vacations ventures vet video vip vision watch web website
wedding wiki win wine work works world wtf xyz yoga zone
""")
_COUNTRY_TLDS = _words("""
ac ad ae af ag ai al am ao aq ar as at au aw ax az ba bb bd be bf bg bh bi bj bm bn bo br bs bt
bw by bz ca cc cd cf cg ch ci ck cl cm cn co cr cu cv cw cx cy cz de dj dk dm do dz ec ee eg er
es et eu fi fj fk fm fo fr ga gd ge gf gg gh gi gl gm gn gp gq gr gs gt gu gw gy hk hm hn hr ht
hu id ie il im in io iq ir is it je jm jo jp ke kg kh ki km kn kp kr kw ky kz la lb lc li lk lr
ls lt lu lv ly ma mc md me mg mh mk ml mm mn mo mp mq mr ms mt mu mv mw mx my mz na nc ne nf ng
ni nl no np nr nu nz om pa pe pf pg ph pk pl pm pn pr ps pt pw py qa re ro rs ru rw sa sb sc sd
se sg sh si sk sl sm sn so sr ss st su sv sx sy sz tc td tf tg th tj tk tl tm tn to tr tt tv tw
tz ua ug uk us uy uz va vc ve vg vi vn vu wf ws ye yt za zm zw
""")
_SECOND_LEVEL = frozenset({"co", "com", "net", "org", "ac", "edu", "gov", "or", "ne", "go"})
_COUNTRIES_WITH_SECOND_LEVEL = _words("""
uk jp nz za kr il th br au mx ar tr sg hk tw cn ph vn ke ng ua pl pk eg
""")
_RUN_ON = re.compile(r"([a-z]{2,6})([A-Z][a-z]+)")


def domain_length(domain: str) -> int:
    """How many characters of what looks like a domain belong to it: less than all if one of its
    last labels, or the end of the last, begins the next sentence."""
    labels = domain.split(".")
    for at in range(2, len(labels)):
        may_end = at == len(labels) - 1 or not _is_tld(labels[-1].lower())
        if may_end and _begins_sentence(labels[at - 1], labels[at]):
            return len(".".join(labels[:at]))
    run_on = _RUN_ON.fullmatch(labels[-1])
    is_run_on = run_on is not None and run_on[1] in _COMMON_TLDS
    return len(domain) - (len(run_on[2]) if run_on and is_run_on else 0)


def _begins_sentence(before: str, label: str) -> bool:
    """Whether a label after a label that can end a domain is rather a word: it is capitalised, or
    no top-level domain."""
    tld, word = before.lower(), label.lower()
    if not _is_tld(tld) or (tld in _SECOND_LEVEL and word in _COUNTRIES_WITH_SECOND_LEVEL):
        return False
    if before.islower() and (label in ("I", "A") or (label[0].isupper() and not label.isupper())):
        return True
    return tld in _COMMON_TLDS and not _is_tld(word)


def _is_tld(label: str) -> bool:
    is_known = label in _COMMON_TLDS or label in _OTHER_TLDS or label in _COUNTRY_TLDS
    return is_known or label.startswith("xn--")
