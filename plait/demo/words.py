"""Words the demo company's customers are named with: companies and people of eight languages, all invented.

A word is written as it is spelled; where its Latin form is not plain, it follows after a bar (`가온|gaon`).
"""

import unicodedata
from dataclasses import dataclass

GERMAN = str.maketrans({"ä": "ae", "ö": "oe", "ü": "ue", "ß": "ss", "ø": "o", "å": "a", "'": ""})


@dataclass(frozen=True, slots=True)
class Word:
    """A word and its spelling in an address."""

    text: str
    latin: str


@dataclass(frozen=True, slots=True)
class Language:
    """What a country's companies and people are called; `family_first` says which name comes first."""

    starts: tuple[Word, ...]
    ends: tuple[Word, ...]
    legal: tuple[str, ...]
    given: tuple[Word, ...]
    family: tuple[Word, ...]
    family_first: bool = False


def latin(text: str) -> str:
    """Give the lower-case spelling without accents, as an address needs it: `Größe` is `groesse`."""
    plain = unicodedata.normalize("NFKD", text.lower().translate(GERMAN))
    return "".join(letter for letter in plain if letter.isascii() and letter.isalnum())


def words(listed: str) -> tuple[Word, ...]:
    """Read words divided by blanks, each with or without its Latin form behind a bar."""
    pairs = (item.partition("|") for item in listed.split())
    return tuple(Word(text, spelled or latin(text)) for text, _, spelled in pairs)


