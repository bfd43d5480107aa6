"""Vocabulary: the words by which columns and files are known in English, German, French, Spanish and Korean."""

from __future__ import annotations

import re
import unicodedata
from functools import cache

# A concept and its words; accents are left out, as they are in half of all headers, and so is case.
CONCEPTS: dict[str, str] = {
    "id": "id ids uid uuid guid gid key pk code no nr num number nummer kennung schluessel schlussel identifiant "
    "numero reference ref identificador clave 번호 아이디 코드 식별자",
    "number": "number no nr num nummer numero 번호",
    "net": "subtotal net netto nettobetrag ht neto 공급가액",
    "total": "total totals grandtotal gesamt gesamtbetrag summe gross brutto ttc 합계 총액",
    "email": "email mail emailaddress courriel correo correoelectronico 이메일 메일 전자우편",
    "phone": "phone tel telephone telefon telefono mobile mobil handy rufnummer portable movil celular 전화 "
    "전화번호 휴대폰 휴대전화 핸드폰",
    "domain": "domain domaine dominio website web webseite homepage sitio 도메인 웹사이트 홈페이지",
    "url": "url uri link href permalink lien enlace 링크 주소창",
    "company": "company companies account accounts organisation organization organisations organizations org "
    "firm firma firmen unternehmen entreprise entreprises societe compte empresa cuenta business 회사 회사명 "
    "기업 기업명 고객사 거래처 업체",
    "customer": "customer customers client clients cliente clientes kunde kunden 고객 구매자 buyer member membre "
    "mitglied shopper",
    "person": "contact contacts person people persons kontakt kontakte ansprechpartner contacto contactos "
    "personne persona personas subscriber 연락처 사람 회원 구독자",
    "requester": "requester reporter requestor melder demandeur solicitante 요청자 visitor attendee",
    "recipient": "recipient recipients empfaenger empfanger destinataire destinatario 수신자",
    "user": "user users usr nutzer benutzer utilisateur utilisateurs usuario usuarios 사용자 유저",
    "owner": "owner owners rep reps salesrep salesperson seller agent agents assignee besitzer verantwortlich "
    "verantwortlicher verantwortliche zustandig zustaendig betreuer verkaufer verkaeufer vertriebler responsable "
    "proprietaire propietario vendeur commercial vendedor comercial sdr ae 담당자 담당 소유자 영업사원 영업담당 "
    "staff employee mitarbeiter bearbeiter",
    "deal": "deal deals opportunity opportunities opp opps verkaufschance verkaufschancen geschaft geschaeft "
    "affaire affaires opportunite opportunites oportunidad oportunidades negocio negocios 거래 기회 영업기회 딜",
    "lead": "lead leads prospect prospects mql interessent interessenten piste pistes prospecto prospectos 리드 "
    "잠재고객",
    "ticket": "ticket tickets conversation conversations case cases issue issues incident incidents helpdesk "
    "anfrage anfragen vorgang fall "
    "faelle falle supportfall demande demandes incidencia incidencias caso casos 티켓 문의 요청 상담",
    "order": "order orders purchase purchases bestellung bestellungen auftrag auftrage auftraege commande "
    "commandes pedido pedidos compra 주문 구매 발주",
    "invoice": "invoice invoices rechnung rechnungen rechnungs facture factures factura facturas 청구서 인보이스 "
    "송장 청구 bill bills",
    "payment": "payment payments charge charges zahlung zahlungen zahlungs paiement paiements pago pagos cobro "
    "결제 지불 입금 receipt",
    "refund": "refund refunds chargeback dispute disputes erstattung erstattungen ruckerstattung gutschrift "
    "remboursement remboursements avoir reembolso reembolsos 환불",
    "subscription": "subscription subscriptions abo abos abonnement abonnements suscripcion suscripciones "
    "contract contracts vertrag vertrage vertraege contrat contrats contrato contratos membership 구독 계약",
    "campaign": "campaign campaigns kampagne kampagnen campagne campagnes campana campanas utmcampaign 캠페인 "
    "광고명",
    "adset": "adset adgroup anzeigengruppe",
    "ad": "ad ads advert anzeige anzeigen annonce anuncio keyword creative 광고",
    "channel": "channel channels source kanal kanale quelle canal canaux origin origine origen herkunft medium "
    "utmsource leadsource 채널 유입 유입경로 매체 출처 경로",
    "product": "product products produkt produkte produit produits producto productos sku plan plans tarif offer "
    "상품 제품 품목 상품명 제품명 요금제 price artikel article articulo item items",
    "amount": "amount amounts total totals value sum revenue sales turnover gross net price prix mrr arr acv tcv "
    "subtotal grandtotal betrag summe wert umsatz preis auftragswert volumen montant somme chiffre valeur "
    "importe monto suma valor precio ingresos 금액 총액 가격 매출 합계 결제금액 예상금액",
    "recurring": "mrr monthly month recurring monatlich mensuel mensual 월 월간",
    "part": "refunded refund tax taxes fee fees discount discounts shipping vat mwst steuer rabatt gebuhr tva "
    "remise impuesto descuento tip application remaining due weighted expected balance prior 세금 할인 "
    "수수료 배송비 expectation",
    "yearly": "annual yearly year annualrevenue jahr jahres jahrlich annuel anual 연 연간",
    "cost": "spend spent cost costs kosten ausgaben cout couts depense depenses gasto gastos coste costes budget "
    "비용 지출 광고비",
    "clicks": "clicks click klick klicks clics clic 클릭 클릭수",
    "impressions": "impressions impression views reach impressionen impresiones 노출 노출수",
    "currency": "currency currencies iso wahrung waehrung devise monnaie moneda divisa 통화 화폐",
    "created": "created create creation createdate createdat added add opened open began entered registered "
    "signup joined submitted placed received timestamp_created erstellt erstellung erstellungs erstellungsdatum "
    "angelegt eroffnet eroeffnet eingang eingegangen registriert cree creee ouvert ouverture creado creada "
    "creacion abierto apertura alta inscription 생성 생성일 생성일시 등록 등록일 등록일시 접수 접수일 가입 "
    "가입일 개설 engage engaged first issued purchased ordered subscribed",
    "closed": "closed close closedate closing won signed completed finished geschlossen abschluss abgeschlossen "
    "abschlussdatum beendet cloture clos ferme fermeture cerrado cierre finalizado 종료 종료일 마감 마감일 완료 "
    "완료일 계약일 체결 lost end ended",
    "resolved": "resolved resolution solved solution gelost geloest erledigt losung resolu resolue resuelto "
    "solucionado 해결 해결일 처리 처리일",
    "paid": "paid captured settled bezahlt beglichen paye payee regle pagado pagada 납부 입금완료 결제완료 "
    "결제일",
    "cancelled": "cancelled canceled cancel cancellation churned terminated gekundigt gekuendigt kundigung "
    "kuendigung storniert storno annule resilie resiliation cancelado cancelada baja 취소 취소일 해지 해지일",
    "converted": "converted conversion convert umgewandelt konvertiert converti convertido 전환",
    "updated": "updated update modified modification changed lastmodified edited geandert geaendert aktualisiert "
    "modifie mis modificado actualizado 수정 수정일 변경 갱신 last letzte dernier derniere ultimo ultima 최근 "
    "마지막 modstamp viewed referenced synced obsoleted",
    "start": "start started starts begin from beginn ab debut inicio desde 시작 시작일 current",
    "end": "end ends ended until to ende bis fin hasta 종료 만료 만료일 expires expiry",
    "due": "due faellig fallig falligkeit echeance vencimiento deadline 기한 납기 planned scheduled",
    "time": "date dates at on time timestamp datetime ts instant day when datum zeit zeitpunkt uhrzeit tag jour "
    "heure horodatage fecha hora dia 일자 날짜 일시 시간 시각 일 utc gmt segments",
    "status": "status state statut etat zustand estado situacion 상태 진행상태 activity",
    "job": "job jobtitle jobs funktion fonction cargo department 직책 직함 부서",
    "stage": "stage stages phase step stufe etape etapa fase 단계 진행단계",
    "won": "won win gewonnen gagne gagnee ganado ganada 수주 성사 성공",
    "lost": "lost verloren perdu perdue perdido perdida 실주 실패",
    "is": "is has ist flag est es 여부",
    "name": "name names label title nom noms nombre bezeichnung libelle titulo titre titel displayname fullname "
    "이름 성명 명칭 명 제목",
    "first": "first given vorname prenom firstname forename 이름",
    "last": "last family surname nachname familienname lastname apellido apellidos 성",
    "subject": "subject betreff objet sujet asunto headline summary topic thema 제목 건명",
    "text": "description descriptions beschreibung notes note notiz notizen comment comments kommentar "
    "commentaire comentario comentarios descripcion body content message nachricht mensaje memo details text "
    "verbatim 설명 비고 메모 내용 메시지 의견",
    "reason": "reason reasons grund ursache raison motif motivo razon why 사유 이유",
    "score": "score rating stars nps csat satisfaction bewertung punkte sterne zufriedenheit evaluation etoiles "
    "puntuacion calificacion estrellas 평점 점수 만족도 별점 추천",
    "type": "type typ art kind category kategorie categorie tipo categoria action 유형 종류 구분 분류 activity",
    "event": "event events ereignis ereignisse evenement evenements evento eventos activity aktivitat 이벤트 "
    "행동 log",
    "message": "message messages newsletter mailing campaignemail 메시지 발송",
    "sent": "sent send versendet gesendet envoye enviado 발송",
    "page": "page pages seite seiten pageview pageviews pagehit hit hits pagina paginas 페이지",
    "session": "session sessions sitzung visit visits besuch besuche visite visites sesion visita 세션 방문",
    "form": "form forms formular formulaire formulario 양식 폼 submission submissions result results",
    "survey": "survey surveys umfrage umfragen feedback enquete sondage encuesta encuestas 설문 nps csat review "
    "reviews bewertungen avis resenas",
    "meeting": "meeting meetings appointment appointments termin termine call calls reunion rendezvous rdv cita "
    "llamada 회의 미팅 통화",
    "task": "task tasks todo todos aufgabe aufgaben tache taches tarea tareas 할일 작업",
    "history": "history historie verlauf historique historial changes change audit log 이력 변경이력",
    "field": "field property attribute feld eigenschaft champ campo 필드 항목 속성",
    "old": "old previous prior alt alter ancien antiguo anterior 이전",
    "new": "new neu nouveau nouvelle nuevo nueva 신규",
    "line": "line lines lineitem position positions positionen ligne lignes linea lineas detail 상세",
    "list": "stage stages pipeline pipelines role roles team teams group groups tag tags schedule schedules "
    "policy policies metric brand brands zone zones form_list holiday option options property properties coupon "
    "coupons card cards list lists gruppe rolle groupe equipe rol equipo grupo member members categories "
    "category",
    "comment": "comment comments reply replies kommentare commentaires comentarios note notes 댓글",
    "deleted": "deleted delete archived trashed geloscht geloescht archiviert supprime supprimee archive "
    "eliminado eliminada borrado 삭제 deactivated merged",
    "live": "live livemode production testmode sandbox",
    "actor": "by von par por creator modifier approver editor",
    "billing": "billing bill rechnungsanschrift facturation facturacion",
    "other": "shipping mailing address adresse street city country zip postal code region state province "
    "latitude longitude locale language ip agent browser device fax photo image avatar alternate secondary "
    "manager parent master template default metadata external payload",
    "industry": "industry branche sector sektor secteur industria 산업 업종",
    "size": "employees mitarbeiterzahl headcount effectif empleados 직원수 numberofemployees",
    "quantity": "quantity qty menge anzahl quantite cantidad 수량 seats",
    "move": "payout payouts transfer transfers dispute_evidence balance balances fee fees auszahlung virement "
    "coupon coupons discount discounts",
    "trial": "trial trials test probe probezeit essai prueba 체험 무료체험",
    "transaction": "transaction transactions transaktion transaccion tx txn 거래내역",
    "anonymous": "anonymous tracking visitor pseudo cookie visitorid clientid gaclientid fingerprint device_id",
    "priority": "priority prioritat prioritaet priorite prioridad 우선순위",
    "partner": "partner partners affiliate publisher partenaire socio 파트너 제휴",
    "probability": "probability wahrscheinlichkeit probabilite probabilidad 확률",
    "fill": "the of de du des la le der die das del el hs sf custom field in and und et y c micros cents minor data "
    "raw sample full "
    "basic all",
}  # fmt: skip
_HANGUL = re.compile(r"[\uac00-\ud7a3]")
_SHORTEST = 3  # letters of a word that may be half of a compound
_SPLIT = re.compile(r"[^0-9a-z\uac00-\ud7a3]+")
_CAMEL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")
# Two words that are one, whatever each means alone.
_PAIRS = {"email": "email", "useragent": "useragent", "adgroup": "adset", "adset": "adset", "timezone": "timezone"}


