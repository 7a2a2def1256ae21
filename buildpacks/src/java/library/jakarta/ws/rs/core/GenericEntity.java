package jakarta.ws.rs.core;

import java.lang.reflect.Type;

/** In the place of the class of the same name in the API, which reads its own type argument by reflection: bodies are written by what they are. */
public class GenericEntity<T> {
    private final T entity;
    private final Type type;

    protected GenericEntity(T entity) {
        this(entity, entity.getClass());
    }

    public GenericEntity(T entity, Type type) {
        if (entity == null || type == null) {
            throw new IllegalArgumentException("an entity and its type cannot be null");
        }
        this.entity = entity;
        this.type = type;
    }

    public final Class<?> getRawType() {
        return entity.getClass();
    }

    public final Type getType() {
        return type;
    }

    public final T getEntity() {
        return entity;
    }
}
