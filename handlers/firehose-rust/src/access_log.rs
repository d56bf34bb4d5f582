//! Apache access-log lines, in common and combined format, as JSON objects.
use serde::Serialize;
use std::borrow::Cow;

/// As many digits as every JSON reader keeps exactly, those of JavaScript included.
const MAX_SIZE_DIGITS: usize = 15;

type Text<'a> = Cow<'a, str>;

/// What Apache writes as "-" is None; only a size of "-" means 0 bytes.
#[derive(Serialize)]
pub struct Entry<'a> {
    client: &'a str,
    ident: Option<Text<'a>>,
    user: Option<Text<'a>>,
    time: String,
    method: String,
    path: String,
    protocol: String,
    status: u16,
    bytes: u64,
    referer: Option<Text<'a>>,
    user_agent: Option<Text<'a>>,
}

impl Entry<'_> {
    /// A request that only asks whether the server lives.
    pub fn is_health_check(&self) -> bool {
        let path = self.path.split('?').next().unwrap_or_default();
        let agent = self.user_agent.as_deref().unwrap_or_default();
        path == "/health" || path == "/healthz" || agent.starts_with("ELB-HealthChecker")
    }
}

/// Reads a line from left to right; None at the first mismatch.
struct Reader<'a> {
    rest: &'a str,
}

impl<'a> Reader<'a> {
    fn expect(&mut self, text: &str) -> Option<()> {
        self.rest = self.rest.strip_prefix(text)?;
        Some(())
    }

    /// What comes before `end`, which must come and is passed over, and is not empty.
    fn until(&mut self, end: char) -> Option<&'a str> {
        let (taken, rest) = self.rest.split_once(end)?;
        self.rest = rest;
        (!taken.is_empty()).then_some(taken)
    }

    /// "…" with quotes and backslashes escaped inside; without the escapes.
    fn quoted(&mut self) -> Option<Text<'a>> {
        self.expect("\"")?;
        let mut escaped = false;
        let end = self.rest.bytes().position(|byte| {
            let ends = byte == b'"' && !escaped;
            escaped = byte == b'\\' && !escaped;
            ends
        })?;
        let taken = &self.rest[..end];
        self.rest = &self.rest[end + 1..];
        Some(unescape(taken))
    }

    /// Up to the next blank or the end, which stays.
    fn word(&mut self) -> &'a str {
        let end = self.rest.find(' ').unwrap_or(self.rest.len());
        let (taken, rest) = self.rest.split_at(end);
        self.rest = rest;
        taken
    }
}

/// The line, without its end, as an entry; None when it is not an access-log line.
pub fn parse(line: &str) -> Option<Entry<'_>> {
    if line.bytes().any(|byte| byte < 0x20 && byte != b'\t') {
        return None;
    }
    let mut reader = Reader { rest: line };
    let client = reader.until(' ')?;
    let ident = unless_dash(reader.until(' ')?.into());
    let user = unless_dash(reader.until(' ')?.into());
    reader.expect("[")?;
    let time = iso_time(reader.until(']')?)?;
    reader.expect(" ")?;
    let request = reader.quoted()?;
    reader.expect(" ")?;
    let status = status(reader.until(' ')?)?;
    let bytes = size(reader.word())?;
    let (mut referer, mut user_agent) = (None, None);
    if !reader.rest.is_empty() {
        reader.expect(" ")?;
        referer = unless_dash(reader.quoted()?);
        reader.expect(" ")?;
        user_agent = unless_dash(reader.quoted()?);
    }
    if !reader.rest.is_empty() {
        return None;
    }
    let [method, path, protocol] = request_parts(&request)?.map(str::to_owned);
    Some(Entry {
        client,
        ident,
        user,
        time,
        method,
        path,
        protocol,
        status,
        bytes,
        referer,
        user_agent,
    })
}

fn unescape(text: &str) -> Text<'_> {
    if !text.contains('\\') {
        return text.into();
    }
    let mut plain = String::with_capacity(text.len());
    let mut rest = text.chars().peekable();
    while let Some(c) = rest.next() {
        match rest.peek() {
            Some(&next) if c == '\\' && (next == '"' || next == '\\') => {
                plain.push(next);
                rest.next();
            }
            _ => plain.push(c),
        }
    }
    plain.into()
}

fn unless_dash(text: Text<'_>) -> Option<Text<'_>> {
    (text != "-").then_some(text)
}

/// 10/Oct/2000:13:55:36 -0700 as 2000-10-10T13:55:36-07:00; None when there is no such time.
fn iso_time(text: &str) -> Option<String> {
    const PATTERN: &[u8] = b"00/***/0000:00:00:00 +0000";
    const MONTHS: &str = "JanFebMarAprMayJunJulAugSepOctNovDec";
    let fits = text.len() == PATTERN.len()
        && text.is_ascii()
        && text
            .bytes()
            .zip(PATTERN)
            .all(|(byte, &pattern)| matches(byte, pattern));
    if !fits {
        return None;
    }
    let number = |from: usize, to: usize| text[from..to].parse::<u32>().ok();
    let name = MONTHS.find(&text[3..6]).filter(|at| at % 3 == 0)?;
    let month = name as u32 / 3 + 1;
    let (year, day) = (number(7, 11)?, number(0, 2)?);
    let exists = year > 0
        && (1..=days_in(year, month)).contains(&day)
        && number(12, 14)? <= 23
        && number(15, 17)? <= 59
        && number(18, 20)? <= 60 // a leap second
        && number(22, 24)? <= 14
        && number(24, 26)? <= 59;
    exists.then(|| {
        let (clock, offset) = (&text[12..20], &text[21..24]);
        format!(
            "{}-{month:02}-{}T{clock}{offset}:{}",
            &text[7..11],
            &text[0..2],
            &text[24..26]
        )
    })
}

/// In a pattern, 0 stands for a digit, + for a sign, * for anything, the rest for itself.
fn matches(byte: u8, pattern: u8) -> bool {
    match pattern {
        b'0' => byte.is_ascii_digit(),
        b'+' => byte == b'+' || byte == b'-',
        b'*' => true,
        _ => byte == pattern,
    }
}

fn days_in(year: u32, month: u32) -> u32 {
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    match month {
        2 if leap => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

fn request_parts(request: &str) -> Option<[&str; 3]> {
    let mut reader = Reader { rest: request };
    let parts = [reader.until(' ')?, reader.until(' ')?, reader.word()];
    let is_method = parts[0].bytes().all(|byte| byte.is_ascii_uppercase());
    (reader.rest.is_empty() && is_method && is_protocol(parts[2])).then_some(parts)
}

/// HTTP/1.1 or HTTP/2
fn is_protocol(text: &str) -> bool {
    match text.strip_prefix("HTTP/").map(str::as_bytes) {
        Some([major]) => major.is_ascii_digit(),
        Some([major, b'.', minor]) => major.is_ascii_digit() && minor.is_ascii_digit(),
        _ => false,
    }
}

fn status(text: &str) -> Option<u16> {
    let valid = text.len() == 3
        && text.bytes().all(|byte| byte.is_ascii_digit())
        && (b'1'..=b'5').contains(&text.as_bytes()[0]);
    if valid {
        text.parse().ok()
    } else {
        None
    }
}

fn size(text: &str) -> Option<u64> {
    if text == "-" {
        return Some(0);
    }
    let valid = text.len() <= MAX_SIZE_DIGITS && text.bytes().all(|byte| byte.is_ascii_digit());
    if valid {
        text.parse().ok()
    } else {
        None
    }
}
