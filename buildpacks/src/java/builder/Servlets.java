import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import javax.xml.parsers.DocumentBuilderFactory;
import org.objectweb.asm.AnnotationVisitor;
import org.objectweb.asm.ClassReader;
import org.objectweb.asm.ClassVisitor;
import org.objectweb.asm.Opcodes;
import org.w3c.dom.Element;
import org.w3c.dom.Node;

/**
 * The servlets, filters and listeners of an app, found in the annotations of its classes and in its web.xml, and the source that hands
 * them to the container.
 */
final class Servlets {
    private static final String PACKAGE = "Ljakarta/servlet/annotation/";

    /** One servlet, filter or listener. */
    private static final class Component {
        private final String kind;
        private String type;
        private int load = -1;
        private final LinkedHashSet<String> patterns = new LinkedHashSet<>();
        private final LinkedHashSet<String> servletNames = new LinkedHashSet<>();
        private final Map<String, String> parameters = new LinkedHashMap<>();

        Component(String kind) {
            this.kind = kind;
        }
    }

    /** By name; annotated ones are called after their class where they have none. */
    private final Map<String, Component> components = new TreeMap<>();
    private final Map<String, String> parameters = new LinkedHashMap<>();
    /** What servlets take of forms, by their classes: the most bytes of a part and of all. */
    private final Map<String, long[]> uploads = new TreeMap<>();
    private final List<String> welcome = new ArrayList<>();
    private int sessionMinutes = 30;

    boolean isEmpty() {
        return components.isEmpty();
    }

    /** Looks for annotations of one class. */
    void scan(byte[] bytes) {
        new ClassReader(bytes).accept(new ClassVisitor(Opcodes.ASM9) {
            private String type;

            @Override
            public void visit(int version, int access, String name, String signature, String parent, String[] interfaces) {
                type = name;
            }

            @Override
            public AnnotationVisitor visitAnnotation(String descriptor, boolean visible) {
                if (descriptor.equals(PACKAGE + "MultipartConfig;")) {
                    long[] limits = uploads.computeIfAbsent(type, key -> new long[] { -1, -1 });
                    return new AnnotationVisitor(Opcodes.ASM9) {
                        @Override
                        public void visit(String key, Object value) {
                            int place = List.of("maxFileSize", "maxRequestSize").indexOf(key);
                            if (place >= 0) {
                                limits[place] = (Long) value;
                            }
                        }
                    };
                }
                String kind = switch (descriptor.startsWith(PACKAGE) ? descriptor.substring(PACKAGE.length()) : "") {
                    case "WebServlet;" -> "servlet";
                    case "WebFilter;" -> "filter";
                    case "WebListener;" -> "listener";
                    default -> null;
                };
                if (kind == null) {
                    return null;
                }
                Component component = new Component(kind);
                component.type = type;
                return new Values(component, Classes.sourceName(type));
            }
        }, ClassReader.SKIP_CODE | ClassReader.SKIP_DEBUG | ClassReader.SKIP_FRAMES);
    }

    /** The values of one annotation. */
    private final class Values extends AnnotationVisitor {
        private final Component component;
        private String name;

        Values(Component component, String name) {
            super(Opcodes.ASM9);
            this.component = component;
            this.name = name;
        }

        @Override
        public void visit(String key, Object value) {
            switch (key) {
                case "name", "filterName" -> name = value.toString();
                case "loadOnStartup" -> component.load = (Integer) value;
                case "asyncSupported" -> {
                    if (Boolean.TRUE.equals(value)) {
                        System.err.println("note: " + component.type.replace('/', '.') + " asks for asyncSupported, which is not there here");
                    }
                }
                default -> { }
            }
        }

        @Override
        public AnnotationVisitor visitArray(String key) {
            return new AnnotationVisitor(Opcodes.ASM9) {
                @Override
                public void visit(String none, Object value) {
                    switch (key) {
                        case "value", "urlPatterns" -> component.patterns.add(value.toString());
                        case "servletNames" -> component.servletNames.add(value.toString());
                        default -> { }
                    }
                }

                @Override
                public AnnotationVisitor visitAnnotation(String none, String descriptor) {
                    String[] pair = new String[2];
                    return new AnnotationVisitor(Opcodes.ASM9) {
                        @Override
                        public void visit(String part, Object value) {
                            pair[part.equals("name") ? 0 : 1] = part.equals("name") || part.equals("value") ? value.toString() : pair[1];
                        }

                        @Override
                        public void visitEnd() {
                            component.parameters.put(pair[0], pair[1]);
                        }
                    };
                }
            };
        }

        @Override
        public void visitEnd() {
            components.put(component.kind + " " + name, component);
        }
    }

