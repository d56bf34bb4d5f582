package example;

/** Reads a text from left to right; after the first mismatch everything it returns is empty. */
final class LineReader {
  private final String text;
  private int at = 0;
  private boolean failed = false;

  LineReader(String text) {
    this.text = text;
  }

  boolean failed() {
    return failed;
  }

  boolean atEnd() {
    return at == text.length();
  }

  void expect(char c) {
    if (failed || atEnd() || text.charAt(at) != c) {
      failed = true;
    } else {
      ++at;
    }
  }

  /** What comes before {@code end}, which must come and is passed over, and is not empty. */
  String until(char end) {
    int found = text.indexOf(end, at);
    return failed || found <= at ? fail() : take(found, 1);
  }

  /** "…" with quotes and backslashes escaped inside; without the escapes. */
  String quoted() {
    expect('"');
    for (int next = at; next < text.length() && !failed; ++next) {
      if (text.charAt(next) == '\\') {
        ++next;
      } else if (text.charAt(next) == '"') {
        return unescape(take(next, 1));
      }
    }
    return fail();
  }

  /** Up to the next blank or the end, which stays. */
  String word() {
    int blank = text.indexOf(' ', at);
    return failed ? "" : take(blank < 0 ? text.length() : blank, 0);
  }

  private String fail() {
    failed = true;
    return "";
  }

  private String take(int end, int passedOver) {
    String taken = text.substring(at, end);
    at = end + passedOver;
    return taken;
  }

  private static String unescape(String text) {
    if (text.indexOf('\\') < 0) return text;
    StringBuilder plain = new StringBuilder(text.length());
    for (int i = 0; i < text.length(); ++i) {
      char next = i + 1 < text.length() ? text.charAt(i + 1) : ' ';
      if (text.charAt(i) == '\\' && (next == '"' || next == '\\')) ++i;
      plain.append(text.charAt(i));
    }
    return plain.toString();
  }
}
