package example;

import java.util.Optional;

/**
 * An Apache access-log line, in common or combined format. What Apache writes as "-" is null; only a
 * size of "-" means 0 bytes.
 */
final class AccessLogEntry {
  /** As many digits as every JSON reader keeps exactly, those of JavaScript included. */
  private static final int MAX_SIZE_DIGITS = 15;

  private static final String TIME_PATTERN = "00/***/0000:00:00:00 +0000";
  private static final String MONTHS = "JanFebMarAprMayJunJulAugSepOctNovDec";

  private String client;
  private String ident;
  private String user;
  private String time;
  private String method;
  private String path;
  private String protocol;
  private int status;
  private long bytes;
  private String referer;
  private String userAgent;

  private AccessLogEntry() {}

  /** The line, without its end, as an entry; empty when it is not an access-log line. */
  static Optional<AccessLogEntry> parse(String line) {
    if (line.chars().anyMatch(c -> c < 0x20 && c != '\t')) return Optional.empty();
    AccessLogEntry entry = new AccessLogEntry();
    LineReader reader = new LineReader(line);
    entry.client = reader.until(' ');
    entry.ident = unlessDash(reader.until(' '));
    entry.user = unlessDash(reader.until(' '));
    reader.expect('[');
    String when = reader.until(']');
    reader.expect(' ');
    String request = reader.quoted();
    reader.expect(' ');
    String status = reader.until(' ');
    String size = reader.word();
    if (!reader.failed() && !reader.atEnd()) {
      reader.expect(' ');
      entry.referer = unlessDash(reader.quoted());
      reader.expect(' ');
      entry.userAgent = unlessDash(reader.quoted());
    }
    boolean whole = !reader.failed() && reader.atEnd();
    boolean valid =
        whole
            && entry.readTime(when)
            && entry.readRequest(request)
            && entry.readStatusAndSize(status, size);
    return valid ? Optional.of(entry) : Optional.empty();
  }

  /** A request that only asks whether the server lives. */
  boolean isHealthCheck() {
    int query = path.indexOf('?');
    String resource = query < 0 ? path : path.substring(0, query);
    return resource.equals("/health")
        || resource.equals("/healthz")
        || (userAgent != null && userAgent.startsWith("ELB-HealthChecker"));
  }

  /** One compact line of JSON, the newline included. */
  String toJsonLine() {
    StringBuilder json = new StringBuilder(512);
    append(json.append("{\"client\":"), client);
    append(json.append(",\"ident\":"), ident);
    append(json.append(",\"user\":"), user);
    append(json.append(",\"time\":"), time);
    append(json.append(",\"method\":"), method);
    append(json.append(",\"path\":"), path);
    append(json.append(",\"protocol\":"), protocol);
    json.append(",\"status\":").append(status).append(",\"bytes\":").append(bytes);
    append(json.append(",\"referer\":"), referer);
    append(json.append(",\"user_agent\":"), userAgent);
    return json.append("}\n").toString();
  }

  /** Of the characters that JSON escapes, a line can hold a quote, a backslash and a tab. */
  private static void append(StringBuilder json, String text) {
    if (text == null) {
      json.append("null");
      return;
    }
    json.append('"');
    for (int i = 0; i < text.length(); ++i) {
      char c = text.charAt(i);
      if (c == '\t') {
        json.append("\\t");
      } else {
        if (c == '"' || c == '\\') json.append('\\');
        json.append(c);
      }
    }
    json.append('"');
  }

  private static String unlessDash(String text) {
    return text.equals("-") ? null : text;
  }

  /** 10/Oct/2000:13:55:36 -0700 as 2000-10-10T13:55:36-07:00; false when there is no such time. */
  private boolean readTime(String text) {
    if (text.length() != TIME_PATTERN.length()) return false;
    for (int i = 0; i < text.length(); ++i) {
      if (!matches(text.charAt(i), TIME_PATTERN.charAt(i))) return false;
    }
    int name = MONTHS.indexOf(text.substring(3, 6));
    if (name < 0 || name % 3 != 0) return false;
    int month = name / 3 + 1;
    int year = number(text, 7, 11);
    int day = number(text, 0, 2);
    if (year == 0 || day < 1 || day > daysIn(year, month)) return false;
    if (number(text, 12, 14) > 23 || number(text, 15, 17) > 59) return false;
    if (number(text, 18, 20) > 60) return false; // 60: a leap second
    if (number(text, 22, 24) > 14 || number(text, 24, 26) > 59) return false;
    String date = text.substring(7, 11) + (month < 10 ? "-0" : "-") + month;
    String offset = text.substring(21, 24) + ":" + text.substring(24, 26);
    time = date + "-" + text.substring(0, 2) + "T" + text.substring(12, 20) + offset;
    return true;
  }

  /** In a pattern, 0 stands for a digit, + for a sign, * for anything, the rest for itself. */
  private static boolean matches(char c, char pattern) {
    if (pattern == '0') return isDigit(c);
    if (pattern == '+') return c == '+' || c == '-';
    return pattern == '*' || c == pattern;
  }

  private static boolean isDigit(int c) {
    return c >= '0' && c <= '9';
  }

  private static int number(String text, int from, int to) {
    return Integer.parseInt(text, from, to, 10);
  }

  private static int daysIn(int year, int month) {
    boolean leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    int[] days = {31, leap ? 29 : 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    return days[month - 1];
  }

  private boolean readRequest(String request) {
    LineReader reader = new LineReader(request);
    method = reader.until(' ');
    path = reader.until(' ');
    protocol = reader.word();
    return !reader.failed()
        && reader.atEnd()
        && method.chars().allMatch(c -> c >= 'A' && c <= 'Z')
        && isProtocol(protocol);
  }

  /** HTTP/1.1 or HTTP/2. */
  private static boolean isProtocol(String text) {
    if (!text.startsWith("HTTP/") || text.length() < 6 || !isDigit(text.charAt(5))) return false;
    return text.length() == 6
        || (text.length() == 8 && text.charAt(6) == '.' && isDigit(text.charAt(7)));
  }

  private boolean readStatusAndSize(String code, String size) {
    if (code.length() != 3 || !isNumber(code) || code.charAt(0) < '1' || code.charAt(0) > '5') {
      return false;
    }
    status = number(code, 0, 3);
    if (size.equals("-")) return true;
    if (!isNumber(size) || size.length() > MAX_SIZE_DIGITS) return false;
    bytes = Long.parseLong(size);
    return true;
  }

  private static boolean isNumber(String text) {
    return !text.isEmpty() && text.chars().allMatch(AccessLogEntry::isDigit);
  }
}
