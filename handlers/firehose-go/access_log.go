package main

import (
	"strconv"
	"strings"
)

// An Apache access-log line, in common or combined format. What Apache writes as "-" is nil; only a
// size of "-" means 0 bytes.
type entry struct {
	client, time, method, path, protocol string
	ident, user, referer, agent          *string
	status                               int
	bytes                                int64
}

// As many digits as every JSON reader keeps exactly, those of JavaScript included.
const maxSizeDigits = 15

// Reads a line from left to right; after the first mismatch everything it returns is empty.
type reader struct {
	rest   string
	failed bool
}

func (r *reader) expect(text string) {
	if !strings.HasPrefix(r.rest, text) {
		r.failed = true
	}
	if !r.failed {
		r.rest = r.rest[len(text):]
	}
}

// What comes before end, which must come and is passed over, and is not empty.
func (r *reader) until(end byte) string {
	at := strings.IndexByte(r.rest, end)
	if r.failed || at <= 0 {
		r.failed = true
		return ""
	}
	taken := r.rest[:at]
	r.rest = r.rest[at+1:]
	return taken
}

// "…" with quotes and backslashes escaped inside; returned as written.
func (r *reader) quoted() string {
	r.expect(`"`)
	for at := 0; at < len(r.rest) && !r.failed; at++ {
		if r.rest[at] == '\\' {
			at++
		} else if r.rest[at] == '"' {
			taken := r.rest[:at]
			r.rest = r.rest[at+1:]
			return taken
		}
	}
	r.failed = true
	return ""
}

// Up to the next blank or the end, which stays.
func (r *reader) word() string {
	at := strings.IndexByte(r.rest, ' ')
	if at < 0 {
		at = len(r.rest)
	}
	taken := r.rest[:at]
	r.rest = r.rest[at:]
	return taken
}

// The line, without its end, as an entry; false when it is not an access-log line.
func parse(line string) (entry, bool) {
	if strings.IndexFunc(line, isControl) >= 0 {
		return entry{}, false
	}
	var e entry
	r := reader{rest: line}
	e.client = r.until(' ')
	e.ident = unlessDash(r.until(' '))
	e.user = unlessDash(r.until(' '))
	r.expect("[")
	when := r.until(']')
	r.expect(" ")
	request := unescape(r.quoted())
	r.expect(" ")
	status := r.until(' ')
	size := r.word()
	if !r.failed && r.rest != "" {
		r.expect(" ")
		e.referer = unlessDash(unescape(r.quoted()))
		r.expect(" ")
		e.agent = unlessDash(unescape(r.quoted()))
	}
	if r.failed || r.rest != "" {
		return entry{}, false
	}
	ok := e.readTime(when) && e.readRequest(request) && e.readStatusAndSize(status, size)
	return e, ok
}

func isControl(c rune) bool { return c < 0x20 && c != '\t' }

func unescape(text string) string {
	if strings.IndexByte(text, '\\') < 0 {
		return text
	}
	var plain strings.Builder
	for at := 0; at < len(text); at++ {
		if text[at] == '\\' && at+1 < len(text) && (text[at+1] == '"' || text[at+1] == '\\') {
			at++
		}
		plain.WriteByte(text[at])
	}
	return plain.String()
}

func unlessDash(text string) *string {
	if text == "-" {
		return nil
	}
	return &text
}

// 10/Oct/2000:13:55:36 -0700 as 2000-10-10T13:55:36-07:00; false when there is no such time.
func (e *entry) readTime(text string) bool {
	const pattern = "00/***/0000:00:00:00 +0000"
	if len(text) != len(pattern) {
		return false
	}
	for at := 0; at < len(text); at++ {
		if !matches(text[at], pattern[at]) {
			return false
		}
	}
	name := strings.Index("JanFebMarAprMayJunJulAugSepOctNovDec", text[3:6])
	if name < 0 || name%3 != 0 {
		return false
	}
	month := name/3 + 1
	year, day := number(text[7:11]), number(text[0:2])
	if year == 0 || day < 1 || day > daysIn(year, month) {
		return false
	}
	if number(text[12:14]) > 23 || number(text[15:17]) > 59 || number(text[18:20]) > 60 { // 60: a leap second
		return false
	}
	if number(text[22:24]) > 14 || number(text[24:26]) > 59 {
		return false
	}
	e.time = text[7:11] + "-" + strconv.Itoa(100 + month)[1:] + "-" + text[0:2] + "T" + text[12:20] +
		text[21:24] + ":" + text[24:26]
	return true
}

