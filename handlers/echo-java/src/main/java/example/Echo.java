package example;

import com.amazonaws.services.lambda.runtime.Context;
import com.amazonaws.services.lambda.runtime.RequestHandler;
import java.util.Map;

/**
 * Answers with the event it was given, through AWS's client for Java. An event with a member
 * "fail_with" is answered by an error with that text; ECHO_FAILS_IN_INIT makes the start fail.
 */
public final class Echo implements RequestHandler<Map<String, Object>, Map<String, Object>> {
  public Echo() {
    if (System.getenv("ECHO_FAILS_IN_INIT") != null) {
      throw new IllegalStateException("asked to fail before the first event");
    }
  }

  @Override
  public Map<String, Object> handleRequest(Map<String, Object> event, Context context) {
    if (event.get("fail_with") instanceof String text) throw new IllegalArgumentException(text);
    return event;
  }
}
