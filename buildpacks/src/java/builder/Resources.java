import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.objectweb.asm.Opcodes;
import org.objectweb.asm.tree.AbstractInsnNode;
import org.objectweb.asm.tree.AnnotationNode;
import org.objectweb.asm.tree.ClassNode;
import org.objectweb.asm.tree.MethodInsnNode;
import org.objectweb.asm.tree.MethodNode;
import org.objectweb.asm.tree.TypeInsnNode;

/**
 * The resources and providers of an app (jakarta.ws.rs), found in the annotations of its classes, and the source of the class that hands
 * them over: the calls that a server with reflection would find out at run time stand in it.
 */
final class Resources {
    private static final String REST = "Ljakarta/ws/rs/";
    private static final String PATH = REST + "Path;";
    private static final String APPLICATION = "jakarta/ws/rs/core/Application";
    private static final List<String> PROVIDERS = List.of("jakarta/ws/rs/ext/ExceptionMapper", "jakarta/ws/rs/ext/MessageBodyReader",
        "jakarta/ws/rs/ext/MessageBodyWriter", "jakarta/ws/rs/container/ContainerRequestFilter",
        "jakarta/ws/rs/container/ContainerResponseFilter");
    private static final List<String> ONE_FOR_ALL = List.of("Ljakarta/inject/Singleton;", "Ljakarta/enterprise/context/ApplicationScoped;",
        "Ljakarta/ejb/Singleton;");
    private static final int MOST_DEPTH = 6;
    private static final int PRIORITY_OF_OTHERS = 5000;

    private final Types types;
    private final Opened opened;
    private final Beans beans;
    private final Asked asked;
    private final List<ClassNode> resources = new ArrayList<>();
    private final List<ClassNode> providers = new ArrayList<>();
    private final List<ClassNode> applications = new ArrayList<>();
    private final StringBuilder code = new StringBuilder();

    Resources(Types types, Opened opened) {
        this.types = types;
        this.opened = opened;
        beans = new Beans(types, opened);
        asked = new Asked(types, opened, beans);
        for (ClassNode node : types.own()) {
            if (Types.isWhole(node)) {
                if (pathOf(node) != null) {
                    resources.add(node);
                }
                if (PROVIDERS.stream().anyMatch(one -> types.isA(node.name, one))) {
                    providers.add(node);
                }
                if (types.isA(node.name, APPLICATION)) {
                    applications.add(node);
                }
            }
        }
    }

    boolean isEmpty() {
        return resources.isEmpty();
    }

    private String pathOf(ClassNode node) {
        return types.lineage(node).stream().map(one -> Types.text(Types.annotations(one.node()), PATH)).filter(one -> one != null).findFirst()
            .orElse(null);
    }

    /** The patterns below which everything is: what web.xml says, else what the application says, else everything. */
    List<String> patterns(Servlets servlets) {
        if (applications.size() > 1) {
            throw new IllegalArgumentException("the app has several classes that are a jakarta.ws.rs.core.Application ("
                + Classes.sourceName(applications.get(0).name) + ", " + Classes.sourceName(applications.get(1).name) + "); leave one of them");
        }
        String own = applications.isEmpty() ? APPLICATION : applications.get(0).name;
        List<String> named = servlets.takeApplication(APPLICATION.replace('/', '.'), own.replace('/', '.'));
        if (!named.isEmpty()) {
            return named;
        }
        String given = applications.isEmpty() ? null : Types.text(Types.annotations(applications.get(0)), REST + "ApplicationPath;");
        String path = (given == null ? "" : given).replaceAll("^/+|/+$|/\\*$", "");
        return List.of(path.isEmpty() ? "/*" : "/" + path + "/*");
    }

