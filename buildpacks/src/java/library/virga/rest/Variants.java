package virga.rest;

import jakarta.ws.rs.core.MediaType;
import jakarta.ws.rs.core.Variant;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;

/** Every combination of media types, languages and encodings. */
final class Variants extends Variant.VariantListBuilder {
    private final List<Variant> made = new ArrayList<>();
    private final List<MediaType> types = new ArrayList<>();
    private final List<Locale> languages = new ArrayList<>();
    private final List<String> encodings = new ArrayList<>();

    @Override
    public List<Variant> build() {
        if (!types.isEmpty() || !languages.isEmpty() || !encodings.isEmpty()) {
            add();
        }
        return new ArrayList<>(made);
    }

    @Override
    public Variant.VariantListBuilder add() {
        if (types.isEmpty() && languages.isEmpty() && encodings.isEmpty()) {
            throw new IllegalStateException("no media type, language or encoding was named");
        }
        for (MediaType type : orNull(types)) {
            for (Locale language : orNull(languages)) {
                for (String encoding : orNull(encodings)) {
                    made.add(new Variant(type, language, encoding));
                }
            }
        }
        types.clear();
        languages.clear();
        encodings.clear();
        return this;
    }

    private static <T> List<T> orNull(List<T> list) {
        List<T> copy = new ArrayList<>(list);
        if (copy.isEmpty()) {
            copy.add(null);
        }
        return copy;
    }

    @Override
    public Variant.VariantListBuilder languages(Locale... given) {
        languages.addAll(Arrays.asList(given));
        return this;
    }

    @Override
    public Variant.VariantListBuilder encodings(String... given) {
        encodings.addAll(Arrays.asList(given));
        return this;
    }

    @Override
    public Variant.VariantListBuilder mediaTypes(MediaType... given) {
        types.addAll(Arrays.asList(given));
        return this;
    }
}
