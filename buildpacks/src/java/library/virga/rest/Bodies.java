package virga.rest;

import jakarta.servlet.http.HttpServletResponse;
import jakarta.ws.rs.WebApplicationException;
import jakarta.ws.rs.core.Form;
import jakarta.ws.rs.core.MediaType;
import jakarta.ws.rs.core.MultivaluedMap;
import jakarta.ws.rs.core.StreamingOutput;
import jakarta.ws.rs.ext.MessageBodyReader;
import jakarta.ws.rs.ext.MessageBodyWriter;
import java.io.File;
import java.io.FileInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.io.Reader;
import java.lang.annotation.Annotation;
import java.net.URLEncoder;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/** Reads bodies of requests and writes those of answers: by the app's own readers and writers, else as what they are, else as JSON. */
final class Bodies {
    private static final Annotation[] NONE = {};

    private final List<Provider<MessageBodyReader<?>>> readers = new ArrayList<>();
    private final List<Provider<MessageBodyWriter<?>>> writers = new ArrayList<>();
    private final Map<Class<?>, JsonOutput.Writer<?>> beans = new LinkedHashMap<>();

    void add(Provider<MessageBodyReader<?>> reader) {
        readers.add(reader);
    }

    void addWriter(Provider<MessageBodyWriter<?>> writer) {
        writers.add(writer);
    }

    <T> void bean(Class<T> type, JsonOutput.Writer<T> writer) {
        beans.put(type, writer);
    }

    @SuppressWarnings("unchecked")
    <T> T read(Call call, Class<T> type, Json.Reader<T> json) {
        MediaType given = call.head().getMediaType();
        MediaType media = given == null ? MediaType.APPLICATION_OCTET_STREAM_TYPE : given;
        for (Provider<MessageBodyReader<?>> one : readers) {
            if (one.isFor(type, media) && one.instance().isReadable(type, type, NONE, media)) {
                try {
                    MessageBodyReader<T> reader = (MessageBodyReader<T>) one.instance();
                    return reader.readFrom(type, type, NONE, media, call.head().map(), call.stream());
                } catch (IOException wrong) {
                    throw Rest.problem(400, "the body cannot be read: " + wrong.getMessage());
                }
            }
        }
        if (json == null || given != null && !MediaTypes.isJson(media)) {
            throw Rest.problem(415, "a body of " + media + " cannot be read here" + (json == null ? "" : "; send application/json"));
        }
        String text = call.text();
        if (text.trim().isEmpty()) {
            return null;
        }
        try {
            Object value = JsonText.read(text);
            return value == null ? null : json.read(value, "");
        } catch (IllegalArgumentException wrong) {
            throw Rest.problem(400, wrong.getMessage());
        }
    }

    private static boolean isText(Object entity) {
        return entity instanceof CharSequence || entity instanceof Number || entity instanceof Boolean || entity instanceof Character
            || entity instanceof Enum || entity instanceof Reader;
    }

    /** What a body of this kind is where the resource does not say it. */
    List<MediaType> natural(Object entity) {
        List<MediaType> types = new ArrayList<>();
        for (Provider<MessageBodyWriter<?>> one : writers) {
            if (one.takes(entity.getClass())) {
                types.addAll(one.types());
            }
        }
        if (isText(entity)) {
            types.add(MediaType.TEXT_PLAIN_TYPE);
            types.add(MediaType.WILDCARD_TYPE);
        } else if (entity instanceof byte[] || entity instanceof InputStream || entity instanceof StreamingOutput || entity instanceof File) {
            types.add(MediaType.APPLICATION_OCTET_STREAM_TYPE);
            types.add(MediaType.WILDCARD_TYPE);
        } else if (entity instanceof Form || entity instanceof MultivaluedMap) {
            types.add(MediaType.APPLICATION_FORM_URLENCODED_TYPE);
        } else if (JsonOutput.canWrite(entity, beans)) {
            types.add(MediaType.APPLICATION_JSON_TYPE);
        }
        return types;
    }

