package example;

import com.amazonaws.services.lambda.runtime.ClientContext;
import com.amazonaws.services.lambda.runtime.Context;
import com.amazonaws.services.lambda.runtime.RequestHandler;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.Map;

/**
 * Tells what AWS's client for Java makes known of an invocation, and does what an event asks for:
 * {"do": "describe"}, {"do": "log", "text": ...}, {"do": "fail", "text": ...}, or {"do": "meet",
 * "number": ..., "of": ...}, which ends when invocations with the numbers from 0 to below "of" are
 * under way in its environment. Of any other event it answers the same. CONTEXT_FAILS_IN_INIT makes
 * the start fail.
 */
public final class ContextHandler
    implements RequestHandler<Map<String, Object>, Map<String, Object>> {

  /** What an event asked for. */
  public static final class WishError extends RuntimeException {
    private static final long serialVersionUID = 1;

    WishError(String message) {
      super(message);
    }
  }

  public ContextHandler() {
    if (System.getenv("CONTEXT_FAILS_IN_INIT") != null) {
      throw new IllegalStateException("asked to fail before the first event");
    }
  }

  @Override
  public Map<String, Object> handleRequest(Map<String, Object> event, Context context) {
    Object wish = event.get("do");
    if ("describe".equals(wish)) return describe(context);
    if ("log".equals(wish)) {
      System.out.println("printed: " + event.get("text"));
      context.getLogger().log("logged: " + event.get("text") + "\n");
    }
    if ("fail".equals(wish)) throw new WishError(String.valueOf(event.get("text")));
    if ("meet".equals(wish)) meet((Integer) event.get("number"), (Integer) event.get("of"));
    return event;
  }

  private static void meet(int number, int of) {
    try {
      Files.write(met(number), new byte[0]);
      for (int other = 0; other < of; ) {
        if (Files.exists(met(other))) {
          ++other;
        } else {
          Thread.sleep(5);
        }
      }
    } catch (IOException | InterruptedException error) {
      throw new IllegalStateException(error);
    }
  }

  private static Path met(int number) {
    return Path.of("/tmp/met-" + number);
  }

  private static Map<String, Object> describe(Context context) {
    ClientContext client = context.getClientContext();
    Map<String, Object> known = new LinkedHashMap<>();
    known.put("request_id", context.getAwsRequestId());
    known.put("function_name", context.getFunctionName());
    known.put("function_version", context.getFunctionVersion());
    known.put("invoked_function_arn", context.getInvokedFunctionArn());
    known.put("memory_limit_mb", context.getMemoryLimitInMB());
    known.put("log_group", context.getLogGroupName());
    known.put("log_stream", context.getLogStreamName());
    known.put("remaining_ms", context.getRemainingTimeInMillis());
    known.put("tenant_id", context.getTenantId());
    known.put("custom", client == null ? null : client.getCustom());
    known.put("trace_id", context.getXrayTraceId());
    return known;
  }
}
