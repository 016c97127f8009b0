"""Words for nobody, in the languages in which exports say so."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.numbering.number import Number, normalise
from appliance.numbering.withheld import is_withheld
from appliance.wire.call import Category
from tests.support.cdr_rows import belgian_plan

PLAN = belgian_plan()
ENGLISH = (
    *("Anonymous", "ANONYMOUS", "Restricted", "Private", "Private Number", "Unavailable", "Unknown", "Out of Area"),
    *(
        "OUT-OF-AREA",
        "out_of_area",
        "nobody",
        "Withheld",
        "Number Withheld",
        "No Caller ID",
        "Blocked",
        "Hidden",
        "N/A",
    ),
    *("NULL", "none", "undefined", "Presentation Restricted", "Not Available"),
)
OTHERS = (
    *("Anonyme", "Privé", "Inconnu", "Numéro masqué", "numero masque", "Appel anonyme", "Anoniem", "Onbekend"),
    *("Privénummer", "Afgeschermd", "Anonym", "Unbekannt", "Rufnummer unterdrückt", "Unterdrueckt", "Sconosciuto"),
    *("Numero privato", "Número privado", "Desconocido", "Número oculto", "Desconhecido", "Não identificado"),
    *("Nieznany", "Numer zastrzeżony", "Ukendt", "Hemmeligt nummer", "Okänt nummer", "Tuntematon", "Neznámé číslo"),
    *("Rejtett szám", "Număr necunoscut", "Bilinmeyen numara", "Nepoznat broj"),
    *("Неизвестный номер", "скрытый номер", "Άγνωστος", "ΑΠΟΚΡΥΨΗ", "非通知", "匿名", "未知号码", "발신자 표시 제한"),
    *("חסוי", "مجهول"),
)
PUNCTUATION = ("", " ", "-", "--", "<>", '""', "''", "()", ".", "_", "< >", '"" <>')


@pytest.mark.parametrize("raw", [*ENGLISH, *OTHERS, *PUNCTUATION])
def test_a_word_for_nobody_is_withheld(raw: str) -> None:
    """Whoever it was; one pseudonym for all of them would look like a busy person."""
    assert normalise(raw, PLAN, dialled=False) == Number(Category.WITHHELD, None)
    assert normalise(raw, PLAN, dialled=True) == Number(Category.UNKNOWN, None)


@pytest.mark.parametrize("word", ["Anonymous", "Privé", "unknown", "非通知"])
@pytest.mark.parametrize(
    "around", ["<{}>", '"{}"', "  {}  ", '"{}" <{}>', "sip:{}@pbx.example", "<sip:{}@anonymous.invalid>;tag=1", "[{}]"]
)
def test_so_is_one_in_an_address(word: str, around: str) -> None:
    """In brackets, in quotes, as the user of a host."""
    assert normalise(around.format(word, word), PLAN, dialled=False) == Number(Category.WITHHELD, None)


@pytest.mark.parametrize(
    "text", ["Ann", "Anonymous Coward", "+", "*", "#", "+unknown", "?", "private1", "x" * 41, "-" * 41]
)
def test_anything_else_is_not(text: str) -> None:
    """A name, a sign that is dialled, a word within others; ``?`` stands for a party that a feed does not name."""
    assert not is_withheld(text)


@given(st.text())
def test_any_text_is_one_or_none(text: str) -> None:
    """And a number is never one."""
    assert not (is_withheld(text) and any(character.isdecimal() for character in text))
