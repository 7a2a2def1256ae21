import java.io.IOException;
import java.io.InputStream;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import org.objectweb.asm.ClassReader;
import org.objectweb.asm.Opcodes;
import org.objectweb.asm.tree.AnnotationNode;
import org.objectweb.asm.tree.ClassNode;
import org.objectweb.asm.tree.MethodNode;

/** The classes of an app, of its libraries and of the JDK, by their internal names. */
final class Types {
    /** A class that another one is made from, with what stands for its variables there. */
    record Ancestor(ClassNode node, Map<String, Declared> variables) {
    }

    private final Map<String, ClassNode> own = new TreeMap<>();
    private final Map<String, byte[]> bytes = new HashMap<>();
    private final Map<String, ClassNode> known = new HashMap<>();
    private final ClassLoader others;

    Types(List<byte[]> classes, ClassLoader others) {
        this.others = others;
        for (byte[] one : classes) {
            ClassNode node = read(one, 0);
            own.put(node.name, node);
            bytes.put(node.name, one);
        }
    }

    private static ClassNode read(byte[] bytes, int options) {
        ClassNode node = new ClassNode();
        new ClassReader(bytes).accept(node, options | ClassReader.SKIP_DEBUG | ClassReader.SKIP_FRAMES);
        return node;
    }

    Iterable<ClassNode> own() {
        return own.values();
    }

    boolean isOwn(String name) {
        return own.containsKey(name);
    }

    byte[] bytes(String name) {
        return bytes.get(name);
    }

    /** A class, or null where there is none of this name. */
    ClassNode find(String name) {
        ClassNode found = own.get(name);
        if (found != null || name.equals("[]")) {
            return found;
        }
        return known.computeIfAbsent(name, key -> {
            try (InputStream in = others.getResourceAsStream(key + ".class")) {
                return in == null ? null : read(in.readAllBytes(), ClassReader.SKIP_CODE);
            } catch (IOException unreadable) {
                return null;
            }
        });
    }

    /** A class, its parents upwards, and all their interfaces after them. */
    List<Ancestor> lineage(ClassNode node) {
        List<Ancestor> all = new ArrayList<>();
        Set<String> seen = new LinkedHashSet<>();
        Ancestor next = new Ancestor(node, Map.of());
        while (next != null && seen.add(next.node.name)) {
            all.add(next);
            Ancestor here = next;
            next = null;
            for (Declared parent : parents(here)) {
                ClassNode found = find(parent.name());
                if (found != null && !is(found, Opcodes.ACC_INTERFACE)) {
                    next = new Ancestor(found, variables(found, parent));
                }
            }
        }
        for (int i = 0; i < all.size(); i++) {
            for (Declared parent : parents(all.get(i))) {
                ClassNode found = find(parent.name());
                if (found != null && is(found, Opcodes.ACC_INTERFACE) && seen.add(found.name)) {
                    all.add(new Ancestor(found, variables(found, parent)));
                }
            }
        }
        return all;
    }

    private static List<Declared> parents(Ancestor of) {
        List<Declared> all = new ArrayList<>();
        Declared.ofClass(of.node.superName, of.node.interfaces, of.node.signature).parents().forEach(one -> all.add(one.with(of.variables)));
        return all;
    }

    private static Map<String, Declared> variables(ClassNode node, Declared used) {
        Map<String, Declared> all = new LinkedHashMap<>();
        List<String> names = Declared.ofClass(node.superName, node.interfaces, node.signature).variables();
        for (int i = 0; i < names.size(); i++) {
            all.put(":" + names.get(i), used.argument(i));
        }
        return all;
    }

    boolean isA(String name, String ancestor) {
        ClassNode node = find(name);
        if (node == null) {
            return name.equals(ancestor);
        }
        return lineage(node).stream().anyMatch(one -> one.node.name.equals(ancestor));
    }

    /** What stands for the one variable of an interface or parent in this class; null where it is not one. */
    Declared argument(ClassNode node, String ancestor) {
        for (Ancestor one : lineage(node)) {
            if (one.node.name.equals(ancestor)) {
                return one.variables.values().stream().findFirst().orElse(Declared.OBJECT);
            }
        }
        return null;
    }

    static boolean is(ClassNode node, int access) {
        return (node.access & access) != 0;
    }

    static boolean is(MethodNode node, int access) {
        return (node.access & access) != 0;
    }

    /** Whether the class can be made: no interface, and not abstract. */
    static boolean isWhole(ClassNode node) {
        return !is(node, Opcodes.ACC_INTERFACE | Opcodes.ACC_ABSTRACT | Opcodes.ACC_ANNOTATION | Opcodes.ACC_SYNTHETIC);
    }

    @SafeVarargs
    static List<AnnotationNode> annotations(List<AnnotationNode>... parts) {
        List<AnnotationNode> all = new ArrayList<>();
        for (List<AnnotationNode> part : parts) {
            all.addAll(part == null ? List.of() : part);
        }
        return all;
    }

    static List<AnnotationNode> annotations(ClassNode node) {
        return annotations(node.visibleAnnotations, node.invisibleAnnotations);
    }

    static List<AnnotationNode> annotations(MethodNode node) {
        return annotations(node.visibleAnnotations, node.invisibleAnnotations);
    }

    static AnnotationNode annotation(List<AnnotationNode> all, String descriptor) {
        return all.stream().filter(one -> one.desc.equals(descriptor)).findFirst().orElse(null);
    }

    /** A value of an annotation, or null. */
    static Object value(AnnotationNode annotation, String key) {
        for (int i = 0; annotation != null && annotation.values != null && i < annotation.values.size(); i += 2) {
            if (annotation.values.get(i).equals(key)) {
                return annotation.values.get(i + 1);
            }
        }
        return null;
    }

    /** The one value of the annotation of this kind, or null. */
    static String text(List<AnnotationNode> all, String descriptor) {
        Object value = value(annotation(all, descriptor), "value");
        return value == null ? null : value.toString();
    }

    /** The texts of the annotation of this kind, or null. */
    static List<String> texts(List<AnnotationNode> all, String descriptor) {
        AnnotationNode one = annotation(all, descriptor);
        if (one == null) {
            return null;
        }
        List<String> texts = new ArrayList<>();
        if (value(one, "value") instanceof List<?> values) {
            values.forEach(value -> texts.add(value.toString()));
        }
        return texts;
    }

    /** Those annotations that are themselves marked so, by their names. */
    List<String> marked(List<AnnotationNode> all, String mark) {
        List<String> names = new ArrayList<>();
        for (AnnotationNode one : all) {
            String name = one.desc.substring(1, one.desc.length() - 1);
            ClassNode type = find(name);
            if (type != null && annotation(annotations(type), mark) != null) {
                names.add(name);
            }
        }
        return names;
    }
}
