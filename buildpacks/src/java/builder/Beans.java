import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import org.objectweb.asm.Opcodes;
import org.objectweb.asm.tree.AnnotationNode;
import org.objectweb.asm.tree.ClassNode;
import org.objectweb.asm.tree.FieldNode;
import org.objectweb.asm.tree.MethodNode;
import org.objectweb.asm.tree.RecordComponentNode;

/** Writes the code that makes classes of an app from JSON, and JSON from them: what a program with reflection would find out at run time. */
final class Beans {
    private static final List<String> LEFT_OUT =
        List.of("Ljakarta/json/bind/annotation/JsonbTransient;", "Lcom/fasterxml/jackson/annotation/JsonIgnore;");
    private static final List<String> NAMED =
        List.of("Ljakarta/json/bind/annotation/JsonbProperty;", "Lcom/fasterxml/jackson/annotation/JsonProperty;");
    private static final Map<String, String> READERS = Map.ofEntries(Map.entry("java/lang/Object", "ANY"),
        Map.entry("java/lang/String", "TEXT"), Map.entry("java/lang/CharSequence", "TEXT"), Map.entry("boolean", "TRUTH"),
        Map.entry("java/lang/Boolean", "TRUTH"), Map.entry("byte", "BYTE"), Map.entry("java/lang/Byte", "BYTE"), Map.entry("short", "SHORT"),
        Map.entry("java/lang/Short", "SHORT"), Map.entry("int", "INT"), Map.entry("java/lang/Integer", "INT"), Map.entry("long", "LONG"),
        Map.entry("java/lang/Long", "LONG"), Map.entry("float", "FLOAT"), Map.entry("java/lang/Float", "FLOAT"),
        Map.entry("double", "DOUBLE"), Map.entry("java/lang/Double", "DOUBLE"), Map.entry("char", "LETTER"),
        Map.entry("java/lang/Character", "LETTER"), Map.entry("java/math/BigDecimal", "DECIMAL"),
        Map.entry("java/math/BigInteger", "INTEGER"), Map.entry("java/lang/Number", "NUMBER"));

    private final Types types;
    private final Opened opened;
    private final Map<String, String> readers = new LinkedHashMap<>();
    private final TreeMap<String, String> writers = new TreeMap<>();
    private final StringBuilder methods = new StringBuilder();

    Beans(Types types, Opened opened) {
        this.types = types;
        this.opened = opened;
    }

    /** One member of a class: how it is called in JSON, and how it is got and set in Java. */
    private static final class Member {
        private String name;
        private Declared type;
        private String getter;
        private String setter;
        private boolean isLeftOut;

        Member(String name) {
            this.name = name;
        }

        void annotate(List<AnnotationNode> annotations) {
            LEFT_OUT.forEach(one -> isLeftOut |= Types.annotation(annotations, one) != null);
            for (String one : NAMED) {
                String given = Types.text(annotations, one);
                name = given == null || given.isEmpty() ? name : given;
            }
        }
    }

    /** What stands for a value that is not there. */
    static String none(Declared type) {
        return switch (type.source()) {
            case "int" -> "0";
            case "long" -> "0L";
            case "float" -> "0f";
            case "double" -> "0d";
            case "byte" -> "(byte) 0";
            case "short" -> "(short) 0";
            case "char" -> "(char) 0";
            case "boolean" -> "false";
            case "java.util.Optional" -> "java.util.Optional.empty()";
            default -> "null";
        };
    }

    /** An expression that is a reader of this type, or null where none can be written. */
    String reader(Declared type) {
        if (type.element() != null) {
            String items = reader(type.element());
            // An array of primitives would have to be filled one by one.
            return items == null || type.element().element() == null && READERS.containsKey(type.element().name())
                && !type.element().name().contains("/") ? null
                : "virga.rest.Json.array(" + items + ", new " + opened.name(type.element()) + "[0])";
        }
        String plain = READERS.get(type.name());
        if (plain != null) {
            return "virga.rest.Json." + plain;
        }
        switch (type.name()) {
            case "java/util/List", "java/util/Collection", "java/lang/Iterable":
                return of("list", type.argument(0));
            case "java/util/Set":
                return of("set", type.argument(0));
            case "java/util/Map":
                return type.argument(0).name().equals("java/lang/String") || type.arguments().isEmpty() ? of("map", type.argument(1)) : null;
            case "java/util/UUID":
                return "virga.rest.Json.from(text -> java.util.UUID.fromString(text), \"a UUID\")";
            case "java/net/URI":
                return "virga.rest.Json.from(text -> java.net.URI.create(text), \"an address\")";
            case "java/util/Optional":
                return of("optional", type.argument(0));
            default:
                ClassNode node = types.find(type.name());
                return node == null || !types.isOwn(type.name()) ? null : own(node);
        }
    }

