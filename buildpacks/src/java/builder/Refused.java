import java.util.Map;
import java.util.TreeMap;
import org.objectweb.asm.ClassReader;

/** What of Jakarta an app cannot use here, by the names that its classes have in them. */
final class Refused {
    private static final String NO_CONTAINER = "there is no container that makes objects and fills them in";
    private static final String UNCHECKED = "nothing would check it";
    private static final String NO_JSON = "classes that a resource takes or gives are read and written as JSON without it";
    private static final String NOT_WAITING = "answer in the thread of the request";

    /** Beginnings of internal names, and why not. The longest that fits has the word; an empty one allows. */
    private static final Map<String, String> NAMES = new TreeMap<>(Map.ofEntries(
        Map.entry("javax/ws/rs/", "say jakarta.ws.rs"),
        Map.entry("javax/servlet/", "say jakarta.servlet"),
        Map.entry("jakarta/ws/rs/client/", "a program here has no sockets"),
        Map.entry("jakarta/ws/rs/sse/", NOT_WAITING + ", or stream with a StreamingOutput"),
        Map.entry("jakarta/ws/rs/MatrixParam", "use @PathParam or @QueryParam"),
        Map.entry("jakarta/ws/rs/Encoded", "values are decoded; UriInfo has them as they came"),
        Map.entry("jakarta/ws/rs/SeBootstrap", "the platform is the server: leave it out"),
        Map.entry("jakarta/ws/rs/container/AsyncResponse", NOT_WAITING),
        Map.entry("jakarta/ws/rs/container/Suspended", NOT_WAITING),
        Map.entry("jakarta/ws/rs/container/CompletionCallback", NOT_WAITING),
        Map.entry("jakarta/ws/rs/container/ConnectionCallback", NOT_WAITING),
        Map.entry("jakarta/ws/rs/container/ResourceInfo", "there is no reflection"),
        Map.entry("jakarta/ws/rs/container/ResourceContext", "give the sub-resource back as an object"),
        Map.entry("jakarta/ws/rs/container/DynamicFeature", "there is no reflection; bind filters by @NameBinding"),
        Map.entry("jakarta/ws/rs/core/Feature", "mark providers with @Provider"),
        Map.entry("jakarta/ws/rs/core/Configur", "mark providers with @Provider"),
        Map.entry("jakarta/ws/rs/core/EntityPart", "use a servlet's getParts"),
        Map.entry("jakarta/ws/rs/core/Link", "write the header Link"),
        Map.entry("jakarta/ws/rs/ext/ReaderInterceptor", "use a filter"),
        Map.entry("jakarta/ws/rs/ext/WriterInterceptor", "use a filter"),
        Map.entry("jakarta/ws/rs/ext/ParamConverter", "give the class a static valueOf(String) or fromString(String)"),
        Map.entry("jakarta/ws/rs/ext/ContextResolver", "there is nothing that would ask it"),
        Map.entry("jakarta/ws/rs/ext/Providers", "make what you need yourself"),
        Map.entry("jakarta/inject/", NO_CONTAINER + ": make them in the constructor"),
        Map.entry("jakarta/inject/Singleton", ""),
        Map.entry("jakarta/enterprise/", NO_CONTAINER + ": make them in the constructor"),
        Map.entry("jakarta/enterprise/context/ApplicationScoped", ""),
        Map.entry("jakarta/enterprise/context/RequestScoped", ""),
        Map.entry("jakarta/ejb/", NO_CONTAINER),
        Map.entry("jakarta/persistence/", "there are no sockets to a database and no reflection"),
        Map.entry("jakarta/annotation/PostConstruct", NO_CONTAINER + ": do it in the constructor"),
        Map.entry("jakarta/annotation/PreDestroy", NO_CONTAINER),
        Map.entry("jakarta/annotation/Resource", NO_CONTAINER),
        Map.entry("jakarta/annotation/security/", UNCHECKED + "; use a filter"),
        Map.entry("jakarta/annotation/security/PermitAll", ""),
        Map.entry("jakarta/validation/", UNCHECKED + "; check it in the method"),
        Map.entry("jakarta/servlet/annotation/ServletSecurity", UNCHECKED + "; use a filter"),
        Map.entry("jakarta/json/", NO_JSON),
        Map.entry("jakarta/json/bind/annotation/JsonbProperty", ""),
        Map.entry("jakarta/json/bind/annotation/JsonbTransient", ""),
        Map.entry("jakarta/json/bind/annotation/JsonbPropertyOrder", "members are in the order of their names"),
        Map.entry("jakarta/xml/", "there is no reflection; write JSON, or XML as a text"),
        Map.entry("com/fasterxml/jackson/", NO_JSON),
        Map.entry("com/fasterxml/jackson/annotation/JsonProperty", ""),
        Map.entry("com/fasterxml/jackson/annotation/JsonPropertyOrder", "members are in the order of their names"),
        Map.entry("com/fasterxml/jackson/annotation/JsonIgnore", ""),
        Map.entry("com/fasterxml/jackson/annotation/JsonIgnoreProperties", "say @JsonIgnore at each of them"),
        Map.entry("com/fasterxml/jackson/annotation/JsonIgnoreType", "say @JsonIgnore at each of them")));

    private Refused() {
    }

    /** Throws where the class uses one of them. */
    static void check(byte[] bytes) {
        ClassReader reader = new ClassReader(bytes);
        for (int i = 1; i < reader.getItemCount(); i++) {
            int at = reader.getItem(i);
            // Names of classes, descriptors and annotations all stand as texts of the first kind.
            if (at > 0 && reader.readByte(at - 1) == 1) {
                look(reader.getClassName(), text(reader, at));
            }
        }
    }

    private static String text(ClassReader reader, int at) {
        int length = reader.readUnsignedShort(at);
        byte[] bytes = new byte[length];
        for (int i = 0; i < length; i++) {
            bytes[i] = (byte) reader.readByte(at + 2 + i);
        }
        return new String(bytes, java.nio.charset.StandardCharsets.UTF_8);
    }

    private static void look(String user, String text) {
        for (int at = 0; at >= 0 && at < text.length(); at = next(text, at)) {
            String rest = text.substring(at);
            String best = null;
            for (String name : NAMES.keySet()) {
                if (rest.startsWith(name) && (best == null || name.length() > best.length())) {
                    best = name;
                }
            }
            if (best != null && !NAMES.get(best).isEmpty()) {
                String whole = rest.split("[;<>:\\s]")[0].replace('/', '.').replace('$', '.');
                throw new IllegalArgumentException(user.replace('/', '.') + " uses " + whole + ", which is not there on this platform: "
                    + NAMES.get(best));
            }
        }
    }

    /** A descriptor has several names, each after an L. */
    private static int next(String text, int at) {
        int found = text.indexOf('L', at);
        return found < 0 ? -1 : found + 1;
    }
}
