package example;

import com.amazonaws.services.lambda.runtime.Context;
import com.amazonaws.services.lambda.runtime.RequestHandler;
import java.nio.ByteBuffer;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Base64;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/** Firehose data transformation: Apache access-log lines in, JSON lines out. */
public final class Transformation
    implements RequestHandler<Transformation.Event, Map<String, List<Map<String, String>>>> {

  /**
   * Not AWS's own class for the event: with that the client decodes the data, and then one record
   * that is no base64 would fail all of them.
   */
  public static final class Event {
    private List<Item> records;

    public List<Item> getRecords() {
      return records;
    }

    public void setRecords(List<Item> records) {
      this.records = records;
    }
  }

  /** A record; what else it holds is not read. */
  public static final class Item {
    private String recordId;
    private String data;

    public String getRecordId() {
      return recordId;
    }

    public void setRecordId(String recordId) {
      this.recordId = recordId;
    }

    public String getData() {
      return data;
    }

    public void setData(String data) {
      this.data = data;
    }
  }

  @Override
  public Map<String, List<Map<String, String>>> handleRequest(Event event, Context context) {
    List<Map<String, String>> answers = new ArrayList<>(event.getRecords().size());
    for (Item record : event.getRecords()) answers.add(transform(record));
    return Map.of("records", answers);
  }

  /** Firehose wants every record back, under its own id and in its place. */
  private static Map<String, String> transform(Item record) {
    Optional<AccessLogEntry> entry = decode(record.getData()).flatMap(AccessLogEntry::parse);
    if (entry.isEmpty()) return answer(record, "ProcessingFailed", record.getData());
    if (entry.get().isHealthCheck()) return answer(record, "Dropped", record.getData());
    byte[] line = entry.get().toJsonLine().getBytes(StandardCharsets.UTF_8);
    return answer(record, "Ok", Base64.getEncoder().encodeToString(line));
  }

  /** The line without its end; empty when the data is no base64 or the bytes are no UTF-8. */
  private static Optional<String> decode(String data) {
    if (data.length() % 4 != 0) return Optional.empty(); // which the decoder would take
    try {
      ByteBuffer bytes = ByteBuffer.wrap(Base64.getDecoder().decode(data));
      String line = StandardCharsets.UTF_8.newDecoder().decode(bytes).toString();
      if (!line.endsWith("\n")) return Optional.of(line);
      int end = line.endsWith("\r\n") ? 2 : 1;
      return Optional.of(line.substring(0, line.length() - end));
    } catch (IllegalArgumentException | CharacterCodingException invalid) {
      return Optional.empty();
    }
  }

  private static Map<String, String> answer(Item record, String result, String data) {
    Map<String, String> answer = new LinkedHashMap<>();
    answer.put("recordId", record.getRecordId());
    answer.put("result", result);
    answer.put("data", data);
    return answer;
  }
}
