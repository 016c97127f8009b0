"""What stands in a number column where there is no number, in the languages in which PBXs and networks say so."""

import unicodedata
from typing import Final

_LONGEST: Final = 40
_DIALLED: Final = frozenset("+*#")
_PUNCTUATION: Final = frozenset(" -_.\"'()<>[]")
"""Not ``?``, by which dialects say that a feed does not name the party at all."""


def _letters(text: str) -> str:
    """Letters and digits alone, without accents and in lower case."""
    return "".join(filter(str.isalnum, unicodedata.normalize("NFKD", text.casefold())))


_LATIN: Final = """
anonymous anonymouscall anonymouscaller restricted restrictednumber presentationrestricted private privatenumber
privatecall privatecaller unavailable numberunavailable callerunavailable notavailable unknown unknownnumber
unknowncaller callerunknown outofarea nobody noone withheld numberwithheld withheldnumber idwithheld cliwithheld
callerwithheld nocallerid nocli noclip noclid noid nonumber blocked blockednumber blockedcaller callerblocked idblocked
hidden hiddennumber hiddenid suppressed numbersuppressed undisclosed unidentified notidentified undefined null none nil
na nan empty
anonyme appelanonyme numéroanonyme inconnu numéroinconnu appelinconnu appelantinconnu masqué numéromasqué appelmasqué
privé numéroprivé appelprivé secret numérosecret indisponible nondisponible nonidentifié
anoniem anoniemnummer onbekend onbekendnummer onbekendebeller privénummer afgeschermd afgeschermdnummer geheim
geheimnummer verborgen verborgennummer nietbeschikbaar
anonym anonymeranruf anonymeranrufer unbekannt unbekanntenummer unbekannteranrufer rufnummerunbekannt privat
privatenummer privatnummer unterdrückt unterdrueckt rufnummerunterdrückt rufnummerunterdrueckt nummerunterdrückt
nummerunterdrueckt keinenummer keinerufnummer nichtverfügbar nichtverfuegbar
sconosciuto numerosconosciuto anonimo numeroanonimo chiamataanonima privato numeroprivato riservato numeroriservato
nascosto numeronascosto nondisponibile
desconocido númerodesconocido privado númeroprivado oculto númerooculto restringido númerorestringido nodisponible
llamadaanónima sinidentificar
desconhecido númerodesconhecido restrito númerorestrito confidencial númeroconfidencial nãoidentificado indisponível
chamadaanónima chamadaanônima
anonim anonimowy nieznany nieznanynumer numernieznany prywatny numerprywatny zastrzeżony numerzastrzeżony ukryty
ukrytynumer
ukendt ukendtnummer hemmelig hemmeligt hemmeligtnummer hemmelignummer skjult skjultnummer ukjent ukjentnummer okänd
okänt okäntnummer dolt doltnummer hemligt hemligtnummer skyddatnummer
tuntematon tuntematonnumero salainen salainennumero yksityinen yksityinennumero estetty
anonymní neznámý neznáméčíslo skryté skrytéčíslo soukromé soukroméčíslo utajeno utajenéčíslo ismeretlen ismeretlenszám
rejtett rejtettszám privátszám necunoscut numărnecunoscut ascuns numărascuns numărprivat bilinmeyen bilinmeyennumara
gizli gizlinumara özel özelnumara skriven skrivenbroj nepoznat nepoznatbroj
"""
_OTHER_SCRIPTS: Final = """
неизвестно неизвестен неизвестный неизвестныйномер скрыт скрытый скрытыйномер номерскрыт анонимно анонимный аноним
невідомий прихованийномер непознат скрит
άγνωστο άγνωστος ανώνυμος ανώνυμο απόκρυψη ιδιωτικό
非通知 非通知設定 匿名 表示圏外 未知 未知号码 未知號碼 私人号码 隐藏号码 无 無 발신자표시제한 발신번호표시제한 알수없음
חסוי מספרחסוי לאידוע مجهول رقممجهول خاص رقمخاص
"""
_WORDS: Final = frozenset(map(_letters, f"{_LATIN}{_OTHER_SCRIPTS}".split()))


def is_withheld(text: str) -> bool:
    """Tell whether ``text`` is one of the words, or no more than the punctuation around one."""
    if len(text) > _LONGEST:
        return False
    return _PUNCTUATION.issuperset(text) or (_DIALLED.isdisjoint(text) and _letters(text) in _WORDS)
