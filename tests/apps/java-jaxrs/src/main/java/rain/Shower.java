package rain;

import java.util.List;

public record Shower(long id, String place, double millimetres, List<String> clouds) {
}