@cache
def _words() -> dict[str, frozenset[str]]:
    found: dict[str, set[str]] = {}
    for concept, words in CONCEPTS.items():
        for word in words.split():
            found.setdefault(word, set()).add(concept)
    return {word: frozenset(concepts) for word, concepts in found.items()}


def plain(text: str) -> str:
    """Write a text without accents and in lower case, Hangul whole."""
    bare = "".join(c for c in unicodedata.normalize("NFKD", text) if not unicodedata.combining(c))
    return unicodedata.normalize("NFC", bare).replace("ß", "ss").lower()


@cache
def tokens(name: str) -> tuple[str, ...]:
    """Split a name at `_`, `.`, blanks, capitals and digits, and compounds at the words that are known."""
    spaced = _CAMEL.sub(" ", name)
    parts = [part for part in _SPLIT.split(plain(spaced)) if part]
    joined = "".join(parts)
    if joined in _words() and len(parts) > 1:  # `e-mail`, `ad set`
        return (joined,)
    out: list[str] = []
    for n, part in enumerate(parts):
        pair = parts[n - 1] + part
        if n and out and pair in _PAIRS:
            out[-1] = _PAIRS[pair]
            continue
        out += _compound(part)
    return tuple(out)


def _compound(token: str) -> list[str]:
    """Split a compound such as `createdate`, `Kundennummer` or `고객이메일` into known words."""
    if token in _words() or token.isdigit():
        return [token]
    if _HANGUL.search(token):
        return _hangul(token)
    trimmed = token.rstrip("0123456789")
    if trimmed != token and trimmed:
        return _compound(trimmed)
    if token.endswith("s") and token[:-1] in _words():
        return [token[:-1]]
    for cut in range(len(token) - 2, 1, -1):
        head, tail = token[:cut], token[cut:]
        for form in (head, head.removesuffix("s"), head.removesuffix("en"), head.removesuffix("n")):
            if len(form) >= _SHORTEST and form in _words() and (tail in _words()):
                return [form, tail]
    return [token]


