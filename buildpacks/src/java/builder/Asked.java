import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.objectweb.asm.Opcodes;
import org.objectweb.asm.tree.AnnotationNode;
import org.objectweb.asm.tree.ClassNode;
import org.objectweb.asm.tree.FieldNode;
import org.objectweb.asm.tree.MethodNode;

/** Writes the expressions by which parameters, fields and bodies of resources get what they ask for of a `call`. */
final class Asked {
    private static final String REST = "Ljakarta/ws/rs/";
    private static final Map<String, String> KINDS = Map.of("PathParam;", "path", "QueryParam;", "query", "HeaderParam;", "header",
        "CookieParam;", "cookie", "FormParam;", "form");
    private static final Map<String, String> CONTEXTS = Map.of("jakarta/ws/rs/core/UriInfo", "call.uriInfo()",
        "jakarta/ws/rs/core/HttpHeaders", "call.headers()", "jakarta/ws/rs/core/Request", "call.conditions()",
        "jakarta/ws/rs/core/SecurityContext", "call.security()", "jakarta/ws/rs/core/Application", "call.application()",
        "jakarta/servlet/http/HttpServletRequest", "call.request()", "jakarta/servlet/http/HttpServletResponse", "call.response()",
        "jakarta/servlet/ServletContext", "call.servletContext()");
    private static final Map<String, String> BODIES = Map.of("java/lang/String", "call.text()", "java/io/InputStream", "call.stream()",
        "java/io/Reader", "call.reader()", "jakarta/ws/rs/core/MultivaluedMap", "call.formMap()", "jakarta/ws/rs/core/Form", "call.formBody()");
    private static final Map<String, String> PLAIN = Map.ofEntries(Map.entry("boolean", "virga.rest.Values.truth"),
        Map.entry("java/lang/Boolean", "virga.rest.Values.truth"), Map.entry("char", "virga.rest.Values.letter"),
        Map.entry("java/lang/Character", "virga.rest.Values.letter"), Map.entry("byte", "Byte.valueOf"), Map.entry("short", "Short.valueOf"),
        Map.entry("int", "Integer.valueOf"), Map.entry("long", "Long.valueOf"), Map.entry("float", "Float.valueOf"),
        Map.entry("double", "Double.valueOf"));

    private final Types types;
    private final Opened opened;
    private final Beans beans;
    private final Map<String, String> made = new LinkedHashMap<>();
    private final StringBuilder methods = new StringBuilder();
    /** What the app's own readers of bodies read. */
    private final List<String> readable = new ArrayList<>();

    Asked(Types types, Opened opened, Beans beans) {
        this.types = types;
        this.opened = opened;
        this.beans = beans;
    }

    void reads(Declared type) {
        readable.add(type.name());
    }

    String methods() {
        return methods.toString();
    }

    private static boolean isOf(List<AnnotationNode> annotations) {
        return annotations.stream().map(one -> one.desc).anyMatch(one -> one.startsWith(REST) && KINDS.containsKey(one.substring(REST.length()))
            || one.equals(REST + "core/Context;") || one.equals(REST + "BeanParam;"));
    }

    /** What a parameter or a field with these annotations gets; without any it is the body. */
    String value(List<AnnotationNode> annotations, Declared type, String where) {
        String absent = Types.text(annotations, REST + "DefaultValue;");
        for (AnnotationNode one : annotations) {
            String kind = one.desc.startsWith(REST) ? KINDS.get(one.desc.substring(REST.length())) : null;
            if (kind != null) {
                String name = Classes.quoted(String.valueOf(Types.value(one, "value")));
                if (kind.equals("cookie") && type.name().equals("jakarta/ws/rs/core/Cookie")) {
                    return "call.sentCookie(" + name + ")";
                }
                String values = "call." + kind + "(" + name + ", " + (absent == null ? "null" : Classes.quoted(absent)) + ")";
                return converted(values, type, where);
            }
            if (one.desc.equals(REST + "core/Context;")) {
                return context(type, where);
            }
            if (one.desc.equals(REST + "BeanParam;")) {
                return bean(type, where);
            }
        }
        return body(type, where);
    }

    private String context(Declared type, String where) {
        String known = CONTEXTS.get(type.name());
        if (known != null) {
            return known;
        }
        if (types.isA(type.name(), "jakarta/ws/rs/core/Application")) {
            return "(" + opened.name(type.name()) + ") call.application()";
        }
        throw new IllegalArgumentException(where + " asks for a " + type + " by @Context, which is not there on this platform");
    }

