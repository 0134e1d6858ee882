"""The customers and the staff of Harbour & Vale. All of them, and the bank, are invented.

Mail addresses end in example.com or .test, telephone numbers lie in 555-0100 to 555-0199, which are kept free
for fiction, card numbers are the card schemes' published test numbers, and the IBANs have valid check digits
over a sort code (00-00-00) that is not given out.
"""

from __future__ import annotations

from typing import NamedTuple

_TEST_CARDS = (
    "4242 4242 4242 4242",
    "4111 1111 1111 1111",
    "5555 5555 5555 4444",
    "4000 0566 5566 5556",
    "5200 8282 8282 8210",
    "4012 8888 8888 1881",
    "5105 1051 0510 5100",
)
_CUSTOMERS = (
    ("leonie", "Leonie Aster", "HV-104417", "0142"),
    ("tobias", "Tobias Aster", "HV-104982", "0143"),
    ("walter", "Walter Simms", "HV-108730", "0150"),
    ("dilys", "Dilys Simms", "HV-108731", "0151"),
    ("agnieszka", "Agnieszka Żelazna", "HV-101305", "0101"),
    ("arthur", "Arthur Penrose", "HV-101412", "0102"),
    ("beatrix", "Beatrix Lowe", "HV-101588", "0103"),
    ("bruno", "Bruno Halloran", "HV-101620", "0104"),
    ("cormac", "Cormac Daly", "HV-101777", "0105"),
    ("edwin", "Edwin Sharpe", "HV-101934", "0106"),
    ("femi", "Femi Adeyo", "HV-102068", "0107"),
    ("fleur", "Fleur Janssen", "HV-102155", "0108"),
    ("gideon", "Gideon Clarke", "HV-102231", "0109"),
    ("greta", "Greta Lindqvist", "HV-102390", "0110"),
    ("hana", "Hana Sato", "HV-102477", "0111"),
    ("hassan", "Hassan Farouk", "HV-102503", "0112"),
    ("ivo", "Ivo Petrov", "HV-102689", "0113"),
    ("jonas", "Jonas Eklund", "HV-102754", "0114"),
    ("june", "June Pellow", "HV-102816", "0115"),
    ("klaus", "Klaus Wendt", "HV-102949", "0116"),
    ("luc", "Luc Armand", "HV-103027", "0117"),
    ("marlene", "Marlene Fisch", "HV-103162", "0118"),
    ("mirela", "Mirela Dusan", "HV-103258", "0119"),
    ("nadia", "Nadia Serrano", "HV-103344", "0120"),
    ("omar", "Omar Idris", "HV-103471", "0121"),
    ("owen", "Owen Tarrant", "HV-103590", "0122"),
    ("pia", "Pia Holm", "HV-103618", "0123"),
    ("priya", "Priya Raman", "HV-103725", "0124"),
    ("quentin", "Quentin Marsh", "HV-103833", "0125"),
    ("rosa", "Rosa Belmonte", "HV-103906", "0126"),
    ("stefan", "Stefan Kraus", "HV-104011", "0127"),
    ("thea", "Thea Vance", "HV-104120", "0128"),
    ("ugo", "Ugo Ferrante", "HV-104233", "0129"),
    ("vera", "Vera Pohl", "HV-104309", "0130"),
    ("xenia", "Xenia Doukas", "HV-104561", "0131"),
    ("yara", "Yara Nasser", "HV-104638", "0132"),
    ("yusuf", "Yusuf Demir", "HV-104702", "0133"),
    ("zofia", "Zofia Malec", "HV-104855", "0134"),
)
_STAFF = (
    ("ines", "Ines Okafor", "E-1187"),  # payments desk, releases refunds
    ("sunniva", "Sunniva Hald", "E-1032"),  # head of Model Risk, approves changes
    ("callum", "Callum Reyes", "E-1350"),  # releases models
    ("marek", "Marek Dolny", "E-1417"),  # prompt engineer
    ("petra", "Petra Vogt", "E-1266"),  # owns the data sets
    ("aoife", "Aoife Brennan", "E-2041"),  # branch clerk
    ("henrik", "Henrik Moss", "E-2077"),  # branch clerk
)


class Person(NamedTuple):
    """A customer (``number`` HV-nnnnnn) or a member of staff (``number`` E-nnnn; no card, phone or IBAN)."""

    key: str
    name: str
    number: str
    email: str
    phone: str = ""
    card: str = ""
    iban: str = ""

    def placeholders(self) -> dict[str, str]:
        """What the dialogues call ``$name``, ``$number``, ``$card4`` and so on."""
        return {
            "name": self.name,
            "number": self.number,
            "email": self.email,
            "phone": self.phone,
            "card": self.card,
            "card4": self.card[-4:],
            "iban": self.iban,
        }


def _iban(account: int) -> str:
    bban = f"HAVA000000{account:08d}"
    digits = "".join(str(int(character, 36)) for character in f"{bban}GB00")
    return f"GB{98 - int(digits) % 97:02d}{bban}"


def _customer(position: int, key: str, name: str, number: str, line: str) -> Person:
    mailbox = f"{key}.{name.split()[-1].lower()}".replace("ż", "z")
    card = _TEST_CARDS[position % len(_TEST_CARDS)]
    return Person(key, name, number, f"{mailbox}@example.com", f"+1 202 555 {line}", card, _iban(int(number[3:])))


PEOPLE: dict[str, Person] = {row[0]: _customer(position, *row) for position, row in enumerate(_CUSTOMERS)} | {
    key: Person(key, name, number, f"{key}.{name.split()[-1].lower()}@harbour-vale.test")
    for key, name, number in _STAFF
}