    /** The class that hands everything over. */
    String source() {
        String application = applications.isEmpty() ? APPLICATION : applications.get(0).name;
        // Readers first: they say which bodies can be taken.
        for (ClassNode one : providers) {
            Declared read = types.argument(one, "jakarta/ws/rs/ext/MessageBodyReader");
            if (read != null) {
                asked.reads(read);
            }
        }
        providers.forEach(this::provider);
        for (ClassNode one : resources) {
            resource(one);
        }
        String construction = applications.isEmpty() ? "new " + Classes.sourceName(APPLICATION) + "()" : "new " + opened.name(application) + "()";
        return "@SuppressWarnings({\"unchecked\", \"rawtypes\"})\nfinal class VirgaRest extends virga.rest.Rest {\n    VirgaRest() {\n"
            + "        super(" + construction + ");\n    }\n\n" + asked.methods() + beans.methods()
            + "    @Override\n    protected void declare() throws Throwable {\n" + code + beans.declarations() + "    }\n}\n";
    }

    private boolean isOne(ClassNode node) {
        return ONE_FOR_ALL.stream().anyMatch(one -> Types.annotation(Types.annotations(node), one) != null);
    }

    private String maker(ClassNode node, boolean isOne) {
        String type = opened.name(node.name);
        String injection = asked.injection(node);
        return "maker(" + type + ".class, " + isOne + ", call -> " + asked.construction(node) + ", "
            + (injection.isEmpty() ? "null" : "(it, call) -> {\n" + injection + "        }") + ")";
    }

    private void provider(ClassNode node) {
        List<AnnotationNode> annotations = Types.annotations(node);
        boolean isMarked = Types.annotation(annotations, REST + "ext/Provider;") != null;
        boolean isEarly = Types.annotation(annotations, REST + "container/PreMatching;") != null;
        Object priority = Types.value(Types.annotation(annotations, "Ljakarta/annotation/Priority;"), "value");
        Declared target = PROVIDERS.subList(0, 3).stream().map(one -> types.argument(node, one)).filter(one -> one != null).findFirst()
            .orElse(Declared.OBJECT);
        Set<String> media = new LinkedHashSet<>(texts(annotations, "Consumes;"));
        media.addAll(texts(annotations, "Produces;"));
        boolean takesNothing = node.methods.stream().anyMatch(one -> one.name.equals("<init>") && one.desc.equals("()V"));
        if (!takesNothing) {
            throw new IllegalArgumentException(Classes.sourceName(node.name) + " cannot be made: a filter, mapper, reader or writer needs a"
                + " constructor that takes nothing");
        }
        code.append("        if (has(").append(opened.name(node.name)).append(".class, ").append(isMarked).append(")) {\n            provider(")
            .append(maker(node, true)).append(", ").append(opened.name(target)).append(".class, ")
            .append(priority == null ? PRIORITY_OF_OTHERS : priority).append(", ").append(isEarly).append(", ").append(array(media))
            .append(", ").append(array(types.marked(annotations, REST + "NameBinding;"))).append(");\n        }\n");
        mentioned(node);
    }

    private static List<String> texts(List<AnnotationNode> annotations, String kind) {
        List<String> found = Types.texts(annotations, REST + kind);
        return found == null ? List.of() : found;
    }

    private static String array(Iterable<String> texts) {
        return Servlets.array(texts);
    }

    private void resource(ClassNode node) {
        String type = opened.name(node.name);
        String maker = "maker" + resources.indexOf(node);
        String base = pathOf(node);
        code.append("        if (has(").append(type).append(".class, true)) {\n        virga.rest.Maker<").append(type).append("> ")
            .append(maker).append(" = ").append(maker(node, isOne(node))).append(";\n");
        code.append("        path(").append(type).append(".class, \"\", ").append(Classes.quoted(base)).append(");\n");
        int before = code.length();
        routes(node, Map.of(), base, maker + ".get(call)", type, 0);
        if (code.length() == before) {
            System.err.println("note: " + type + " has a @Path and no public method with @GET, @POST or the like");
        }
        code.append("        }\n");
    }

    /** One method with what is known of it here and above. */
    private record Found(MethodNode method, Map<String, Declared> variables, List<MethodNode> all) {
        private List<AnnotationNode> annotations() {
            return Types.annotations(annotated());
        }