    private String converted(String values, Declared type, String where) {
        String collection = switch (type.name()) {
            case "java/util/List", "java/util/Collection", "[]" -> "list";
            case "java/util/Set" -> "set";
            case "java/util/SortedSet" -> "sorted";
            default -> null;
        };
        if (collection != null) {
            Declared item = type.element() != null ? type.element() : type.arguments().isEmpty() ? Declared.of("java/lang/String") : type.argument(0);
            String all = values + "." + collection + "(text -> " + reading(item, where) + ")";
            if (type.element() == null) {
                return all;
            }
            if (!item.name().contains("/")) {
                throw new IllegalArgumentException(where + " asks for a " + type + "; say java.util.List");
            }
            return all + ".toArray(new " + opened.name(item) + "[0])";
        }
        if (type.name().equals("java/lang/String")) {
            return values + ".text()";
        }
        if (type.name().equals("java/util/Optional")) {
            return "java.util.Optional.ofNullable(" + values + ".one(text -> " + reading(type.argument(0), where) + ", null))";
        }
        return values + ".one(text -> " + reading(type, where) + ", " + Beans.none(type) + ")";
    }

    /** An expression for a `text` that is of this type. */
    private String reading(Declared type, String where) {
        String plain = PLAIN.get(type.name());
        if (plain != null) {
            return plain + "(text)";
        }
        if (type.name().equals("java/lang/String")) {
            return "text";
        }
        ClassNode node = types.find(type.name());
        if (node != null) {
            String wanted = "(Ljava/lang/String;)L" + node.name + ";";
            List<String> makers = Types.is(node, Opcodes.ACC_ENUM) ? List.of("fromString", "valueOf") : List.of("valueOf", "fromString");
            for (String maker : makers) {
                for (MethodNode method : node.methods) {
                    boolean isOpen = Types.is(method, Opcodes.ACC_PUBLIC) && Types.is(method, Opcodes.ACC_STATIC);
                    if (isOpen && method.name.equals(maker) && method.desc.equals(wanted)) {
                        return opened.name(type) + "." + maker + "(text)";
                    }
                }
            }
            for (MethodNode method : node.methods) {
                boolean takesText = method.name.equals("<init>") && method.desc.equals("(Ljava/lang/String;)V");
                if (takesText && Types.is(method, Opcodes.ACC_PUBLIC) && Types.isWhole(node)) {
                    return "new " + opened.name(type) + "(text)";
                }
            }
        }
        throw new IllegalArgumentException(where + " asks for a " + type + ", which cannot be made from a text: it needs a static"
            + " valueOf(String) or fromString(String), or a public constructor that takes a String");
    }

    private String body(Declared type, String where) {
        boolean isRead = readable.contains(type.name());
        String known = isRead ? null : BODIES.get(type.name());
        if (known != null) {
            return known;
        }
        if (!isRead && type.element() != null && type.element().name().equals("byte")) {
            return "call.bytes()";
        }
        if (!isRead && (PLAIN.containsKey(type.name()) || type.name().matches("java/lang/(Integer|Long|Double|Float|Short|Byte)"))) {
            return "call.value().one(text -> " + reading(type, where) + ", " + Beans.none(type) + ")";
        }
        String reader = beans.reader(type);
        if (reader == null && !isRead) {
            throw new IllegalArgumentException(where + " takes a body as " + type + ", which cannot be read on this platform: take a String,"
                + " a byte[], an InputStream, a Form, a record, a class with setters, a List or a Map of those, or add a MessageBodyReader");
        }
        String raw = opened.name(type);
        String given = reader == null ? "null" : made(reader, type);
        return "(" + raw + ") call.body((Class) " + raw + ".class, (virga.rest.Json.Reader) " + given + ")";
    }

    /** A lambda needs a type of its own before it is anything else. */
    private String made(String reader, Declared type) {
        String field = "BODY" + methods.length();
        methods.append("    private static final virga.rest.Json.Reader<").append(boxed(type)).append("> ").append(field).append(" = ")
            .append(reader).append(";\n\n");
        return field;
    }

    private String boxed(Declared type) {
        if (type.element() != null) {
            return opened.name(type);
        }
        if (type.arguments().isEmpty()) {
            boolean isRawList = List.of("java/util/List", "java/util/Collection", "java/util/Set").contains(type.name());
            return opened.name(type) + (isRawList ? "<Object>" : type.name().equals("java/util/Map") ? "<String, Object>" : "");
        }
        List<String> inside = new ArrayList<>();
        type.arguments().forEach(one -> inside.add(boxed(one)));
        String name = type.name().equals("java/util/Collection") || type.name().equals("java/lang/Iterable") ? "java.util.List" : opened.name(type);
        return name + "<" + String.join(", ", inside) + ">";
    }