LANGUAGES: dict[str, Language] = {
    "de": Language(
        words(
            "Nord Süd Berg Wald Stein Eichen Mühl Küsten Grün Blau Silber Sonnen Königs Fürsten Höhen Brücken Tannen "
            "Falken Löwen Adler Rhein Elbe Isar Saale Alt Neu Hoch Drei Vier Hanse Morgen Winter Linden Ähren"
        ),
        words(
            "werk bau technik guss druck logistik handel medizin optik pumpen mühle waage systeme stahl glas möbel "
            "chemie elektro werkzeug feinmechanik textil verlag akustik förderer"
        ),
        ("GmbH", "AG", "GmbH & Co. KG", "SE", "KG"),
        words("Anna Jürgen Sören Käthe Lukas Björn Marie Günther Sabine Jörg Nele Stefan Heike Moritz Ute Tobias Änne"),
        words(
            "Müller Schröder Weiß Köhler Groß Bäcker Vogel Krüger Lindner Hübner Brandt Jäger Seidel Röder Pohl Thoß"
        ),
    ),
    "fr": Language(
        words("Clair Beau Mont Val Haut Bel Grand Petit Rocher Côte Forêt Étoile Lumière Rivière Chêne Hêtre Pré Île"),
        words("mécanique textile énergie santé verre métal conseil presse céramique bois lumière câble transport été"),
        ("SARL", "SAS", "SA"),
        words("Chloé René Élodie François Hélène Jérôme Zoé André Inès Benoît Agnès Loïc Maëlle Thierry Anaïs"),
        words("Lefèvre Bérard Girault Châtelain Dubreuil Fontanel Garçon Hébert Maréchal Noël Peltier Rivoire Séguin"),
    ),
    "es": Language(
        words("Sierra Río Puerto Monte Olivo Sol Luna Peña Niña Cumbre Áncora Roble Almendro Valle Árbol Montaña"),
        words("textil naval aceros envases óptica salud alimentos papel cerámica energía logística diseño cañas"),
        ("S.L.", "S.A."),
        words("Lucía José Íñigo María Andrés Begoña Raúl Sofía Martín Nuria Álvaro Inés Óscar Pilar Joaquín"),
        words("Muñoz García Peñalver Ibáñez Cañete Núñez Gálvez Ordóñez Sáez Quintana Benítez Robledo Zárate"),
    ),
    "it": Language(
        words("Alba Monte Ponte Torre Stella Ferro Oro Lago Pietra Verde Rocca Mare Vento Fiume Quercia Onda"),
        words("meccanica tessile vetro legno carta moto ottica ceramica impianti arredo pelle sicurezza qualità"),
        ("S.r.l.", "S.p.A."),
        words("Niccolò Giulia Matteo Chiara Davide Noemi Paolo Ilaria Andrea Viola Renzo Marta Elio Debora"),
        words("Rinaldi Bassi Moretto Fabbri Carraro Gentile Orlando Pavan Serra Testa Valli Zanetti Nicolò"),
    ),
    "nl": Language(
        words("Noorder Zuider Wester Ooster Water Duin Haven Molen Polder Tulp Zee Kade Dijk Brug IJssel Veen"),
        words("kassen bouw techniek logistiek zuivel papier scheepvaart zorg software draad glas pompen hout"),
        ("B.V.", "N.V."),
        words("Daan Sanne Joris Femke Bram Lieke Thijs Maartje Ruben Noor Wouter Eline Sjoerd Zoë"),
        words("Vermeulen Kuiper Bosman Dekker Hofstra Postma Schipper Terpstra Veldman Wiersma Zijlstra Brouwer"),
    ),
    "sv": Language(
        words("Norr Söder Björk Älv Fjäll Sjö Gran Sten Åker Öst Väst Lind Ström Vinter Ljung Skog"),
        words("mekanik stål trä papper energi fisk data vård kemi frakt motor ljus"),
        ("AB",),
        words("Åsa Göran Märta Håkan Linnéa Örjan Elin Sven Maja Björn Karin Nils Ebba Anders"),
        words("Sjögren Åberg Lindström Björklund Öberg Nyström Hägg Sandell Ek Norén Wallin Dahlgren"),
    ),
    "en": Language(
        words(
            "Bright Iron Silver Maple North Cedar Harbor Prairie Summit Copper River Granite Blue Canyon Red Oak "
            "Willow Stone Lake Pine Hawk Clear Swift Golden Meadow Bay Delta Pioneer Frontier Crest"
        ),
        words(
            "works labs freight health foods systems tools capital media optics robotics supply energy paper glass "
            "dental marine packaging analytics textiles motors security"
        ),
        ("Inc.", "LLC", "Corp.", "Ltd."),
        words("Emma Noah Olivia Liam Ava Mason Grace Ethan Zoe Lucas Ruby Owen Chloe Henry Mia Caleb Nora Jack"),
        words("Carter Hughes Bennett Foster Reed Sullivan Parker Brooks Hayes Morgan Price Walsh Turner Ellis Dunn"),
    ),
    "ko": Language(
        words(
            "다솜|dasom 새솔|saesol 물결|mulgyeol 샛별|saetbyeol 큰숲|keunsup 가온|gaon 여울|yeoul 노을|noeul "
            "다온|daon 해오름|haeoreum 참나무|chamnamu 윤슬|yunseul 바른|bareun 큰길|keungil 하늬|hanui "
            "온새|onsae 이든|ideun 도담|dodam"
        ),
        words(
            "정밀|jeongmil 전자|jeonja 물산|mulsan 화학|hwahak 섬유|seomyu 제약|jeyak 산업|saneop 통상|tongsang "
            "기계|gigye 바이오|bio 식품|sikpum 해운|haeun 건설|geonseol 로봇|robot"
        ),
        ("주식회사", "(주)"),
        words(
            "민준|minjun 서연|seoyeon 도윤|doyun 지우|jiwoo 하은|haeun 준호|junho 수빈|subin 예준|yejun 지민|jimin "
            "현우|hyunwoo 유진|yujin 태현|taehyun 은지|eunji 성민|sungmin"
        ),
        words(
            "김|kim 이|lee 박|park 최|choi 정|jung 강|kang 조|cho 윤|yoon 장|jang 임|lim 한|han 오|oh 서|seo 신|shin"
        ),
        family_first=True,
    ),
}
