//! What JSON a type reads, asked of its own `Deserialize`: the type is read from a source that answers nothing but notes what
//! it is asked for. So a description cannot differ from what the handler takes, and a type needs nothing beside its derive.
//!
//! A type that checks what it reads ends its reading early; what is still unknown then is asked for in a next round. What a
//! type takes without saying (a hand-written `Deserialize`, `flatten`) is described as anything.

use serde::{
    Deserialize,
    de::{
        DeserializeSeed, Deserializer, EnumAccess, Error as _, IntoDeserializer as _, MapAccess, SeqAccess, VariantAccess, Visitor,
        value::StrDeserializer,
    },
    forward_to_deserialize_any,
};
use serde_json::{Map, Value, json};
use std::collections::{BTreeMap, BTreeSet};

/// Rounds at most; each but the last learns something new.
const MAX_ROUNDS: usize = 400;
/// Deeper than this a type is anything: it may hold itself.
const MAX_DEPTH: usize = 12;
/// Fits most texts that are checked while they are read.
const SAMPLE: &str = "00000000-0000-4000-8000-000000000000";
/// No member of any type.
const STRANGER: &str = "x-no-such-member";

/// The JSON Schema of what `T` reads.
pub(super) fn schema_of<T: for<'de> Deserialize<'de>>() -> Value {
    let mut sketch = Sketch::default();
    for _ in 0..MAX_ROUNDS {
        let known = sketch.clone();
        // How the reading ends is of no interest: what it asked for is in the sketch.
        let _ended = T::deserialize(Tracer { sketch: &mut sketch, path: String::new(), depth: 0 });
        if sketch == known {
            break;
        }
    }
    sketch.schema("")
}

/// What is known so far, by place: `""` the whole, `<place>/<member>`, `<place>[]`, `<place>{}`, `<place>?`.
#[derive(Debug, Default, Clone, PartialEq)]
struct Sketch(BTreeMap<String, Kind>);

#[derive(Debug, Clone, PartialEq)]
enum Kind {
    Any,
    Boolean,
    Integer,
    Natural,
    Number,
    Text,
    Words(&'static [&'static str]),
    Nullable,
    List,
    Map,
    Object(Object),
}

#[derive(Debug, Clone, Default, PartialEq)]
struct Object {
    members: &'static [&'static str],
    required: BTreeSet<&'static str>,
    /// Whether a member of another name is refused; unknown until asked.
    closed: Option<bool>,
    /// Whether everything required is known.
    settled: bool,
}

impl Sketch {
    /// Whether there is no more to learn about this place.
    fn complete(&self, path: &str) -> bool {
        match self.0.get(path) {
            None => false,
            Some(Kind::Nullable) => self.complete(&format!("{path}?")),
            Some(Kind::List) => self.complete(&format!("{path}[]")),
            Some(Kind::Map) => self.complete(&format!("{path}{{}}")),
            Some(Kind::Object(object)) => object.settled,
            Some(_) => true,
        }
    }

    fn schema(&self, path: &str) -> Value {
        match self.0.get(path) {
            None | Some(Kind::Any) => json!({}),
            Some(Kind::Boolean) => json!({ "type": "boolean" }),
            Some(Kind::Integer) => json!({ "type": "integer" }),
            Some(Kind::Natural) => json!({ "type": "integer", "minimum": 0 }),
            Some(Kind::Number) => json!({ "type": "number" }),
            Some(Kind::Text) => json!({ "type": "string" }),
            Some(Kind::Words(words)) => json!({ "type": "string", "enum": words }),
            Some(Kind::Nullable) => match self.schema(&format!("{path}?")) {
                Value::Object(inner) if inner.is_empty() => json!({}),
                inner => json!({ "anyOf": [inner, { "type": "null" }] }),
            },
            Some(Kind::List) => json!({ "type": "array", "items": self.schema(&format!("{path}[]")) }),
            Some(Kind::Map) => json!({ "type": "object", "additionalProperties": self.schema(&format!("{path}{{}}")) }),
            Some(Kind::Object(object)) => self.object(path, object),
        }
    }