    /** Sends the body; the head is complete but for what belongs to the body. */
    @SuppressWarnings("unchecked")
    void write(Object entity, MediaType type, HeaderMap<Object> headers, HttpServletResponse response) throws IOException {
        for (Provider<MessageBodyWriter<?>> one : writers) {
            if (one.isFor(entity.getClass(), type) && one.instance().isWriteable(entity.getClass(), entity.getClass(), NONE, type)) {
                MessageBodyWriter<Object> writer = (MessageBodyWriter<Object>) one.instance();
                OutputStream out = new Late(response, headers, type);
                writer.writeTo(entity, entity.getClass(), entity.getClass(), NONE, type, headers, out);
                out.write(new byte[0], 0, 0);
                return;
            }
        }
        if (MediaTypes.isJson(type) && !(entity instanceof CharSequence) && !(entity instanceof Reader) && JsonOutput.canWrite(entity, beans)) {
            whole(JsonOutput.write(entity, beans).getBytes("UTF-8"), type, headers, response);
        } else if (entity instanceof byte[] bytes) {
            whole(bytes, type, headers, response);
        } else if (entity instanceof Reader reader) {
            whole(all(reader).getBytes(MediaTypes.charset(type)), named(type), headers, response);
        } else if (isText(entity)) {
            String text = entity instanceof Enum<?> value ? value.name() : entity.toString();
            whole(text.getBytes(MediaTypes.charset(type)), named(type), headers, response);
        } else if (entity instanceof StreamingOutput streaming) {
            Rest.head(headers, type, response);
            streaming.write(response.getOutputStream());
        } else if (entity instanceof InputStream || entity instanceof File) {
            Rest.head(headers, type, response);
            try (InputStream in = entity instanceof File file ? new FileInputStream(file) : (InputStream) entity) {
                in.transferTo(response.getOutputStream());
            }
        } else if (entity instanceof Form || entity instanceof MultivaluedMap) {
            MultivaluedMap<String, String> fields =
                entity instanceof Form form ? form.asMap() : (MultivaluedMap<String, String>) entity;
            whole(written(fields).getBytes("UTF-8"), type, headers, response);
        } else {
            throw new WebApplicationException("nothing here writes a " + entity.getClass().getName() + " as " + type
                + "; classes of the app that resources name are written as application/json, others by a MessageBodyWriter", 500);
        }
    }

    /** A text's type with its charset. */
    private static MediaType named(MediaType type) {
        boolean isBare = type.getType().equals("text") && !type.getParameters().containsKey(MediaType.CHARSET_PARAMETER);
        return isBare ? type.withCharset("UTF-8") : type;
    }

    private static void whole(byte[] bytes, MediaType type, HeaderMap<Object> headers, HttpServletResponse response) throws IOException {
        Rest.head(headers, type, response);
        if (!headers.containsKey("Content-Length")) {
            response.setContentLength(bytes.length);
        }
        response.getOutputStream().write(bytes, 0, bytes.length);
    }

    private static String all(Reader reader) throws IOException {
        StringBuilder out = new StringBuilder();
        char[] some = new char[4096];
        for (int got = reader.read(some, 0, some.length); got >= 0; got = reader.read(some, 0, some.length)) {
            out.append(some, 0, got);
        }
        return out.toString();
    }

    private static String written(MultivaluedMap<String, String> fields) throws IOException {
        StringBuilder out = new StringBuilder();
        for (Map.Entry<String, List<String>> field : fields.entrySet()) {
            for (String value : field.getValue()) {
                out.append(out.length() == 0 ? "" : "&").append(URLEncoder.encode(field.getKey(), "UTF-8")).append('=');
                out.append(URLEncoder.encode(value, "UTF-8"));
            }
        }
        return out.toString();
    }

    /** Sends the head with the first byte: until then a writer may change it. */
    private static final class Late extends OutputStream {
        private final HttpServletResponse response;
        private final HeaderMap<Object> headers;
        private final MediaType type;
        private boolean isBegun;

        Late(HttpServletResponse response, HeaderMap<Object> headers, MediaType type) {
            this.response = response;
            this.headers = headers;
            this.type = type;
        }

        private OutputStream begun() throws IOException {
            if (!isBegun) {
                isBegun = true;
                Rest.head(headers, type, response);
            }
            return response.getOutputStream();
        }

        @Override
        public void write(int value) throws IOException {
            begun().write(value);
        }

        @Override
        public void write(byte[] bytes, int offset, int length) throws IOException {
            begun().write(bytes, offset, length);
        }

        @Override
        public void flush() throws IOException {
            begun().flush();
        }
    }
}
