import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.objectweb.asm.Type;

/**
 * A type as a declaration names it: a class with the types in its brackets, an array of another, a primitive (by its word), or a
 * variable, whose name begins with a colon.
 */
record Declared(String name, List<Declared> arguments, Declared element) {
    static final Declared OBJECT = new Declared("java/lang/Object", List.of(), null);

    /** A class without brackets, by its internal name. */
    static Declared of(String internal) {
        return new Declared(internal, List.of(), null);
    }

    static Declared of(Type type) {
        return switch (type.getSort()) {
            case Type.ARRAY -> new Declared("[]", List.of(), of(Type.getType(type.getDescriptor().substring(1))));
            case Type.OBJECT -> of(type.getInternalName());
            default -> of(type.getClassName());
        };
    }

    boolean isVariable() {
        return name.startsWith(":");
    }

    /** The variables replaced by what stands for them; others are any object. */
    Declared with(Map<String, Declared> variables) {
        if (isVariable()) {
            return variables.getOrDefault(name, OBJECT);
        }
        List<Declared> replaced = new ArrayList<>();
        arguments.forEach(one -> replaced.add(one.with(variables)));
        return new Declared(name, replaced, element == null ? null : element.with(variables));
    }

    Declared argument(int index) {
        return index < arguments.size() ? arguments.get(index) : OBJECT;
    }

    /** Without brackets, as a source writes it. */
    String source() {
        return element != null ? element.source() + "[]" : Classes.sourceName(name);
    }

    @Override
    public String toString() {
        if (arguments.isEmpty()) {
            return source();
        }
        List<String> inside = new ArrayList<>();
        arguments.forEach(one -> inside.add(one.toString()));
        return source() + "<" + String.join(", ", inside) + ">";
    }

    /** What a class declares itself to be. */
    record OfClass(List<String> variables, List<Declared> parents) {
    }

    /** What a method takes and gives. */
    record OfMethod(List<Declared> parameters, Declared result) {
    }

    static Declared ofField(String descriptor, String signature) {
        return signature == null ? of(Type.getType(descriptor)) : new Signature(signature).type();
    }

    static OfMethod ofMethod(String descriptor, String signature) {
        if (signature != null) {
            return new Signature(signature).method();
        }
        List<Declared> parameters = new ArrayList<>();
        for (Type type : Type.getArgumentTypes(descriptor)) {
            parameters.add(of(type));
        }
        return new OfMethod(parameters, of(Type.getReturnType(descriptor)));
    }

    static OfClass ofClass(String parent, List<String> interfaces, String signature) {
        if (signature != null) {
            return new Signature(signature).whole();
        }
        List<Declared> parents = new ArrayList<>();
        if (parent != null) {
            parents.add(of(parent));
        }
        interfaces.forEach(one -> parents.add(of(one)));
        return new OfClass(List.of(), parents);
    }

    /** Reads the form in which class files keep them. */
    private static final class Signature {
        private final String text;
        private int at;

        Signature(String text) {
            this.text = text;
        }

        private Map<String, Declared> variables() {
            Map<String, Declared> bounds = new LinkedHashMap<>();
            if (text.charAt(at) != '<') {
                return bounds;
            }
            for (at++; text.charAt(at) != '>';) {
                int colon = text.indexOf(':', at);
                String name = text.substring(at, colon);
                at = colon;
                Declared bound = null;
                while (text.charAt(at) == ':') {
                    at++;
                    if (text.charAt(at) != ':') {
                        Declared one = type();
                        bound = bound == null ? one : bound;
                    }
                }
                bounds.put(name, bound);
            }
            at++;
            return bounds;
        }

        OfClass whole() {
            List<String> names = new ArrayList<>(variables().keySet());
            List<Declared> parents = new ArrayList<>();
            while (at < text.length()) {
                parents.add(type());
            }
            return new OfClass(names, parents);
        }

        OfMethod method() {
            variables();
            List<Declared> parameters = new ArrayList<>();
            for (at++; text.charAt(at) != ')';) {
                parameters.add(type());
            }
            at++;
            return new OfMethod(parameters, type());
        }

        Declared type() {
            char kind = text.charAt(at++);
            switch (kind) {
                case '[':
                    return new Declared("[]", List.of(), type());
                case 'T':
                    int end = text.indexOf(';', at);
                    String variable = text.substring(at, end);
                    at = end + 1;
                    return of(":" + variable);
                case 'L':
                    return named();
                default:
                    return of(Type.getType(String.valueOf(kind)).getClassName());
            }
        }

        private Declared named() {
            StringBuilder name = new StringBuilder();
            List<Declared> arguments = new ArrayList<>();
            for (char letter = text.charAt(at++); letter != ';'; letter = text.charAt(at++)) {
                if (letter == '<') {
                    arguments.clear();
                    while (text.charAt(at) != '>') {
                        arguments.add(argument());
                    }
                    at++;
                } else {
                    name.append(letter == '.' ? '$' : letter);
                }
            }
            return new Declared(name.toString(), arguments, null);
        }

        private Declared argument() {
            char kind = text.charAt(at);
            if (kind == '*') {
                at++;
                return OBJECT;
            }
            if (kind == '+') {
                at++;
                return type();
            }
            if (kind == '-') {
                at++;
                type();
                return OBJECT;
            }
            return type();
        }
    }
}
