"""Apache access-log lines, in common and combined format, as JSON objects."""

import calendar
import json
import re

MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")

# A quoted field holds anything but a bare quote; Apache writes quotes and backslashes escaped.
QUOTED = r'"((?:[^"\\]|\\.)*)"'
LINE = re.compile(
    r"([^ ]+) ([^ ]+) ([^ ]+) \[([^\]]+)\] "
    + QUOTED
    + r" ([1-5][0-9]{2}) ([0-9]{1,15}|-)(?: "
    + QUOTED
    + " "
    + QUOTED
    + ")?"
)
TIME = re.compile(
    r"([0-9]{2})/([A-Z][a-z]{2})/([0-9]{4}):([0-9]{2}):([0-9]{2}):([0-9]{2}) "
    r"([+-])([0-9]{2})([0-9]{2})"
)
REQUEST = re.compile(r"([A-Z]+) ([^ ]+) (HTTP/[0-9](?:\.[0-9])?)")
CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f]")  # all but the tab


def parse(line):
    """Returns the line as a dict, or None when it is not an access-log line."""
    if CONTROL.search(line):
        return None
    match = LINE.fullmatch(line)
    if not match:
        return None
    client, ident, user, time, request, status, size, referer, agent = match.groups()
    time = iso_time(time)
    request = REQUEST.fullmatch(unescape(request))
    if not time or not request:
        return None
    return {
        "client": client,
        "ident": absent_if_dash(ident),
        "user": absent_if_dash(user),
        "time": time,
        "method": request[1],
        "path": request[2],
        "protocol": request[3],
        "status": int(status),
        "bytes": 0 if size == "-" else int(size),
        "referer": absent_if_dash(unescape(referer)),
        "user_agent": absent_if_dash(unescape(agent)),
    }


def iso_time(text):
    """10/Oct/2000:13:55:36 -0700 as 2000-10-10T13:55:36-07:00; None when there is no such time."""
    match = TIME.fullmatch(text)
    if not match or match[2] not in MONTHS:
        return None
    day, name, year, hour, minute, second, sign, offset_hours, offset_minutes = match.groups()
    month = MONTHS.index(name) + 1
    if int(year) == 0 or not 1 <= int(day) <= calendar.monthrange(int(year), month)[1]:
        return None
    if int(hour) > 23 or int(minute) > 59 or int(second) > 60:  # 60: a leap second
        return None
    if int(offset_hours) > 14 or int(offset_minutes) > 59:
        return None
    date = f"{year}-{month:02}-{day}T{hour}:{minute}:{second}"
    return f"{date}{sign}{offset_hours}:{offset_minutes}"


def is_health_check(entry):
    path = entry["path"].split("?", 1)[0]
    agent = entry["user_agent"] or ""
    return path in ("/health", "/healthz") or agent.startswith("ELB-HealthChecker")


def to_json(entry):
    """One compact line of UTF-8, the newline included."""
    return json.dumps(entry, ensure_ascii=False, separators=(",", ":")) + "\n"


def unescape(text):
    return text and re.sub(r'\\(["\\])', r"\1", text)


def absent_if_dash(text):
    return None if text == "-" else text