    fn object(&self, path: &str, object: &Object) -> Value {
        let members = object.members.iter().map(|name| ((*name).to_owned(), self.schema(&format!("{path}/{name}"))));
        let mut schema = Map::new();
        schema.insert("type".to_owned(), json!("object"));
        schema.insert("properties".to_owned(), Value::Object(members.collect()));
        if !object.required.is_empty() {
            schema.insert("required".to_owned(), json!(object.required));
        }
        if object.closed == Some(true) {
            schema.insert("additionalProperties".to_owned(), json!(false));
        }
        Value::Object(schema)
    }
}

/// Why a reading ended.
#[derive(Debug)]
enum Stop {
    Missing(&'static str),
    Unknown,
    Other(String),
}

impl std::fmt::Display for Stop {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Missing(member) => write!(f, "{member} is missing"),
            Self::Unknown => f.write_str("unknown member"),
            Self::Other(message) => f.write_str(message),
        }
    }
}

impl std::error::Error for Stop {}

impl serde::de::Error for Stop {
    fn custom<T: std::fmt::Display>(message: T) -> Self {
        Self::Other(message.to_string())
    }

    fn missing_field(field: &'static str) -> Self {
        Self::Missing(field)
    }

    fn unknown_field(_: &str, _: &'static [&'static str]) -> Self {
        Self::Unknown
    }
}

/// The source at one place.
struct Tracer<'a> {
    sketch: &'a mut Sketch,
    path: String,
    depth: usize,
}

impl Tracer<'_> {
    fn note(&mut self, kind: Kind) {
        self.sketch.0.entry(self.path.clone()).or_insert(kind);
    }

    fn below(&mut self, suffix: &str) -> Tracer<'_> {
        Tracer { path: format!("{}{suffix}", self.path), depth: self.depth + 1, sketch: self.sketch }
    }

    /// Notes a place that holds others; whether its inside is still to be asked for.
    fn open(&mut self, kind: Kind, inside: &str) -> bool {
        self.note(kind);
        !self.sketch.complete(&format!("{}{inside}", self.path))
    }

    fn object_mut(&mut self) -> Option<&mut Object> {
        match self.sketch.0.get_mut(&self.path) {
            Some(Kind::Object(object)) => Some(object),
            _ => None,
        }
    }

    /// The members to offer in this round.
    fn plan(&self, object: &Object) -> Vec<&'static str> {
        let unknown = |member: &&&'static str| !self.sketch.complete(&format!("{}/{member}", self.path));
        let unknown: Vec<_> = object.members.iter().filter(unknown).copied().collect();
        match (unknown.is_empty(), object.closed) {
            (false, _) => unknown,
            (true, None) => vec![STRANGER],
            (true, Some(_)) => object.required.iter().copied().collect(),
        }
    }
}

macro_rules! leaves {
    ($($method:ident $kind:ident $visit:ident $sample:expr;)+) => {$(
        fn $method<V: Visitor<'de>>(mut self, visitor: V) -> Result<V::Value, Stop> {
            self.note(Kind::$kind);
            visitor.$visit($sample)
        }
    )+};
}

