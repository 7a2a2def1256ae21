import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeSet;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import javax.xml.parsers.DocumentBuilderFactory;
import org.w3c.dom.Document;
import org.w3c.dom.Element;
import org.w3c.dom.Node;

/**
 * Writes a pom with nothing but the dependencies of an app. usage: Dependencies BUILD_FILE OUT
 * BUILD_FILE is a pom.xml, a build.gradle, a build.gradle.kts or a build.sbt; of the latter three, dependencies that are written out.
 */
public final class Dependencies {
    private static final List<String> CONFIGURATIONS = List.of("implementation", "api", "compileOnly", "runtimeOnly", "compile");
    private static final Pattern NOTATION =
        Pattern.compile("^\\s*(\\w+)\\s*\\(?\\s*[\"']([\\w.-]+):([\\w.-]+):([\\w.+-]+)[\"']\\s*\\)?\\s*(//.*)?$");
    private static final Pattern SBT =
        Pattern.compile("\"([\\w.-]+)\"\\s*(%%?)\\s*\"([\\w.-]+)\"\\s*%\\s*\"([\\w.+-]+)\"(\\s*%\\s*([\\w\"]+))?");
    private static final Pattern PROPERTY = Pattern.compile("\\$\\{([^}]+)}");

    private Dependencies() {
    }

    public static void main(String[] words) throws Exception {
        Path file = Path.of(words[0]);
        String name = file.getFileName().toString();
        TreeSet<String> found = new TreeSet<>();
        String managed = "";
        try {
            switch (name) {
                case "pom.xml" -> managed = ofPom(file, found);
                case "build.sbt" -> ofSbt(Files.readString(file), found);
                default -> ofGradle(Files.readString(file), name, found);
            }
        } catch (IllegalArgumentException refused) {
            System.err.println(refused.getMessage());
            System.exit(2);
        }
        Files.writeString(Path.of(words[1]), "<project>\n<modelVersion>4.0.0</modelVersion>\n"
            + "<groupId>app</groupId>\n<artifactId>app</artifactId>\n<version>1</version>\n<packaging>pom</packaging>\n"
            + managed + "<dependencies>\n" + String.join("", found) + "</dependencies>\n</project>\n");
    }

    private static String dependency(String group, String artifact, String version) {
        String text = "<dependency><groupId>" + escaped(group) + "</groupId><artifactId>" + escaped(artifact) + "</artifactId>";
        return text + (version.isEmpty() ? "" : "<version>" + escaped(version) + "</version>") + "</dependency>\n";
    }

    private static String escaped(String text) {
        return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;");
    }

    private static void ofGradle(String text, String name, TreeSet<String> found) {
        boolean inside = false;
        for (String line : text.split("\n")) {
            String trimmed = line.trim();
            if (trimmed.startsWith("dependencies")) {
                inside = true;
            } else if (inside && trimmed.startsWith("}")) {
                inside = false;
            } else if (inside && !trimmed.isEmpty() && !trimmed.startsWith("//") && !trimmed.startsWith("test")) {
                Matcher matcher = NOTATION.matcher(line);
                if (matcher.matches() && CONFIGURATIONS.contains(matcher.group(1))) {
                    found.add(dependency(matcher.group(2), matcher.group(3), matcher.group(4)));
                } else if (!trimmed.startsWith("annotationProcessor") && !trimmed.contains("kotlin(\"stdlib\")")) {
                    throw new IllegalArgumentException(name + " has a dependency that is not read here: " + trimmed
                        + "\nwrite it out: implementation(\"group:artifact:version\"); or use a pom.xml");
                }
            }
        }
    }

    private static void ofSbt(String text, TreeSet<String> found) {
        StringBuilder code = new StringBuilder();
        for (String line : text.split("\n")) {
            code.append(line.replaceFirst("//.*", "")).append('\n');
        }
        Matcher matcher = SBT.matcher(code);
        while (matcher.find()) {
            boolean isTest = matcher.group(6) != null && matcher.group(6).toLowerCase().contains("test");
            if (!isTest) {
                found.add(dependency(matcher.group(1), matcher.group(3) + (matcher.group(2).equals("%%") ? "_3" : ""), matcher.group(4)));
            }
        }
    }

    private static String ofPom(Path file, TreeSet<String> found) throws Exception {
        DocumentBuilderFactory factory = DocumentBuilderFactory.newInstance();
        factory.setFeature("http://apache.org/xml/features/disallow-doctype-decl", true);
        Document document;
        try {
            document = factory.newDocumentBuilder().parse(file.toFile());
        } catch (IOException | org.xml.sax.SAXException wrong) {
            throw new IllegalArgumentException("pom.xml cannot be read: " + wrong.getMessage());
        }
        Element project = document.getDocumentElement();
        if (child(project, "modules") != null) {
            throw new IllegalArgumentException("pom.xml has modules; push the folder of the module that is the app");
        }
        Map<String, String> properties = new LinkedHashMap<>();
        Element named = child(project, "properties");
        for (Node node = named == null ? null : named.getFirstChild(); node != null; node = node.getNextSibling()) {
            if (node instanceof Element property) {
                properties.put(property.getTagName(), property.getTextContent().trim());
            }
        }
        properties.put("project.version", text(project, "version", Map.of()));
        Element parent = child(project, "parent");
        String managed = "";
        if (parent != null) {
            // Versions that the parent manages are taken from it, as from a list of versions.
            managed += management(dependency(text(parent, "groupId", properties), text(parent, "artifactId", properties),
                text(parent, "version", properties)).replace("</dependency>", "<type>pom</type><scope>import</scope></dependency>"));
        }
        Element management = child(project, "dependencyManagement");
        if (management != null) {
            TreeSet<String> list = new TreeSet<>();
            collect(child(management, "dependencies"), properties, list, true);
            managed = management(String.join("", list)
                + managed.replace("<dependencyManagement><dependencies>\n", "").replace("</dependencies></dependencyManagement>\n", ""));
        }
        collect(child(project, "dependencies"), properties, found, false);
        return managed;
    }

    private static String management(String list) {
        return "<dependencyManagement><dependencies>\n" + list + "</dependencies></dependencyManagement>\n";
    }

    private static void collect(Element list, Map<String, String> properties, TreeSet<String> found, boolean isManagement) {
        for (Node node = list == null ? null : list.getFirstChild(); node != null; node = node.getNextSibling()) {
            if (node instanceof Element one && one.getTagName().equals("dependency")) {
                String scope = text(one, "scope", properties);
                if (scope.equals("test") || scope.equals("system")) {
                    continue;
                }
                String group = text(one, "groupId", properties);
                String made = dependency(group, text(one, "artifactId", properties), text(one, "version", properties));
                if (isManagement && scope.equals("import")) {
                    made = made.replace("</dependency>", "<type>pom</type><scope>import</scope></dependency>");
                }
                found.add(made);
            }
        }
    }

    private static Element child(Element parent, String name) {
        for (Node node = parent.getFirstChild(); node != null; node = node.getNextSibling()) {
            if (node instanceof Element one && one.getTagName().equals(name)) {
                return one;
            }
        }
        return null;
    }

    private static String text(Element parent, String name, Map<String, String> properties) {
        Element one = child(parent, name);
        String text = one == null ? "" : one.getTextContent().trim();
        for (int round = 0; round < 4 && text.contains("${"); round++) {
            text = PROPERTY.matcher(text).replaceAll(match -> Matcher.quoteReplacement(properties.getOrDefault(match.group(1), "")));
        }
        return text;
    }
}
