package virga.rest;

/** Where the instances of a class of the app come from: one for all requests, or one for each. */
public final class Maker<T> {
    /** Makes one, with what its constructor asks for. */
    public interface Construction<T> {
        T make(Call call) throws Throwable;
    }

    /** Fills in what its fields ask for. */
    public interface Injection<T> {
        void into(T made, Call call) throws Throwable;
    }

    private final boolean isOne;
    private final Construction<T> construction;
    private final Injection<T> injection;
    private T instance;

    Maker(boolean isOne, Construction<T> construction, Injection<T> injection, T given) {
        this.isOne = isOne || given != null;
        this.construction = construction;
        this.injection = injection;
        instance = given;
    }

    /** The instance that answers this request. */
    public T get(Call call) throws Throwable {
        T one = instance == null ? construction.make(call) : instance;
        if (isOne) {
            instance = one;
        }
        // One that stays gets what is of the request anew: requests come one after the other.
        if (injection != null) {
            injection.into(one, call);
        }
        call.address().answeredBy(one);
        return one;
    }

    T instance() throws Throwable {
        if (instance == null) {
            instance = construction.make(null);
        }
        return instance;
    }

    void renew(Call call) throws Throwable {
        if (injection != null && instance != null) {
            injection.into(instance, call);
        }
    }
}