impl<'de> Deserializer<'de> for Tracer<'_> {
    type Error = Stop;

    leaves! {
        deserialize_bool Boolean visit_bool false;
        deserialize_i8 Integer visit_i64 1;
        deserialize_i16 Integer visit_i64 1;
        deserialize_i32 Integer visit_i64 1;
        deserialize_i64 Integer visit_i64 1;
        deserialize_u8 Natural visit_u64 1;
        deserialize_u16 Natural visit_u64 1;
        deserialize_u32 Natural visit_u64 1;
        deserialize_u64 Natural visit_u64 1;
        deserialize_f32 Number visit_f64 1.0;
        deserialize_f64 Number visit_f64 1.0;
        deserialize_str Text visit_str SAMPLE;
        deserialize_string Text visit_str SAMPLE;
    }

    fn deserialize_any<V: Visitor<'de>>(mut self, visitor: V) -> Result<V::Value, Stop> {
        self.note(Kind::Any);
        visitor.visit_unit()
    }

    fn deserialize_option<V: Visitor<'de>>(mut self, visitor: V) -> Result<V::Value, Stop> {
        if self.open(Kind::Nullable, "?") { visitor.visit_some(self.below("?")) } else { visitor.visit_none() }
    }

    fn deserialize_seq<V: Visitor<'de>>(mut self, visitor: V) -> Result<V::Value, Stop> {
        let ask = self.open(Kind::List, "[]");
        visitor.visit_seq(Items { tracer: self, ask })
    }

    fn deserialize_map<V: Visitor<'de>>(mut self, visitor: V) -> Result<V::Value, Stop> {
        let ask = self.open(Kind::Map, "{}");
        visitor.visit_map(Entries { tracer: self, ask })
    }

    fn deserialize_struct<V: Visitor<'de>>(
        mut self,
        _: &'static str,
        members: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Stop> {
        if self.depth > MAX_DEPTH {
            return self.deserialize_any(visitor);
        }
        self.note(Kind::Object(Object { members, ..Object::default() }));
        let Some(object) = self.object_mut().cloned() else { return Err(Stop::custom("read in two ways")) };
        let plan = self.plan(&object);
        let last_round = plan.iter().all(|member| object.required.contains(member)) && object.closed.is_some();
        let read = visitor.visit_map(Members { tracer: &mut self, plan: plan.into_iter(), member: None });
        if let Some(object) = self.object_mut() {
            match &read {
                Err(Stop::Missing(member)) if members.contains(member) && object.required.insert(member) => {}
                _ => object.settled = object.settled || last_round,
            }
        }
        read
    }

    fn deserialize_enum<V: Visitor<'de>>(
        mut self,
        _: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Stop> {
        self.note(Kind::Words(variants));
        visitor.visit_enum(FirstOf(variants))
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(self, _: &'static str, visitor: V) -> Result<V::Value, Stop> {
        visitor.visit_newtype_struct(self)
    }

    forward_to_deserialize_any! {
        i128 u128 char bytes byte_buf unit unit_struct tuple tuple_struct identifier ignored_any
    }
}

/// One item, or none where it is known.
struct Items<'a> {
    tracer: Tracer<'a>,
    ask: bool,
}

impl<'de> SeqAccess<'de> for Items<'_> {
    type Error = Stop;

    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>, Stop> {
        match std::mem::take(&mut self.ask) {
            true => seed.deserialize(self.tracer.below("[]")).map(Some),
            false => Ok(None),
        }
    }
}

/// One entry, or none where its value is known.
struct Entries<'a> {
    tracer: Tracer<'a>,
    ask: bool,
}

impl<'de> MapAccess<'de> for Entries<'_> {
    type Error = Stop;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, Stop> {
        match std::mem::take(&mut self.ask) {
            true => seed.deserialize(text("key")).map(Some),
            false => Ok(None),
        }
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, Stop> {
        seed.deserialize(self.tracer.below("{}"))
    }
}

/// The planned members of an object.
struct Members<'t, 'a> {
    tracer: &'t mut Tracer<'a>,
    plan: std::vec::IntoIter<&'static str>,
    member: Option<&'static str>,
}

