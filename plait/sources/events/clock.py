"""When an event happened: by the sender's clock, corrected where nobody keeps that clock."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from plait.sources.events.envelope import Reading

SKEW, MOST_SKEW = timedelta(seconds=5), timedelta(days=400)


def moment_of(reading: Reading) -> datetime:
    """Give when it happened, in naive UTC: by the sender's clock, corrected where nobody keeps that clock."""
    at, event, flags = reading.at, reading.event, reading.flags
    told = event.get("originalTimestamp")
    told = event.get("timestamp") if told in (None, "") else told
    if told in (None, ""):
        return at
    said = _instant(told, flags)
    if said is None:
        flags.append("bad_time")
        return at
    corrected = said + _skew(reading)
    if corrected > at + SKEW:
        flags.append("future")
    return min(corrected, at)


def _skew(reading: Reading) -> timedelta:
    """Give by how much the sender's clock is wrong; nothing where that is not known or not to be mended."""
    mapping, envelope = reading.mapping, reading.envelope
    corrects = mapping.clock == "always" or (mapping.clock == "auto" and envelope.key == "web")
    sent = reading.event.get("sentAt") or envelope.sent_at
    sent_at = _instant(sent, []) if corrects and envelope.clock and sent else None
    if sent_at is None:
        return timedelta(0)
    skew = reading.at - sent_at
    return skew if SKEW < abs(skew) <= MOST_SKEW else timedelta(0)


def _instant(told: object, flags: list[str]) -> datetime | None:
    """Read an instant: ISO 8601, or seconds or milliseconds since 1970; without a zone it is UTC."""
    try:
        if isinstance(told, str) and not told.strip().isdigit():
            said = datetime.fromisoformat(told.strip())
            if said.tzinfo is None:
                flags.append("no_zone")
                return said
            return said.astimezone(UTC).replace(tzinfo=None)
        number = float(told)  # type: ignore[arg-type]
        flags.append("epoch_time")
        return datetime.fromtimestamp(number / 1000 if abs(number) > 1e11 else number, UTC).replace(tzinfo=None)  # noqa: PLR2004
    except (ValueError, TypeError, OverflowError, OSError):
        return None
