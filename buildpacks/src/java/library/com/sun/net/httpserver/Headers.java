package com.sun.net.httpserver;

import java.util.ArrayList;
import java.util.Collection;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;

/** Headers by name; names compare without case and are kept as Content-Type. */
public class Headers implements Map<String, List<String>> {
    private final Map<String, List<String>> map = new LinkedHashMap<>();

    private static String normal(Object name) {
        String given = (String) name;
        if (given.isEmpty()) {
            return given;
        }
        for (int i = 0; i < given.length(); i++) {
            if (given.charAt(i) == '\r' || given.charAt(i) == '\n') {
                throw new IllegalArgumentException("illegal character in key");
            }
        }
        return given.substring(0, 1).toUpperCase() + given.substring(1).toLowerCase();
    }

    private static void check(String value) {
        if (value != null && (value.indexOf('\r') >= 0 || value.indexOf('\n') >= 0)) {
            throw new IllegalArgumentException("illegal character in value");
        }
    }

    public String getFirst(String name) {
        List<String> values = get(name);
        return values == null || values.isEmpty() ? null : values.get(0);
    }

    public void add(String name, String value) {
        check(value);
        map.computeIfAbsent(normal(name), key -> new ArrayList<>()).add(value);
    }

    public void set(String name, String value) {
        check(value);
        List<String> values = new ArrayList<>();
        values.add(value);
        map.put(normal(name), values);
    }

    @Override
    public int size() {
        return map.size();
    }

    @Override
    public boolean isEmpty() {
        return map.isEmpty();
    }

    @Override
    public boolean containsKey(Object name) {
        return name instanceof String && map.containsKey(normal(name));
    }

    @Override
    public boolean containsValue(Object value) {
        return map.containsValue(value);
    }

    @Override
    public List<String> get(Object name) {
        return map.get(normal(name));
    }

    @Override
    public List<String> put(String name, List<String> values) {
        values.forEach(Headers::check);
        return map.put(normal(name), values);
    }

    @Override
    public List<String> remove(Object name) {
        return map.remove(normal(name));
    }

    @Override
    public void putAll(Map<? extends String, ? extends List<String>> others) {
        for (Map.Entry<? extends String, ? extends List<String>> other : others.entrySet()) {
            put(other.getKey(), other.getValue());
        }
    }

    @Override
    public void clear() {
        map.clear();
    }

    @Override
    public Set<String> keySet() {
        return map.keySet();
    }

    @Override
    public Collection<List<String>> values() {
        return map.values();
    }

    @Override
    public Set<Map.Entry<String, List<String>>> entrySet() {
        return map.entrySet();
    }

    @Override
    public String toString() {
        return map.toString();
    }
}