        /** The nearest that says anything to us. */
        private MethodNode annotated() {
            return all.stream().filter(Found::says).findFirst().orElse(method);
        }

        private static boolean says(MethodNode method) {
            List<AnnotationNode> said = new ArrayList<>(Types.annotations(method));
            for (int i = 0; i < Declared.ofMethod(method.desc, null).parameters().size(); i++) {
                said.addAll(Asked.annotations(method, i));
            }
            return said.stream().anyMatch(one -> one.desc.startsWith(REST));
        }
    }

    private List<Found> methods(ClassNode node, Map<String, Declared> variables) {
        Map<String, Found> found = new LinkedHashMap<>();
        for (Types.Ancestor one : types.lineage(node)) {
            Map<String, Declared> known = one.node() == node ? variables : one.variables();
            for (MethodNode method : one.node().methods) {
                if (Types.is(method, Opcodes.ACC_STATIC | Opcodes.ACC_SYNTHETIC | Opcodes.ACC_BRIDGE) || method.name.startsWith("<")) {
                    continue;
                }
                StringBuilder key = new StringBuilder(method.name);
                for (Declared taken : Declared.ofMethod(method.desc, method.signature).parameters()) {
                    key.append(' ').append(taken.with(known).source());
                }
                found.computeIfAbsent(key.toString(), none -> new Found(method, known, new ArrayList<>())).all.add(method);
            }
        }
        return new ArrayList<>(found.values());
    }

    private String httpMethod(List<AnnotationNode> annotations) {
        for (AnnotationNode one : annotations) {
            ClassNode type = types.find(one.desc.substring(1, one.desc.length() - 1));
            String method = type == null ? null : Types.text(Types.annotations(type), REST + "HttpMethod;");
            if (method != null) {
                return method;
            }
        }
        return null;
    }

    private List<AnnotationNode> said(ClassNode node) {
        List<AnnotationNode> all = new ArrayList<>();
        types.lineage(node).forEach(one -> all.addAll(Types.annotations(one.node())));
        return all;
    }

    private void routes(ClassNode node, Map<String, Declared> variables, String base, String receiver, String root, int depth) {
        if (depth > MOST_DEPTH) {
            throw new IllegalArgumentException(root + " has sub-resources that are nested more than " + MOST_DEPTH + " deep, or in a circle;"
                + " they are found before the app runs, so that there must be an end");
        }
        List<AnnotationNode> ofClass = said(node);
        for (Found found : methods(node, variables)) {
            List<AnnotationNode> annotations = found.annotations();
            String http = httpMethod(annotations);
            String path = Types.text(annotations, PATH);
            if (http == null && path == null) {
                continue;
            }
            String where = Classes.sourceName(node.name) + "." + found.method.name;
            if (!Types.is(found.method, Opcodes.ACC_PUBLIC)) {
                System.err.println("note: " + where + " is not public, so that it answers nothing");
                continue;
            }
            opened.name(node.name);
            if (depth == 0 && path != null) {
                code.append("        path(").append(root).append(".class, ").append(Classes.quoted(found.method.name)).append(", ")
                    .append(Classes.quoted(path)).append(");\n");
            }
            Declared result = Declared.ofMethod(found.method.desc, found.method.signature).result().with(found.variables);
            List<String> arguments = asked.arguments(found.method, found.annotated(), found.variables, where);
            String call = receiver + "." + found.method.name + "(" + String.join(", ", arguments) + ")";
            String whole = join(base, path);
            if (http == null) {
                sub(result, whole, call, root, where, depth);
                continue;
            }
            answers(result, where);
            mentioned(found.method);
            List<String> bindings = types.marked(annotations, REST + "NameBinding;");
            bindings.addAll(types.marked(ofClass, REST + "NameBinding;"));
            code.append("        route(").append(Classes.quoted(http)).append(", ").append(Classes.quoted(whole)).append(", ")
                .append(array(nearest(annotations, ofClass, "Consumes;"))).append(", ")
                .append(array(nearest(annotations, ofClass, "Produces;"))).append(", ").append(array(bindings)).append(", call -> ")
                .append(result.name().equals("void") ? "{\n            " + call + ";\n            return null;\n        }" : call).append(");\n");
        }
        mentioned(node);
    }

