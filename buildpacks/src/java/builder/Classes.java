import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.jar.JarEntry;
import java.util.jar.JarFile;
import java.util.stream.Stream;

/** The class files of an app: those of a folder, or of a jar, in the order of their names. */
final class Classes {
    private Classes() {
    }

    static List<byte[]> of(Path place) throws IOException {
        List<byte[]> all = new ArrayList<>();
        if (Files.isDirectory(place)) {
            try (Stream<Path> files = Files.walk(place)) {
                for (Path file : files.filter(path -> path.toString().endsWith(".class")).sorted().toList()) {
                    if (isOne(place.relativize(file).toString())) {
                        all.add(Files.readAllBytes(file));
                    }
                }
            }
            return all;
        }
        try (JarFile jar = new JarFile(place.toFile())) {
            List<JarEntry> entries = new ArrayList<>(Collections.list(jar.entries()));
            entries.removeIf(entry -> !entry.getName().endsWith(".class") || !isOne(entry.getName()));
            entries.sort((a, b) -> a.getName().compareTo(b.getName()));
            for (JarEntry entry : entries) {
                try (InputStream in = jar.getInputStream(entry)) {
                    all.add(in.readAllBytes());
                }
            }
        }
        return all;
    }

    private static boolean isOne(String name) {
        return !name.startsWith("META-INF") && !name.endsWith("module-info.class");
    }

    /** `shop/Cart$Item` as a source names it. */
    static String sourceName(String internal) {
        return internal.replace('/', '.').replace('$', '.');
    }

    /** A text as a source writes it. */
    static String quoted(String text) {
        StringBuilder out = new StringBuilder("\"");
        for (char letter : text.toCharArray()) {
            if (letter == '"' || letter == '\\') {
                out.append('\\').append(letter);
            } else if (letter < ' ') {
                // Other escapes are read before strings are, and would end this one.
                out.append(String.format("\\%03o", (int) letter));
            } else if (letter > '~') {
                out.append(String.format("\\u%04x", (int) letter));
            } else {
                out.append(letter);
            }
        }
        return out.append('"').toString();
    }
}