    private String of(String kind, Declared items) {
        String reader = reader(items);
        return reader == null ? null : "virga.rest.Json." + kind + "(" + reader + ")";
    }

    private String own(ClassNode node) {
        if (Types.is(node, Opcodes.ACC_ENUM)) {
            return "virga.rest.Json.one(" + opened.name(node.name) + ".values())";
        }
        String known = readers.get(node.name);
        if (known != null) {
            return known;
        }
        boolean isRecord = node.recordComponents != null;
        boolean canBeMade = isRecord || node.methods.stream().anyMatch(one -> one.name.equals("<init>") && one.desc.equals("()V"));
        if (!Types.isWhole(node) || !canBeMade) {
            return null;
        }
        String method = "read" + readers.size();
        readers.put(node.name, "VirgaRest::" + method);
        String name = opened.name(node.name);
        StringBuilder code = new StringBuilder("    private static " + name + " " + method + "(Object json, String at) {\n"
            + "        java.util.Map<String, Object> map = virga.rest.Json.object(json, at);\n");
        List<String> arguments = new ArrayList<>();
        code.append(isRecord ? "" : "        " + name + " it = new " + name + "();\n");
        for (Member member : members(node).values()) {
            String json = Classes.quoted(member.name);
            if (isRecord && member.isLeftOut) {
                arguments.add(none(member.type));
            } else if (isRecord) {
                arguments.add("virga.rest.Json.or(" + needed(node, member) + ", map.get(" + json + "), at + \".\" + " + json + ", "
                    + none(member.type) + ")");
            } else if (member.setter != null && !member.isLeftOut) {
                code.append("        if (map.containsKey(" + json + ")) {\n            "
                    + String.format(member.setter, "virga.rest.Json.or(" + needed(node, member) + ", map.get(" + json + "), at + \".\" + "
                        + json + ", " + none(member.type) + ")") + ";\n        }\n");
            }
        }
        code.append(isRecord ? "        return new " + name + "(" + String.join(", ", arguments) + ");\n" : "        return it;\n");
        methods.append(code).append("    }\n\n");
        return readers.get(node.name);
    }

    private String needed(ClassNode node, Member member) {
        String reader = reader(member.type);
        if (reader == null) {
            throw new IllegalArgumentException("'" + member.name + "' of " + Classes.sourceName(node.name) + " is a " + member.type
                + ", which cannot be read from JSON on this platform");
        }
        return reader;
    }

    /** A record's in their order, others by name. */
    private Map<String, Member> members(ClassNode node) {
        Map<String, Member> all = node.recordComponents != null ? new LinkedHashMap<>() : new TreeMap<>();
        if (node.recordComponents != null) {
            for (RecordComponentNode component : node.recordComponents) {
                Member member = all.computeIfAbsent(component.name, Member::new);
                member.type = Declared.ofField(component.descriptor, component.signature).with(Map.of());
                member.getter = "it." + component.name + "()";
                member.annotate(Types.annotations(component.visibleAnnotations, component.invisibleAnnotations));
                node.methods.stream().filter(one -> one.name.equals(component.name) && one.desc.startsWith("()"))
                    .forEach(one -> member.annotate(Types.annotations(one)));
                node.fields.stream().filter(one -> one.name.equals(component.name))
                    .forEach(one -> member.annotate(Types.annotations(one.visibleAnnotations, one.invisibleAnnotations)));
            }
            return all;
        }
        for (Types.Ancestor one : types.lineage(node)) {
            if (!one.node().name.equals("java/lang/Object")) {
                one.node().methods.forEach(method -> method(one, method, all));
                one.node().fields.forEach(field -> field(one, field, all));
            }
        }
        all.values().removeIf(member -> member.getter == null && member.setter == null);
        return all;
    }

