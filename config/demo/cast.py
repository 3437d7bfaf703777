"""Made-up sites, staff, names, lots and roles of the demo. Clearly synthetic: nobody here exists."""

from dataclasses import dataclass

SITES = [
    ("RIV", "Riverside", "GB", "Europe/London"),
    ("HAR", "Harbour", "NZ", "Pacific/Auckland"),
    ("LAK", "Lakeview", "US", "America/New_York"),
    ("MON", "Montagne", "FR", "Europe/Paris"),
    ("KAT", "Kathmandu Valley", "NP", "Asia/Kathmandu"),
    ("SAO", "São Bento", "BR", "America/Sao_Paulo"),
]

GIVEN_FEMALE = (
    "Ada Bea Clara Dora Edith Fiona Greta Helena Irma Juno Klara "
    "Leila Maud Nina Olga Petra Rosa Selma Thea Una Vera Wilma"
).split()
GIVEN_MALE = (
    "Abel Bruno Cyril Dario Emil Felix Gustav Hugo Ivo Janus Kaspar "
    "Leon Milo Nils Oskar Pavel Rufus Simon Tobias Uwe Viktor Walter"
).split()
FAMILY = (
    "Sampleton Demowicz Testerley Examplar Mockridge Trialov Fictoria Placehold Dummont Specimann "
    "Protoype Modelski Invento Imagina Synthesson Fauxley Makeby Pretendo Nobodi Allegoro"
).split()

# username part, role, full name, works at one site
STAFF = [
    ("data", "data_entry", "Dana Entry", True),
    ("nurse", "nurse", "Nora Nurse", True),
    ("doctor", "investigator", "Dr Ines Investigator", True),
    ("lab", "laboratory", "Lars Laboratory", True),
    ("manager", "site_manager", "Mina Manager", True),
    ("monitor", "monitor", "Monty Monitor", True),
    ("safety", "safety", "Dr Sofia Safety", False),
    ("coordinator", "coordinator", "Cora Coordinator", False),
    ("coordinator2", "coordinator", "Carl Coordinator", False),  # whoever writes a plan does not approve it
    ("product", "product", "Pia Product", False),
    (
        "pharmacy",
        "product",
        "Phil Pharmacy",
        True,
    ),  # in a blinded protocol alone: enters lots and doses of its site
    ("auditor", "auditor", "Aude Auditor", False),
    ("admin", "administrator", "Adam Administrator", False),
    ("admin2", "administrator", "Ada Administrator", False),  # whoever asks for an account does not open it
]


@dataclass(frozen=True)
class LotKind:
    prefix: str
    tissue_source: str
    cell_type: str
    passage: int


LOT_KINDS = [
    LotKind("UC", "umbilical_cord", "msc", 4),
    LotKind("WJ", "whartons_jelly", "msc", 3),
    LotKind("AD", "adipose", "msc", 4),
    LotKind("UC", "umbilical_cord", "msc", 5),
]
ROUTES = ["iv_peripheral", "iv_peripheral", "ia_pancreaticoduodenal", "iv_central", "ia_splenic"]