// In a pattern, 0 stands for a digit, + for a sign, * for anything, the rest for itself.
func matches(c, pattern byte) bool {
	switch pattern {
	case '0':
		return isDigit(c)
	case '+':
		return c == '+' || c == '-'
	}
	return pattern == '*' || c == pattern
}

func isDigit(c byte) bool { return c >= '0' && c <= '9' }

func number(digits string) int {
	value, _ := strconv.Atoi(digits)
	return value
}

func daysIn(year, month int) int {
	leap := year%4 == 0 && (year%100 != 0 || year%400 == 0)
	if month == 2 && leap {
		return 29
	}
	return [...]int{31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31}[month-1]
}

func (e *entry) readRequest(request string) bool {
	r := reader{rest: request}
	e.method = r.until(' ')
	e.path = r.until(' ')
	e.protocol = r.word()
	return !r.failed && r.rest == "" && isMethod(e.method) && isProtocol(e.protocol)
}

func isMethod(text string) bool {
	return strings.IndexFunc(text, func(c rune) bool { return c < 'A' || c > 'Z' }) < 0
}

// HTTP/1.1 or HTTP/2
func isProtocol(text string) bool {
	if !strings.HasPrefix(text, "HTTP/") {
		return false
	}
	version := text[5:]
	return len(version) == 1 && isDigit(version[0]) ||
		len(version) == 3 && isDigit(version[0]) && version[1] == '.' && isDigit(version[2])
}

func (e *entry) readStatusAndSize(status, size string) bool {
	if len(status) != 3 || !isNumber(status) || status[0] < '1' || status[0] > '5' {
		return false
	}
	e.status = number(status)
	if size == "-" {
		return true
	}
	if !isNumber(size) || len(size) > maxSizeDigits {
		return false
	}
	e.bytes, _ = strconv.ParseInt(size, 10, 64)
	return true
}

func isNumber(text string) bool {
	return text != "" && strings.IndexFunc(text, func(c rune) bool { return c < '0' || c > '9' }) < 0
}

func (e *entry) isHealthCheck() bool {
	path := e.path
	if at := strings.IndexByte(path, '?'); at >= 0 {
		path = path[:at]
	}
	return path == "/health" || path == "/healthz" ||
		e.agent != nil && strings.HasPrefix(*e.agent, "ELB-HealthChecker")
}

// One compact line of JSON, the newline included. Written by hand: the standard library's encoder
// escapes line separators, which the other languages leave as they are.
func (e *entry) jsonLine() []byte {
	out := make([]byte, 0, 512)
	out = append(out, `{"client":`...)
	out = appendText(out, &e.client)
	out = append(out, `,"ident":`...)
	out = appendText(out, e.ident)
	out = append(out, `,"user":`...)
	out = appendText(out, e.user)
	out = append(out, `,"time":`...)
	out = appendText(out, &e.time)
	out = append(out, `,"method":`...)
	out = appendText(out, &e.method)
	out = append(out, `,"path":`...)
	out = appendText(out, &e.path)
	out = append(out, `,"protocol":`...)
	out = appendText(out, &e.protocol)
	out = append(out, `,"status":`...)
	out = strconv.AppendInt(out, int64(e.status), 10)
	out = append(out, `,"bytes":`...)
	out = strconv.AppendInt(out, e.bytes, 10)
	out = append(out, `,"referer":`...)
	out = appendText(out, e.referer)
	out = append(out, `,"user_agent":`...)
	out = appendText(out, e.agent)
	return append(out, "}\n"...)
}

// Of the characters that JSON escapes, a line can hold a quote, a backslash and a tab.
func appendText(out []byte, text *string) []byte {
	if text == nil {
		return append(out, "null"...)
	}
	out = append(out, '"')
	for at := 0; at < len(*text); at++ {
		switch c := (*text)[at]; c {
		case '"', '\\':
			out = append(out, '\\', c)
		case '\t':
			out = append(out, `\t`...)
		default:
			out = append(out, c)
		}
	}
	return append(out, '"')
}