    private static void field(Types.Ancestor of, FieldNode field, Map<String, Member> all) {
        if ((field.access & (Opcodes.ACC_STATIC | Opcodes.ACC_SYNTHETIC)) != 0) {
            return;
        }
        Member member = all.computeIfAbsent(field.name, Member::new);
        member.annotate(Types.annotations(field.visibleAnnotations, field.invisibleAnnotations));
        member.isLeftOut |= (field.access & Opcodes.ACC_TRANSIENT) != 0;
        if ((field.access & Opcodes.ACC_PUBLIC) != 0) {
            Declared type = Declared.ofField(field.desc, field.signature).with(of.variables());
            member.type = member.type == null ? type : member.type;
            member.getter = member.getter == null ? "it." + field.name : member.getter;
            boolean canBeSet = (field.access & Opcodes.ACC_FINAL) == 0 && member.setter == null;
            member.setter = canBeSet ? "it." + field.name + " = %s" : member.setter;
        }
    }

    private static void method(Types.Ancestor of, MethodNode method, Map<String, Member> all) {
        boolean isMember = Types.is(method, Opcodes.ACC_PUBLIC)
            && !Types.is(method, Opcodes.ACC_STATIC | Opcodes.ACC_SYNTHETIC | Opcodes.ACC_BRIDGE) && method.exceptions.isEmpty();
        Declared.OfMethod declared = Declared.ofMethod(method.desc, method.signature);
        int taken = declared.parameters().size();
        String name = method.name;
        boolean isGetter = isMember && taken == 0 && (after(name, "get") && !method.desc.endsWith(")V") && !name.equals("getClass")
            || after(name, "is") && method.desc.matches(".*\\)(Z|Ljava/lang/Boolean;)"));
        boolean isSetter = isMember && taken == 1 && after(name, "set");
        if (!isGetter && !isSetter) {
            return;
        }
        String rest = name.substring(name.startsWith("is") ? 2 : 3);
        String property = rest.length() > 1 && Character.isUpperCase(rest.charAt(1)) ? rest : Character.toLowerCase(rest.charAt(0)) + rest.substring(1);
        Member member = all.computeIfAbsent(property, Member::new);
        member.annotate(Types.annotations(method));
        Declared type = (isGetter ? declared.result() : declared.parameters().get(0)).with(of.variables());
        if (isGetter && member.getter == null) {
            member.getter = "it." + name + "()";
            member.type = member.type == null ? type : member.type;
        } else if (isSetter && member.setter == null) {
            member.setter = "it." + name + "(%s)";
            member.type = type;
        }
    }

    private static boolean after(String name, String beginning) {
        return name.length() > beginning.length() && name.startsWith(beginning) && Character.isUpperCase(name.charAt(beginning.length()));
    }

    /** Has everything of the app that this type names written, and what those are made of. */
    void writes(Declared type) {
        if (type.element() != null) {
            writes(type.element());
            return;
        }
        type.arguments().forEach(this::writes);
        ClassNode node = types.find(type.name());
        boolean isBean = node != null && types.isOwn(node.name) && !Types.is(node, Opcodes.ACC_ENUM | Opcodes.ACC_ANNOTATION)
            && !types.isA(node.name, "java/lang/Throwable") && !types.isA(node.name, "jakarta/ws/rs/core/Response");
        if (!isBean || writers.containsKey(node.name)) {
            return;
        }
        writers.put(node.name, "");
        if (!Types.is(node, Opcodes.ACC_INTERFACE)) {
            StringBuilder code = new StringBuilder("        bean(" + opened.name(node.name) + ".class, (it, out) -> {\n");
            Map<String, Member> sorted = new TreeMap<>();
            members(node).values().stream().filter(one -> !one.isLeftOut && one.getter != null).forEach(one -> sorted.put(one.name, one));
            for (Member member : sorted.values()) {
                code.append("            out.member(").append(Classes.quoted(member.name)).append(", ").append(member.getter).append(");\n");
                writes(member.type);
            }
            writers.put(node.name, code.append("        });\n").toString());
        }
        // What is declared as one class may be one that was made from it.
        for (ClassNode other : types.own()) {
            if (!writers.containsKey(other.name) && types.isA(other.name, node.name)) {
                writes(Declared.of(other.name));
            }
        }
    }

    /** Statements that hand the writers over. */
    String declarations() {
        return String.join("", writers.values());
    }

    /** Static methods of the class that is written. */
    String methods() {
        return methods.toString();
    }
}
