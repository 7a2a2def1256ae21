package gauge;

import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;

public class Station {
    public enum Kind { RIVER, LAKE }

    public static class Place {
        public double latitude = 48.5;
        public int[] squares = { 1, 2 };
        transient int looked;
    }

    private String name;
    private int depth;
    private Kind kind;
    private Map<String, List<Integer>> readings = new TreeMap<>();
    private Optional<String> note = Optional.empty();
    private Station[] below = { };
    private boolean open = true;

    public String getName() {
        return name;
    }

    public void setName(String name) {
        this.name = name;
    }

    public int getDepth() {
        return depth;
    }

    public void setDepth(int depth) {
        this.depth = depth;
    }

    public Kind getKind() {
        return kind;
    }

    public void setKind(Kind kind) {
        this.kind = kind;
    }

    public Map<String, List<Integer>> getReadings() {
        return readings;
    }

    public void setReadings(Map<String, List<Integer>> readings) {
        this.readings = readings;
    }

    public Optional<String> getNote() {
        return note;
    }

    public void setNote(Optional<String> note) {
        this.note = note;
    }

    public Station[] getBelow() {
        return below;
    }

    public void setBelow(Station[] below) {
        this.below = below;
    }

    public boolean isOpen() {
        return open;
    }

    public void setOpen(boolean open) {
        this.open = open;
    }

    public Place getPlace() {
        return new Place();
    }
}