    private String bean(Declared type, String where) {
        ClassNode node = types.find(type.name());
        if (node == null || !types.isOwn(type.name()) || !Types.isWhole(node)) {
            throw new IllegalArgumentException(where + " asks for a " + type + " by @BeanParam, which is no class of the app that can be made");
        }
        String known = made.get(node.name);
        if (known == null) {
            known = "asked" + made.size();
            made.put(node.name, known);
            String name = opened.name(node.name);
            String code = "        " + name + " it = " + construction(node) + ";\n" + injection(node) + "        return it;\n";
            methods.append("    private static " + name + " " + known + "(virga.rest.Call call) throws Throwable {\n" + code + "    }\n\n");
        }
        return known + "(call)";
    }

    /** Makes one of a class: by the constructor that asks for most, else by the one that takes nothing. */
    String construction(ClassNode node) {
        String name = opened.name(node.name);
        MethodNode best = null;
        for (MethodNode method : node.methods) {
            int taken = Declared.ofMethod(method.desc, null).parameters().size();
            boolean fits = method.name.equals("<init>") && (taken == 0 || asksForAll(method, taken));
            if (fits && (best == null || method.desc.length() > best.desc.length())) {
                best = method;
            }
        }
        if (best == null) {
            throw new IllegalArgumentException(Classes.sourceName(node.name) + " cannot be made: it needs a constructor that takes nothing,"
                + " or whose parameters all have @Context, @PathParam or the like");
        }
        List<String> arguments = arguments(best, best, Map.of(), "the constructor of " + Classes.sourceName(node.name));
        return "new " + name + "(" + String.join(", ", arguments) + ")";
    }

    private static boolean asksForAll(MethodNode method, int taken) {
        for (int i = 0; i < taken; i++) {
            if (!isOf(annotations(method, i))) {
                return false;
            }
        }
        return true;
    }

    static List<AnnotationNode> annotations(MethodNode method, int parameter) {
        return Types.annotations(at(method.visibleParameterAnnotations, parameter), at(method.invisibleParameterAnnotations, parameter));
    }

    private static List<AnnotationNode> at(List<AnnotationNode>[] all, int index) {
        return all == null || index >= all.length ? null : all[index];
    }

    /** What a method is called with; `annotated` is the one that has the annotations. */
    List<String> arguments(MethodNode method, MethodNode annotated, Map<String, Declared> variables, String where) {
        List<Declared> taken = Declared.ofMethod(method.desc, method.signature).parameters();
        if (taken.size() != Declared.ofMethod(method.desc, null).parameters().size()) {
            taken = Declared.ofMethod(method.desc, null).parameters();
        }
        List<String> all = new ArrayList<>();
        int bodies = 0;
        for (int i = 0; i < taken.size(); i++) {
            List<AnnotationNode> annotations = annotations(annotated, i);
            bodies += isOf(annotations) ? 0 : 1;
            if (bodies > 1) {
                throw new IllegalArgumentException(where + " takes two bodies: all parameters but one need @PathParam, @QueryParam or the like");
            }
            all.add(value(annotations, taken.get(i).with(variables), where));
        }
        return all;
    }

    /** Statements that fill in the fields of `it`, and call its setters. */
    String injection(ClassNode node) {
        StringBuilder out = new StringBuilder();
        for (Types.Ancestor one : types.lineage(node)) {
            String self = "((" + opened.name(one.node().name) + ") it).";
            String where = Classes.sourceName(one.node().name);
            for (FieldNode field : one.node().fields) {
                List<AnnotationNode> annotations = Types.annotations(field.visibleAnnotations, field.invisibleAnnotations);
                if (isOf(annotations)) {
                    Declared type = Declared.ofField(field.desc, field.signature).with(one.variables());
                    String value = value(annotations, type, where + "." + field.name);
                    out.append("        ").append(self).append(field.name).append(" = ").append(value).append(";\n");
                }
            }
            for (MethodNode method : one.node().methods) {
                List<AnnotationNode> annotations = Types.annotations(method);
                List<Declared> taken = Declared.ofMethod(method.desc, method.signature).parameters();
                if (method.name.startsWith("set") && taken.size() == 1 && isOf(annotations) && Types.is(method, Opcodes.ACC_PUBLIC)) {
                    String value = value(annotations, taken.get(0).with(one.variables()), where + "." + method.name);
                    out.append("        ").append(self).append(method.name).append("(").append(value).append(");\n");
                }
            }
        }
        return out.toString();
    }
}