    private static List<String> nearest(List<AnnotationNode> ofMethod, List<AnnotationNode> ofClass, String kind) {
        List<String> own = Types.texts(ofMethod, REST + kind);
        return own == null ? texts(ofClass, kind) : own;
    }

    private static String join(String base, String path) {
        String joined = ("/" + base + "/" + (path == null ? "" : path)).replaceAll("/+", "/");
        return joined.length() > 1 && joined.endsWith("/") ? joined.substring(0, joined.length() - 1) : joined;
    }

    private void sub(Declared result, String base, String call, String root, String where, int depth) {
        ClassNode node = types.find(result.name());
        if (node == null || !types.isOwn(result.name())) {
            throw new IllegalArgumentException(where + " gives a sub-resource as " + result + "; name its class, which is how its methods are"
                + " found before the app runs");
        }
        Types.Ancestor itself = types.lineage(node).get(0);
        routes(node, itself.variables(), base, "((" + opened.name(node.name) + ") " + call + ")", root, depth + 1);
    }

    private void answers(Declared result, String where) {
        for (String later : List.of("java/util/concurrent/CompletionStage", "java/util/concurrent/CompletableFuture")) {
            if (result.name().equals(later)) {
                throw new IllegalArgumentException(where + " answers with a " + result + ", which is not there on this platform: answer in the"
                    + " thread of the request");
            }
        }
        beans.writes(result);
    }

    /** What the code of a class makes or gets may be what it answers with. */
    private void mentioned(ClassNode node) {
        node.methods.forEach(this::mentioned);
    }

    private void mentioned(MethodNode method) {
        for (AbstractInsnNode one : method.instructions) {
            if (one instanceof TypeInsnNode made && made.getOpcode() == Opcodes.NEW) {
                bean(Declared.of(made.desc));
            } else if (one instanceof MethodInsnNode called && types.isOwn(called.owner)) {
                for (MethodNode other : types.find(called.owner).methods) {
                    if (other.name.equals(called.name) && other.desc.equals(called.desc)) {
                        bean(Declared.ofMethod(other.desc, other.signature).result().with(Map.of()));
                    }
                }
            }
        }
    }

    /** What has neither a resource's path nor a provider's work, and is no class that stands in a method, is written as data. */
    private void bean(Declared type) {
        type.arguments().forEach(this::bean);
        ClassNode node = types.find(type.element() != null ? type.element().name() : type.name());
        boolean isData = node != null && types.isOwn(node.name) && !resources.contains(node) && !providers.contains(node)
            && !applications.contains(node) && !node.name.matches(".*\\$\\d+.*") && !isService(node);
        if (isData) {
            beans.writes(Declared.of(node.name));
        }
    }

    /** A class with methods that do more than give and take its members is no data. */
    private static boolean isService(ClassNode node) {
        if (node.recordComponents != null) {
            return false;
        }
        boolean hasMembers = false;
        boolean doesMore = false;
        for (MethodNode method : node.methods) {
            boolean isPublic = Types.is(method, Opcodes.ACC_PUBLIC) && !Types.is(method, Opcodes.ACC_STATIC | Opcodes.ACC_SYNTHETIC);
            boolean isGetter = method.name.matches("(get|is)[A-Z].*") && method.desc.startsWith("()");
            boolean isSetter = method.name.matches("set[A-Z].*") && method.desc.matches("\\([^;]*;?\\).*");
            hasMembers |= isPublic && isGetter;
            doesMore |= isPublic && !isGetter && !isSetter && !method.name.matches("<init>|toString|equals|hashCode|compareTo|of|with.*");
        }
        boolean hasFields = node.fields.stream().anyMatch(one -> (one.access & (Opcodes.ACC_PUBLIC | Opcodes.ACC_STATIC)) == Opcodes.ACC_PUBLIC);
        return !(hasMembers || hasFields) || doesMore;
    }
}