    /** Adds what a web.xml declares; where it names what an annotation does, the file has the last word. */
    void read(Path file) throws Exception {
        DocumentBuilderFactory factory = DocumentBuilderFactory.newInstance();
        factory.setFeature("http://apache.org/xml/features/disallow-doctype-decl", true);
        Element root;
        try {
            root = factory.newDocumentBuilder().parse(file.toFile()).getDocumentElement();
        } catch (IOException | org.xml.sax.SAXException wrong) {
            throw new IllegalArgumentException("web.xml cannot be read: " + wrong.getMessage());
        }
        for (Element one : children(root)) {
            switch (one.getTagName()) {
                case "context-param" -> parameters.put(text(one, "param-name"), text(one, "param-value"));
                case "servlet", "filter" -> {
                    Component component = named(one);
                    String type = text(one, one.getTagName() + "-class").replace('.', '/');
                    component.type = type.isEmpty() ? component.type : type;
                    String load = text(one, "load-on-startup");
                    component.load = number(load, -1);
                    for (Element parameter : children(one)) {
                        if (parameter.getTagName().equals("init-param")) {
                            component.parameters.put(text(parameter, "param-name"), text(parameter, "param-value"));
                        }
                    }
                }
                case "session-config" -> sessionMinutes = number(text(one, "session-timeout"), sessionMinutes);
                case "welcome-file-list" -> children(one).forEach(name -> welcome.add(name.getTextContent().trim()));
                case "security-constraint", "error-page" -> throw new IllegalArgumentException("web.xml has a <" + one.getTagName()
                    + ">, which is not there on this platform: use a filter");
                case "listener" -> {
                    Component component = new Component("listener");
                    component.type = text(one, "listener-class").replace('.', '/');
                    components.put("listener " + component.type, component);
                }
                case "servlet-mapping", "filter-mapping" -> {
                    Component component = named(one);
                    for (Element part : children(one)) {
                        if (part.getTagName().equals("url-pattern")) {
                            component.patterns.add(part.getTextContent().trim());
                        } else if (part.getTagName().equals("servlet-name") && component.kind.equals("filter")) {
                            component.servletNames.add(part.getTextContent().trim());
                        }
                    }
                }
                default -> { }
            }
        }
    }

    private static int number(String text, int absent) {
        try {
            return text.isEmpty() ? absent : Integer.parseInt(text);
        } catch (NumberFormatException wrong) {
            throw new IllegalArgumentException("web.xml has a number that is none: " + text);
        }
    }

    private Component named(Element one) {
        String kind = one.getTagName().startsWith("servlet") ? "servlet" : "filter";
        return components.computeIfAbsent(kind + " " + text(one, kind + "-name"), key -> new Component(kind));
    }

    private static List<Element> children(Element parent) {
        List<Element> found = new ArrayList<>();
        for (Node node = parent.getFirstChild(); node != null; node = node.getNextSibling()) {
            if (node instanceof Element one) {
                found.add(one);
            }
        }
        return found;
    }

    private static String text(Element parent, String name) {
        for (Element one : children(parent)) {
            if (one.getTagName().equals(name)) {
                return one.getTextContent().trim();
            }
        }
        return "";
    }

    /** Takes out what is declared for an application of resources under one of these names, and gives its patterns. */
    List<String> takeApplication(String... names) {
        List<String> patterns = new ArrayList<>();
        components.entrySet().removeIf(entry -> {
            Component one = entry.getValue();
            String type = one.type == null ? "" : one.type.replace('/', '.');
            boolean isIt = one.kind.equals("servlet")
                && List.of(names).stream().anyMatch(name -> type.equals(name) || type.isEmpty() && entry.getKey().equals("servlet " + name));
            if (isIt) {
                patterns.addAll(one.patterns);
            }
            return isIt;
        });
        return patterns;
    }

    /** The statements that hand everything to a `container`; the files of the app lie in this folder of its own, if in any. */
    String source(String files) {
        StringBuilder out = new StringBuilder();
        out.append("        container.sessionMinutes(").append(sessionMinutes).append(");\n");
        if (!files.equals("-")) {
            out.append("        container.files(").append(Classes.quoted(files)).append(", ").append(array(welcome)).append(");\n");
        }
        out.append("        container.parameters(").append(pairs(parameters)).append(");\n");
        components.forEach((key, one) -> {
            String name = key.substring(key.indexOf(' ') + 1);
            if (one.type == null) {
                throw new IllegalArgumentException("web.xml maps the " + one.kind + " " + name + ", which it does not declare");
            }
            if (!one.type.matches("[\\w$/]+")) {
                throw new IllegalArgumentException("web.xml names a class that cannot be one: " + one.type);
            }
            String made = "new " + Classes.sourceName(one.type) + "()";
            switch (one.kind) {
                case "listener" -> out.append("        container.listener(").append(made).append(");\n");
                case "servlet" -> out.append("        container.servlet(").append(Classes.quoted(name)).append(", ").append(made).append(", ")
                    .append(one.load).append(", ").append(array(one.patterns)).append(", new String[] { ").append(pairs(one.parameters))
                    .append(" });\n").append(multipart(name, uploads.get(one.type)));
                default -> out.append("        container.filter(").append(Classes.quoted(name)).append(", ").append(made).append(", ")
                    .append(array(one.patterns)).append(", ").append(array(one.servletNames)).append(", new String[] { ")
                    .append(pairs(one.parameters)).append(" });\n");
            }
        });
        return out.toString();
    }

    private static String multipart(String name, long[] limits) {
        return limits == null ? ""
            : "        container.multipart(" + Classes.quoted(name) + ", " + limits[0] + "L, " + limits[1] + "L);\n";
    }

    static String array(Iterable<String> texts) {
        List<String> quoted = new ArrayList<>();
        texts.forEach(text -> quoted.add(Classes.quoted(text)));
        return "new String[] { " + String.join(", ", quoted) + " }";
    }

    private static String pairs(Map<String, String> map) {
        List<String> all = new ArrayList<>();
        map.forEach((name, value) -> all.add(Classes.quoted(name) + ", " + Classes.quoted(value)));
        return String.join(", ", all);
    }
}