def _hangul(token: str) -> list[str]:
    found: list[str] = []
    at = 0
    while at < len(token):
        word = next((token[at:end] for end in range(len(token), at, -1) if token[at:end] in _words()), None)
        if word:
            found.append(word)
        at += len(word) if word else 1
    return found or [token]


@cache
def concepts(token: str) -> frozenset[str]:
    """Give what a word may mean."""
    return _words().get(token, frozenset())


@cache
def meaning(name: str) -> frozenset[str]:
    """Give all that the words of a name may mean."""
    return frozenset(concept for token in tokens(name) for concept in concepts(token))


# -- words among values

OUTCOMES: dict[str, str] = {
    "won": "won win closedwon gewonnen abgeschlossen gagne gagnee ganado ganada signed unterschrieben 수주 성사 "
    "계약완료 성공",
    "lost": "lost closedlost verloren perdu perdue perdido perdida abandoned disqualified 실주 실패 무산",
    "paid": "paid succeeded success successful complete completed captured settled bezahlt erfolgreich paye "
    "payee reussi regle pagado pagada completado exitoso 결제완료 완료 승인 납부 성공",
    "failed": "failed failure declined error fehlgeschlagen abgelehnt echoue refuse fallido rechazado 실패 거절 "
    "uncaptured",
    "refunded": "refunded refund erstattet rembourse remboursee reembolsado 환불 환불완료",
    "resolved": "solved resolved closed done completed complete gelost geloest geschlossen erledigt resolu "
    "resolue ferme clos termine resuelto cerrado solucionado 해결 완료 종료 처리완료",
    "cancelled": "cancelled canceled void voided cancel churned ended expired gekundigt gekuendigt storniert "
    "abgebrochen annule annulee resilie cancelado cancelada anulado 취소 해지 만료",
    "staff": "agent admin administrator staff employee operator mitarbeiter agente 상담원 관리자",
    "draft": "draft entwurf brouillon borrador 초안",
    "deleted": "deleted geloscht geloescht supprime eliminado 삭제 spam",
    "disqualified": "disqualified unqualified junk rejected disqualifiziert abgelehnt disqualifie rejete "
    "descalificado 부적격",
    "pending": "pending open processing draft new offen ausstehend entwurf en attente brouillon pendiente "
    "borrador 대기 초안 미납",
    "yes": "true yes y ja j oui si 1 t wahr vrai verdadero 예 네 참",
    "no": "false no n nein non 0 f falsch faux falso 아니오 아니요 거짓",
}  # fmt: skip


@cache
def _outcomes(meant: str) -> frozenset[str]:
    return frozenset(OUTCOMES[meant].split())


def is_outcome(value: str, meant: str) -> bool:
    """Tell whether a value says that something came to an end in one of the ways of `OUTCOMES`."""
    bare = plain(value).strip()
    words = [word for word in _SPLIT.split(bare) if word]
    known = _outcomes(meant)
    if bare in known or "".join(words) in known:
        return True
    no = {"not", "nicht", "non", "no", "un", "pas", "partially", "in", "미"}
    return meant not in ("yes", "no") and any(word in known for word in words) and not no & set(words)
