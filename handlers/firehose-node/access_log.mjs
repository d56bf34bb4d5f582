// Apache access-log lines, in common and combined format, as JSON objects.

const MONTHS = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'];

// A quoted field holds anything but a bare quote; Apache writes quotes and backslashes escaped.
const QUOTED = '"((?:[^"\\\\]|\\\\.)*)"';
const LINE = new RegExp(
  `^([^ ]+) ([^ ]+) ([^ ]+) \\[([^\\]]+)\\] ${QUOTED} ([1-5][0-9]{2}) ([0-9]{1,15}|-)` +
    `(?: ${QUOTED} ${QUOTED})?$`,
  'su',
);
const TIME =
  /^([0-9]{2})\/([A-Z][a-z]{2})\/([0-9]{4}):([0-9]{2}):([0-9]{2}):([0-9]{2}) ([+-])([0-9]{2})([0-9]{2})$/;
const REQUEST = /^([A-Z]+) ([^ ]+) (HTTP\/[0-9](?:\.[0-9])?)$/;
const CONTROL = /[\x00-\x08\x0a-\x1f]/; // all but the tab

// The line as an object, or null when it is not an access-log line.
export function parse(line) {
  if (CONTROL.test(line)) return null;
  const match = LINE.exec(line);
  if (!match) return null;
  const [, client, ident, user, when, requestLine, status, size, referer, agent] = match;
  const time = isoTime(when);
  const request = REQUEST.exec(unescape(requestLine));
  if (!time || !request) return null;
  return {
    client,
    ident: absentIfDash(ident),
    user: absentIfDash(user),
    time,
    method: request[1],
    path: request[2],
    protocol: request[3],
    status: Number(status),
    bytes: size === '-' ? 0 : Number(size),
    referer: absentIfDash(unescape(referer)),
    user_agent: absentIfDash(unescape(agent)),
  };
}

export function isHealthCheck(entry) {
  const path = entry.path.split('?', 1)[0];
  return (
    path === '/health' ||
    path === '/healthz' ||
    (entry.user_agent ?? '').startsWith('ELB-HealthChecker')
  );
}

// One compact line of UTF-8, the newline included.
export const toJson = (entry) => JSON.stringify(entry) + '\n';

// 10/Oct/2000:13:55:36 -0700 as 2000-10-10T13:55:36-07:00; null when there is no such time.
function isoTime(text) {
  const match = TIME.exec(text);
  if (!match) return null;
  const [, day, name, year, hour, minute, second, sign, offsetHours, offsetMinutes] = match;
  const month = MONTHS.indexOf(name) + 1;
  if (month === 0 || Number(year) === 0) return null;
  if (Number(day) < 1 || Number(day) > daysIn(Number(year), month)) return null;
  if (Number(hour) > 23 || Number(minute) > 59 || Number(second) > 60) return null; // 60: leap
  if (Number(offsetHours) > 14 || Number(offsetMinutes) > 59) return null;
  const date = `${year}-${String(month).padStart(2, '0')}-${day}T${hour}:${minute}:${second}`;
  return `${date}${sign}${offsetHours}:${offsetMinutes}`;
}

function daysIn(year, month) {
  const leap = year % 4 === 0 && (year % 100 !== 0 || year % 400 === 0);
  return [31, leap ? 29 : 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31][month - 1];
}

const unescape = (text) => text && text.replace(/\\(["\\])/g, '$1');

const absentIfDash = (text) => (text === undefined || text === '-' ? null : text);