impl<'de> MapAccess<'de> for Members<'_, '_> {
    type Error = Stop;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, Stop> {
        self.member = self.plan.next();
        let Some(member) = self.member else { return Ok(None) };
        let key = seed.deserialize(text(member));
        if let (true, Some(object)) = (member == STRANGER, self.tracer.object_mut()) {
            object.closed = Some(matches!(key, Err(Stop::Unknown)));
        }
        key.map(Some)
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, Stop> {
        let Some(member) = self.member.filter(|member| *member != STRANGER) else {
            return seed.deserialize(().into_deserializer());
        };
        let mut inside = self.tracer.below(&format!("/{member}"));
        let read = seed.deserialize(Tracer { sketch: &mut *inside.sketch, path: inside.path.clone(), depth: inside.depth });
        // A reader that asked for nothing takes what it likes.
        inside.note(Kind::Any);
        // What is missing inside is no member of this one.
        read.map_err(Stop::custom)
    }
}

/// The first word of an enumeration; one that carries data ends the reading.
struct FirstOf(&'static [&'static str]);

impl<'de> EnumAccess<'de> for FirstOf {
    type Error = Stop;
    type Variant = Unit;

    fn variant_seed<V: DeserializeSeed<'de>>(self, seed: V) -> Result<(V::Value, Unit), Stop> {
        Ok((seed.deserialize(text(self.0.first().copied().unwrap_or_default()))?, Unit))
    }
}

struct Unit;

impl<'de> VariantAccess<'de> for Unit {
    type Error = Stop;

    fn unit_variant(self) -> Result<(), Stop> {
        Ok(())
    }

    fn newtype_variant_seed<T: DeserializeSeed<'de>>(self, _: T) -> Result<T::Value, Stop> {
        Err(Stop::custom("a variant with data"))
    }

    fn tuple_variant<V: Visitor<'de>>(self, _: usize, _: V) -> Result<V::Value, Stop> {
        Err(Stop::custom("a variant with data"))
    }

    fn struct_variant<V: Visitor<'de>>(self, _: &'static [&'static str], _: V) -> Result<V::Value, Stop> {
        Err(Stop::custom("a variant with data"))
    }
}

fn text(text: &str) -> StrDeserializer<'_, Stop> {
    text.into_deserializer()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    #[expect(dead_code, reason = "only its Deserialize matters")]
    struct Thing {
        name: String,
        count: Option<u32>,
        digest: Checked,
        inner: Inner,
        tags: Vec<Inner>,
        labels: Option<BTreeMap<String, Option<String>>>,
        #[serde(default)]
        kind: Colour,
        anything: Value,
    }

    #[derive(Deserialize)]
    #[expect(dead_code, reason = "only its Deserialize matters")]
    struct Inner {
        first: Checked,
        second: bool,
    }

    #[derive(Deserialize, Default)]
    #[serde(rename_all = "lowercase")]
    enum Colour {
        #[default]
        Red,
        Green,
    }

    /// Refuses every text but one, as checked names do.
    struct Checked;

    impl<'de> Deserialize<'de> for Checked {
        fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
            let text = String::deserialize(deserializer)?;
            if text == "sesame" { Ok(Self) } else { Err(D::Error::custom("no")) }
        }
    }

    #[test]
    fn a_type_tells_what_it_reads() {
        let text = json!({ "type": "string" });
        // What follows a member that refused is not known to be required: `second` after `first`, all after `digest`.
        let inner = json!({ "type": "object", "properties": { "first": text, "second": { "type": "boolean" } }, "required": ["first"] });
        let expected = json!({
            "type": "object",
            "additionalProperties": false,
            "required": ["digest", "name"],
            "properties": {
                "name": text,
                "count": { "anyOf": [{ "type": "integer", "minimum": 0 }, { "type": "null" }] },
                "digest": text,
                "inner": inner,
                "tags": { "type": "array", "items": inner },
                "labels": { "anyOf": [
                    { "type": "object", "additionalProperties": { "anyOf": [text, { "type": "null" }] } }, { "type": "null" }] },
                "kind": { "type": "string", "enum": ["red", "green"] },
                "anything": {},
            },
        });
        assert_eq!(schema_of::<Thing>(), expected);
    }

    #[test]
    fn a_value_is_anything() {
        assert_eq!(schema_of::<Value>(), json!({}));
    }
}
