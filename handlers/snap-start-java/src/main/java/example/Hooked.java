package example;

import com.amazonaws.services.lambda.runtime.Context;
import com.amazonaws.services.lambda.runtime.RequestHandler;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.crac.Core;
import org.crac.Resource;

/**
 * Answers with what it has been told of its snapshot, through the hooks of org.crac. With
 * HOOK_FAILS=afterRestore, or beforeCheckpoint, that hook throws.
 */
public final class Hooked implements RequestHandler<Object, Map<String, Object>>, Resource {
  private final List<String> hooks = new ArrayList<>();

  public Hooked() {
    Core.getGlobalContext().register(this);
  }

  @Override
  public void beforeCheckpoint(org.crac.Context<? extends Resource> context) {
    called("beforeCheckpoint");
  }

  @Override
  public void afterRestore(org.crac.Context<? extends Resource> context) {
    called("afterRestore");
  }

  @Override
  public Map<String, Object> handleRequest(Object event, Context context) {
    return Map.of("hooks", hooks, "version", context.getFunctionVersion());
  }

  private void called(String hook) {
    hooks.add(hook);
    if (hook.equals(System.getenv("HOOK_FAILS"))) {
      throw new IllegalStateException(hook + " was asked to fail");
    }
  }
}
